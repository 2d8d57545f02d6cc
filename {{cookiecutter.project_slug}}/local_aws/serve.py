"""The service as a process of its own, which `dev` restarts when a file has changed.

`python -m local_aws.serve FD`: werkzeug's server on a loopback socket that listens already, without
debugger. It ends when the process that started it ends, by a pipe that both hold.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from werkzeug.serving import make_server

from cognises.errors import SettingsError
from cognises.web.extension import check
from local_aws.service import HOST


def main(listener: int) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from wsgi import app

    try:
        check(app)
    except SettingsError as error:
        print(f"cannot start:\n{error}", file=sys.stderr)
        return 1
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the app logs its requests itself
    make_server(HOST, 0, app, threaded=True, fd=listener).serve_forever()
    return 0


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
