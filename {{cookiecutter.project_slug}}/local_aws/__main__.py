"""`python -m local_aws demo`: run the road once and check it. `python -m local_aws`: stay up."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from local_aws.environment import isolate, point_at

isolate()  # before anything below can read the environment

from flask import Flask  # noqa: E402

from app import create_app  # noqa: E402
from cognises import provisioning  # noqa: E402
from cognises.app_state import state_of  # noqa: E402
from cognises.errors import CognisesError  # noqa: E402
from cognises.extension import check  # noqa: E402
from cognises.manifest import Group, load_groups  # noqa: E402
from local_aws import demo  # noqa: E402
from local_aws.cognito import REGION, LocalCognito, serving  # noqa: E402
from local_aws.service import open_server, running  # noqa: E402

PORT = 5000
USAGE = "usage: python -m local_aws [demo]"


class Local(NamedTuple):
    """Everything that a local run has."""

    app: Flask
    manifest: tuple[Group, ...]
    tokens: dict[str, str]


@contextmanager
def local_service() -> Iterator[Local]:
    """Pool, groups, users and app, in that order."""
    with serving() as endpoint:
        cognito = LocalCognito(endpoint)
        point_at(endpoint, REGION, cognito.pool_id, cognito.client_id)
        provision()
        app = create_app()
        check(app)
        settings = state_of(app).settings
        manifest = load_groups(settings.groups_file)
        kind = "id" if "id" in settings.token_use else "access"
        users = cognito.add_users(group.name for group in manifest)
        yield Local(app, manifest, {user.group: cognito.sign_in(user, kind) for user in users})


def provision() -> None:
    """Apply groups.json through the provisioning script's own code; its report if it fails."""
    report = io.StringIO()
    with redirect_stdout(report), redirect_stderr(report):
        code = provisioning.main(["apply", "--yes"])
    if code != 0:
        raise SystemExit(f"{report.getvalue()}\ngroups.json could not be applied; see above.")
    print(report.getvalue().splitlines()[-1])


def run_demo() -> int:
    """Print who got which status. 0 only if every answer agrees with groups.json."""
    os.environ["COGNISES_LOG_LEVEL"] = "WARNING"  # the table is the report
    with local_service() as local, running(local.app) as address:
        cells = list(demo.call_all(address, local.app, local.manifest, local.tokens))
        print(f"\n{demo.table(cells)}\n")
        for route in demo.callable_routes(local.app)[1]:
            print(f"not called, its path needs a value: {route.method} {route.path}")
        wrong = [cell for cell in cells if not cell.agrees]
        for cell in wrong:
            print(f"{cell.who} at {cell.route}: {cell.status}, groups.json says {cell.expected}")
        if not wrong:
            print(f"All {len(cells)} answers agree with groups.json.")
        return 1 if wrong or not cells else 0


def run_dev() -> int:
    """Serve until Ctrl-C, after printing how to call it as each user."""
    with local_service() as local:
        server = open_server(local.app, PORT)
        address = f"http://127.0.0.1:{server.server_port}"
        print(f"\nServing on {address} (Ctrl-C stops everything). One user a group:\n")
        for group, token in local.tokens.items():
            print(f'# {group}\ncurl -H "Authorization: Bearer {token}" {address}/protected\n')
        sys.stdout.flush()
        server.serve_forever()  # werkzeug's returns, and closes, on Ctrl-C
        print("\nStopped.")
    return 0


def main(arguments: list[str]) -> int:
    """Exit code of a local run."""
    if arguments not in ([], ["demo"]):
        print(USAGE, file=sys.stderr)
        return 64
    os.chdir(Path(__file__).resolve().parent.parent)
    try:
        return run_demo() if arguments else run_dev()
    except CognisesError as error:
        print(f"cannot run:\n{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
