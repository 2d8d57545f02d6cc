"""Log lines: one JSON object per line in production, plain text on a developer's machine.

A line holds the fields that are listed here and no others. Whatever looks like a token or an
e-mail address is redacted, in tracebacks and in lines of other libraries too.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from functools import lru_cache

from cognises.operation.request_log import request_id

# The extras of a record that are written; any other is left out.
FIELDS = ("method", "path", "endpoint", "status", "duration_ms", "sub", "decision", "reason",
          "detail")  # fmt: skip

# Linear in the length of the text: no run of characters is read twice.
_SECRETS = re.compile(
    r"eyJ[\w.-]{6,}"  # a JWT, or the start of one
    r"|(?<![\w.+%-])[\w.+%-]+(?:@|%40)[\w-]+\.[\w.-]+"  # an e-mail address
    r"|(?<=[Bb]earer )\S+"
)
# A text without one of these holds nothing to redact.
_SIGN = re.compile(r"eyJ|@|%40|earer ")
_GUNICORN_REQUEST = re.compile(
    r"^(Invalid request from ip=\S+(?=: )|Error handling request).*", re.S
)


_encode = json.JSONEncoder(default=str).encode


def redact(text: str) -> str:
    """`text` with *** in place of what looks like a token or an e-mail address."""
    return _SECRETS.sub("***", text) if _SIGN.search(text) else text


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "request_id": …, …}`, one line."""

    def format(self, record: logging.LogRecord) -> str:
        extras = record.__dict__
        line: dict[str, object] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        identity = extras.get("request_id") or request_id()
        if identity:
            line["request_id"] = identity
        for name in FIELDS:
            value = extras.get(name)
            if value is not None:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = _encode(line)
        if not _SIGN.search(text):
            return text
        return _encode({name: redact(v) if isinstance(v, str) else v for name, v in line.items()})


class TextFormatter(logging.Formatter):
    """The same for people: `12:30:01 INFO request GET /data 200 3.1 ms allowed`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        extras = [str(record.__dict__[name]) for name in FIELDS if record.__dict__.get(name)]
        text = super().format(record)
        if extras and record.name == "cognises.requests":
            text = f"{text} {_printable(' '.join(extras))}"
        return redact(text)


def configure(form: str, level: str) -> None:
    """Log every logger of the process as "json" to stdout, or as "text" to stderr.

    Handlers that are there already (the server's, Lambda's) stay and get this format.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout if form == "json" else sys.stderr))
    for handler in root.handlers:
        handler.setFormatter(formatter)
    root.setLevel(level)
    # The request's own line contains the decision; a second line is for debugging.
    if level != "DEBUG":
        logging.getLogger("cognises.decisions").setLevel(logging.WARNING)
    drop = logging.getLogger("werkzeug")
    drop.filters = [f for f in drop.filters if f is not _no_access_line]
    drop.addFilter(_no_access_line)


def _no_access_line(record: logging.LogRecord) -> bool:
    """werkzeug's development server logs URLs with their queries; our line replaces that."""
    return " - - [" not in str(record.msg)


@lru_cache(maxsize=4)
def _second(created: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.name.startswith("gunicorn"):
        return _GUNICORN_REQUEST.sub(r"\1", text)  # gunicorn repeats the line or header it refused
    return text


def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
