"""Log lines: one JSON object each in production, plain text on a developer's machine.

Own lines and no library: what may stand in a line is a list here, and what looks like a token or
an e-mail address is blanked wherever it came from, a traceback or another library included.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime, timezone

from cognises.operation.request_log import request_id

# Extras of a record that are written; anything else that a library attaches is left out.
FIELDS = ("method", "path", "endpoint", "status", "duration_ms", "sub", "decision", "reason",
          "detail")  # fmt: skip

# Each takes time in step with the text, however hostile: no run of characters is read twice.
_SECRETS = re.compile(
    r"eyJ[\w.-]{6,}"  # a JWT, or the start of one
    r"|(?<![\w.+%-])[\w.+%-]+(?:@|%40)[\w-]+\.[\w.-]+"  # an e-mail address
    r"|(?<=[Bb]earer )\S+"
)
# Without one of these there is nothing to look for.
_SIGN = re.compile(r"eyJ|@|%40|earer ")
_GUNICORN_REQUEST = re.compile(
    r"^(Invalid request from ip=\S+(?=: )|Error handling request).*", re.S
)


def blank(text: str) -> str:
    """`text` without what looks like a token or an e-mail address."""
    return _SECRETS.sub("***", text) if _SIGN.search(text) else text


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "request_id": …, …}`, one line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        identity = getattr(record, "request_id", None) or request_id()
        if identity:
            line["request_id"] = identity
        for name in FIELDS:
            value = record.__dict__.get(name)
            if value is not None:
                line[name] = blank(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = blank(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """The same for people: `12:30:01 INFO request GET /data 200 3.1 ms allowed`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        extras = [str(record.__dict__[name]) for name in FIELDS if record.__dict__.get(name)]
        text = super().format(record)
        if extras and record.name == "cognises.requests":
            text = f"{text} {_printable(' '.join(extras))}"
        return blank(text)


def configure(form: str, level: str) -> None:
    """Send every logger of the process out in that form: "json" to stdout, "text" to stderr.

    Handlers that the runtime has put in place (the server's, Lambda's) stay and get the form.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout if form == "json" else sys.stderr))
    for handler in root.handlers:
        handler.setFormatter(formatter)
    root.setLevel(level)
    # The request's own line says what was decided: not twice, unless asked for.
    if level != "DEBUG":
        logging.getLogger("cognises.decisions").setLevel(logging.WARNING)
    drop = logging.getLogger("werkzeug")
    drop.filters = [f for f in drop.filters if f is not _no_access_line]
    drop.addFilter(_no_access_line)


def _no_access_line(record: logging.LogRecord) -> bool:
    """werkzeug's development server logs addresses with their queries; our line stands for it."""
    return " - - [" not in str(record.msg)


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.name.startswith("gunicorn"):
        text = _GUNICORN_REQUEST.sub(r"\1", text)  # it repeats the line or header it refused
    return blank(text)


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
