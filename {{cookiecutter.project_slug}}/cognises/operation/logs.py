"""Log lines: JSON objects in production, plain text on a developer's machine.

What looks like a token or an e-mail address is redacted, in lines of other libraries too.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time

from cognises.operation.middleware import request_id

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
_GUNICORN = re.compile(r"^(Invalid request from ip=\S+(?=: )|Error handling request).*", re.S)

_encode = json.JSONEncoder(default=str).encode


def redact(text: str) -> str:
    """`text` with *** in place of what looks like a token or an e-mail address."""
    return _SECRETS.sub("***", text) if _SIGN.search(text) else text


class JsonFormatter(logging.Formatter):
    """`{"time": …, "level": …, "logger": …, "message": …, "request_id": …, …}`, one line."""

    def format(self, record: logging.LogRecord) -> str:
        extras, message = record.__dict__, record.getMessage()
        if record.name.startswith("gunicorn"):  # it repeats the line or header that it refuses
            message = _GUNICORN.sub(r"\1", message)
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{second}.{int(record.msecs):03d}Z", "level": record.levelname,
            "logger": record.name, "message": message,
            "request_id": extras.get("request_id") or request_id(),
            **{name: extras.get(name) for name in FIELDS},
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }  # fmt: skip
        line = {name: value for name, value in line.items() if value is not None}
        if _SIGN.search(text := _encode(line)):
            line = {name: redact(v) if isinstance(v, str) else v for name, v in line.items()}
            text = _encode(line)
        return text


class TextFormatter(logging.Formatter):
    """The same for people: `12:30:01 INFO request GET /data 200 3.1 ms allowed`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.name == "cognises.requests":
            found = " ".join(str(record.__dict__[n]) for n in FIELDS if record.__dict__.get(n))
            text = f"{text} {found.encode('unicode_escape').decode('ascii')}"
        return redact(text)


def configure(form: str, level: str) -> None:
    """Log every logger of the process as "json" to stdout, or as "text" to stderr."""
    root = logging.getLogger()
    if not root.handlers:  # the server's and Lambda's stay and get this format
        root.addHandler(logging.StreamHandler(sys.stdout if form == "json" else sys.stderr))
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root.setLevel(level)
    # The request's own line contains the decision; a second line is for debugging.
    if level != "DEBUG":
        logging.getLogger("cognises.decisions").setLevel(logging.WARNING)
    logging.getLogger("werkzeug").addFilter(_no_access_line)


def _no_access_line(record: logging.LogRecord) -> bool:
    """werkzeug's development server logs URLs with their queries; our line replaces that."""
    return " - - [" not in str(record.msg)
