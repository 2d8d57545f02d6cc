"""`make dev`: the embedded Cognito stays up, the service starts anew when its files change."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cognises.errors import CognisesError
from cognises.manifest import load_groups
from cognises.settings import PROJECT_FOLDER, Settings, parse, read_values
from local_aws.address import forget_address, keep_address
from local_aws.cognito import DemoUser, LocalCognito
from local_aws.embedded import NotApplied, apply_manifest, embedded
from local_aws.service import HOST, free_port
from local_aws.watch import Watch

PORT = 5000
_INTERVAL = 0.4
_STOP_SECONDS = 5


def run() -> int:
    """Serve until Ctrl-C (or SIGTERM), then stop everything. Raises CognisesError, NotApplied."""
    signal.signal(signal.SIGTERM, _interrupt)
    address = f"http://{HOST}:{free_port(PORT)}"
    with embedded(public_url=address) as cognito:
        settings = parse(PROJECT_FOLDER, read_values(PROJECT_FOLDER))
        print(apply_manifest())
        users = Users(cognito, settings.groups_file)
        print(_greeting(address, users.all), flush=True)
        keep_address(cognito.client_id)
        try:
            _serve(address, settings, users)
        except KeyboardInterrupt:
            print("\nStopped.")
        finally:
            forget_address()
    return 0


class Users:
    """One user for every group of the manifest and one in none; new groups get theirs."""

    def __init__(self, cognito: LocalCognito, groups_file: Path) -> None:
        self._cognito, self._groups_file = cognito, groups_file
        self.all = cognito.add_users(self._groups())

    def add_missing(self) -> list[DemoUser]:
        known = {user.group for user in self.all}
        added = self._cognito.add_users(
            [group for group in self._groups() if group not in known], newcomer=False
        )
        self.all += added
        return added

    def _groups(self) -> list[str]:
        return [group.name for group in load_groups(self._groups_file)]


def _serve(address: str, settings: Settings, users: Users) -> NoReturn:
    files = [PROJECT_FOLDER / name for name in ("app", "cognises", "wsgi.py", ".env", ".flaskenv")]
    watch = Watch([*files, settings.groups_file])
    service = _start(address)
    told = False
    try:
        while True:
            time.sleep(_INTERVAL)
            changed = watch.changed()
            if not changed:
                told = told or _tell_if_ended(service)
                continue
            told = False
            names = ", ".join(sorted(_short(path) for path in changed))
            print(f"\nchanged: {names}", flush=True)
            if settings.groups_file in changed:
                _apply(users)
            _stop(service)
            service = _start(address)
    finally:
        _stop(service)


def _tell_if_ended(service: subprocess.Popen[bytes]) -> bool:
    if service.poll() is None:
        return False
    print("The service has ended; it starts again when a file has changed.", file=sys.stderr)
    return True


def _apply(users: Users) -> None:
    """Bring an edited manifest to the pool; a broken one is told, and changes nothing there."""
    try:
        print(apply_manifest())
        for user in users.add_missing():
            print(f"new user: {_line(user)}")
    except (NotApplied, CognisesError) as error:
        print(error, file=sys.stderr)
    sys.stdout.flush()


def _start(address: str) -> subprocess.Popen[bytes]:
    """The service, out of the terminal's reach: Ctrl-C comes to this process alone."""
    port = address.rpartition(":")[2]
    return subprocess.Popen(
        [sys.executable, "-m", "local_aws.serve", port],
        stdin=subprocess.PIPE,
        cwd=PROJECT_FOLDER,
        start_new_session=True,
    )


def _stop(service: subprocess.Popen[bytes]) -> None:
    service.terminate()
    try:
        service.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
    if service.stdin:
        service.stdin.close()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _short(path: Path) -> str:
    return str(path.relative_to(PROJECT_FOLDER) if path.is_relative_to(PROJECT_FOLDER) else path)


def _greeting(address: str, users: Iterable[DemoUser]) -> str:
    lines = [_line(user) for user in users]
    return "\n".join(
        [
            f"\nOpen {address} and sign in as one of:\n",
            *(f"  {line}" for line in lines),
            "\nFrom a program, with a token of a group's user:\n",
            f'  curl -H "Authorization: Bearer $({_python()} -m local_aws token GROUP)" '
            f"{address}/protected",
            "\nFiles that change are picked up, groups.json too. Ctrl-C stops everything.\n",
        ]
    )


def _line(user: DemoUser) -> str:
    return f"{user.name:32} {user.group or 'in no group'}"


def _python() -> str:
    """How to call this Python from the project's folder."""
    path = Path(sys.executable)
    return (
        str(path.relative_to(PROJECT_FOLDER)) if path.is_relative_to(PROJECT_FOLDER) else "python"
    )
