"""WSGI apps on loopback ports, in threads of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"


def one_at_a_time(app: WSGIApplication) -> WSGIApplication:
    """`app`, with every request waiting for the one before it."""
    lock = threading.Lock()

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return call


def by_path(
    prefixes: tuple[str, ...], app: WSGIApplication, otherwise: WSGIApplication
) -> WSGIApplication:
    """`app` for the paths that begin so, `otherwise` for the rest."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        chosen = app if environ.get("PATH_INFO", "").startswith(prefixes) else otherwise
        return chosen(environ, start_response)

    return call


def free_port(wanted: int) -> int:
    """That loopback port if nobody listens there, else one that the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OSError("no free port on loopback")


@contextmanager
def running(app: WSGIApplication) -> Iterator[str]:
    """Serve `app` on a free port while the block runs; yields its address."""
    server: BaseWSGIServer = make_server(HOST, 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
