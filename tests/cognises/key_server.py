"""A key endpoint on loopback: a real HTTP server that counts, waits, lies and breaks on demand."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Reply:
    """One HTTP answer. `drip` sends the body a byte at a time, that many seconds apart."""

    def __init__(
        self,
        body: bytes | Mapping[str, Any] = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        drip: float = 0,
    ) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers, self.drip = status, headers or {}, drip

    @classmethod
    def zipped(cls, body: bytes) -> Reply:
        return cls(gzip.compress(body), headers={"Content-Encoding": "gzip"})


class KeyServer:
    """`answer` makes the reply to a path; `hits` lists the paths asked for.

    `hold()` makes every request wait until `let_go()`; `arrived` is set when one has come in.
    """

    def __init__(self, answer: Callable[[], Reply | Mapping[str, Any]]) -> None:
        self.answer = answer
        self.hits: list[str] = []
        self.arrived = threading.Event()
        self._gate = threading.Event()
        self._gate.set()
        self._closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hits.append(self.path)
                server.arrived.set()
                server._gate.wait(30)
                # A client that has given up is what some of the tests are about.
                with suppress(OSError):
                    self._send(server._reply())

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if not reply.drip:
                    self.wfile.write(reply.body)
                    return
                for byte in reply.body:
                    self.wfile.write(bytes([byte]))
                    if server._closing.wait(reply.drip):
                        return

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _reply(self) -> Reply:
        reply = self.answer()
        return reply if isinstance(reply, Reply) else Reply(reply)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"

    def hold(self) -> None:
        self.arrived.clear()
        self._gate.clear()

    def let_go(self) -> None:
        self._gate.set()

    def close(self) -> None:
        self._closing.set()
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
