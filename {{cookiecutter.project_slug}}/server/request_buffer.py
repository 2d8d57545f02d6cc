"""The bytes of an HTTP/1.1 request (RFC 9112) until it is complete. No I/O.

Decides only when a thread gets the request; gunicorn's parser alone decides what it means. What
gunicorn refuses by its head counts as complete with its head.
"""

import re

HEAD_LIMIT = 32 * 1024
READ_SIZE = 64 * 1024
CHUNK_LINE_LIMIT = 4096

_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n|$)", re.I
)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,12})[ \t]*(?:;.*)?", re.I | re.S)


class RequestBuffer:
    """`data` takes the bytes as they arrive; `bytes_needed()` is 0 once a thread may have them."""

    def __init__(self, data: bytes, body_limit: int) -> None:
        """A body larger than `body_limit` is never collected: the application refuses it."""
        self.data = bytearray(data)
        self.is_whole = False  # when complete, all of the request is in `data`
        self.wants_continue = False  # the client waits for "100 Continue" before it sends a body
        self._body_limit = body_limit
        self._head_size = 0
        self._end = 0  # how long `data` must be before it is worth another look
        self._chunk_at = 0  # where the next chunk starts, in a chunked body
        self._chunked_size = 0  # of the chunks before that

    @property
    def is_large(self) -> bool:
        """Whether the request gets the time that a body takes."""
        return self._chunk_at > 0 or self._end > HEAD_LIMIT

    @property
    def refusal(self) -> str | None:
        """The status of a request that must not grow on: its head, or tiny chunks without end."""
        if (self._head_size or len(self.data)) > HEAD_LIMIT:
            return "431 Request Header Fields Too Large"
        if len(self.data) > 4 * self._body_limit + HEAD_LIMIT + READ_SIZE:
            return "413 Content Too Large"
        return None

    def bytes_needed(self) -> int:
        """How many bytes are missing, at least; 0: a thread may have the request."""
        if not self._head_size:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return 1
            self._read_head(end)
        while self._chunk_at and not self.is_whole and len(self.data) >= self._end:
            if not self._read_chunk():
                return 0
        return max(0, self._end - len(self.data))

    def _read_head(self, end: int) -> None:
        self._head_size = self._end = end + 4
        found: dict[bytes, list[bytes]] = {}
        for name, value in _FRAMING.findall(self.data, 0, end):
            found.setdefault(name.lower(), []).append(value)
        lengths = found.get(b"content-length", [])
        coding = b",".join(found.get(b"transfer-encoding", []))
        if b"chunked" in coding.lower() and not lengths:
            self._chunk_at = self._end
        elif not coding and len(lengths) < 2:
            length = lengths[0] if lengths else b"0"
            # int() refuses thousands of digits, and gunicorn what is not a number.
            is_number = length.isdigit() and len(length) < 4000
            if is_number and int(length) <= self._body_limit:
                self._end += int(length)
                self.is_whole = True
        self.wants_continue = (
            b"expect" in found
            and (self._chunk_at > 0 or self._end > self._head_size)
            and len(self.data) == self._head_size
            and self.data.find(b" HTTP/1.1\r\n", 0, end + 2) > 0
        )

    def _read_chunk(self) -> bool:
        """Move on to the next chunk (RFC 9112 section 7.1); False: gunicorn or the app refuses."""
        line_end = self.data.find(b"\r\n", self._chunk_at, self._chunk_at + CHUNK_LINE_LIMIT)
        if line_end < 0:
            self._end = len(self.data) + 1
            return len(self.data) < self._chunk_at + CHUNK_LINE_LIMIT
        line = _CHUNK_SIZE.fullmatch(self.data, self._chunk_at, line_end)
        if line is None:
            return False
        size = int(line[1], 16)
        if size == 0:
            end = self.data.find(b"\r\n\r\n", line_end)
            self.is_whole = end >= 0
            self._end = end + 4 if self.is_whole else len(self.data) + 1
            return self.is_whole or len(self.data) < line_end + HEAD_LIMIT
        room = self._body_limit - self._chunked_size
        if size > room:
            self._end = line_end + 2 + room + 1
            return len(self.data) < self._end
        self._end = line_end + 2 + size + 2
        if len(self.data) >= self._end:
            self._chunk_at, self._chunked_size = self._end, self._chunked_size + size
            self._end += 1
        return True
