"""WSGI apps on loopback ports. `python -m local_aws.service FD` serves the service itself."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Request
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from cognises.access import report
from cognises.errors import CognisesError, SettingsError
from cognises.web.authorize import check_local
from cognises.web.extension import check

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
    is_own: Callable[[str], bool], app: WSGIApplication, otherwise: WSGIApplication
) -> WSGIApplication:
    """`app` for its own paths, `otherwise` for the rest."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        chosen = app if is_own(environ.get("PATH_INFO", "")) else otherwise
        return chosen(environ, start_response)

    return call


def loopback_only(app: WSGIApplication) -> WSGIApplication:
    """`app` for this machine alone: neither another host's name, nor what was passed on."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            check_local(Request(environ))
        except CognisesError as error:
            return Response(str(error), error.status)(environ, start_response)
        return app(environ, start_response)

    return call


def for_programs(app: WSGIApplication) -> WSGIApplication:
    """`app` for everything but pages that are open in a browser."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ:
            return Response("not for browsers", 403)(environ, start_response)
        return app(environ, start_response)

    return call


def listen(wanted: int, *, or_another: bool = True) -> socket.socket:
    """A socket that listens on that loopback port, else on one that the system picks.

    Raises OSError where there is none.
    """
    for port in (wanted, 0) if or_another else (wanted,):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(128)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError(f"port {wanted} is taken")


@contextmanager
def running(app: WSGIApplication) -> Iterator[str]:
    """Serve `app` on a free port while the block runs; yields its address."""
    server: BaseWSGIServer = make_server(HOST, 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main(listener: int) -> int:
    """The service on a socket that listens already, without debugger: `dev` restarts it.

    It ends when the process that started it ends, by a pipe that both hold.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from wsgi import app

    try:
        check(app)
    except SettingsError as error:
        print(f"cannot start:\n{error}", file=sys.stderr)
        return 1
    for problem in report(app).problems:
        print(f"problem: {problem}", file=sys.stderr)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the app logs its requests itself
    make_server(HOST, 0, app, threaded=True, fd=listener).serve_forever()
    return 0


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
