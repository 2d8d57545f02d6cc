"""A WSGI app on a loopback port, in a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def one_at_a_time(app: WSGIApplication) -> WSGIApplication:
    """`app`, with every request waiting for the one before it."""
    lock = threading.Lock()

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return call


def open_server(app: WSGIApplication, port: int = 0) -> BaseWSGIServer:
    """A server for `app` on that loopback port, else on a free one."""
    try:
        return make_server("127.0.0.1", port, app, threaded=True)
    except (OSError, SystemExit):
        if not port:
            raise
        return make_server("127.0.0.1", 0, app, threaded=True)


@contextmanager
def running(app: WSGIApplication) -> Iterator[str]:
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
