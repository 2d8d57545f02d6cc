"""The generated service itself, on a loopback port, in a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server


def open_server(app: Flask, port: int = 0) -> BaseWSGIServer:
    """A server for `app` on that loopback port, else on a free one."""
    try:
        return make_server("127.0.0.1", port, app, threaded=True)
    except (OSError, SystemExit):
        if not port:
            raise
        return make_server("127.0.0.1", 0, app, threaded=True)


@contextmanager
def running(app: Flask) -> Iterator[str]:
    """Serve `app` while the block runs; yields its address."""
    server = open_server(app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
