"""`make dev`: the embedded Cognito keeps running, the service restarts when its files change."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from cognises.errors import CognisesError
from cognises.manifest import load_groups
from cognises.settings.model import parse
from cognises.settings.sources import PROJECT_FOLDER, read_values
from local_aws.address import forget_address, keep_address
from local_aws.cognito import DemoUser, LocalCognito
from local_aws.embedded import NotApplied, apply_manifest, embedded
from local_aws.service import HOST, listen

PORT = 5000
_INTERVAL = 0.4
_STOP_SECONDS = 5
_CODE = ("app", "cognises", "user_admin", "wsgi.py", ".env", ".flaskenv")


def run() -> int:
    """Serve until Ctrl-C, SIGTERM or a closed terminal, then stop everything.

    Raises CognisesError, NotApplied.
    """
    stopping = _stopping()
    listener = listen(PORT)
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    with embedded(public_url=address) as cognito:
        settings = parse(PROJECT_FOLDER, read_values(PROJECT_FOLDER))
        # Before groups.json is read: an edit while the service starts is a change, too.
        watch = Watch([*(PROJECT_FOLDER / name for name in _CODE), settings.groups_file])
        print(apply_manifest().splitlines()[-1])
        users = Users(cognito, settings.groups_file)
        kept = keep_address(cognito.client_id)
        service = Service(listener)
        try:
            print(_greeting(address, users.all), flush=True)
            for origin in settings.cors_origins:
                ids = f"authority={settings.domain}/{cognito.pool_id} client_id={cognito.client_id}"
                print(f"Single-page app at {origin}: {ids}", flush=True)
            _follow_changes(watch, service, users, settings.groups_file, stopping)
        finally:
            service.stop()
            forget_address(kept)
    print("\nStopped.")
    return 0


def _stopping() -> threading.Event:
    """Set by the signals that stop this process. Nothing is interrupted halfway."""
    stopping = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda *_: stopping.set())
    return stopping


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


class Service:
    """The process of the service, on a port that is open from the start."""

    def __init__(self, listener: socket.socket) -> None:
        self._port = int(listener.getsockname()[1])
        self._is_reported = False
        self._process = self._started(listener)

    def restart(self) -> None:
        """Raises OSError if another process has taken the port in between."""
        self.stop()
        self._is_reported = False
        self._process = self._started(listen(self._port, or_another=False))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def report_end(self) -> None:
        if self._process.poll() is not None and not self._is_reported:
            print("The service has ended; it starts again when a file changes.", file=sys.stderr)
            self._is_reported = True

    @staticmethod
    def _started(listener: socket.socket) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C reaches this process alone."""
        with listener:  # only the service holds it: connections fail as soon as that ends
            return subprocess.Popen(
                [sys.executable, "-m", "local_aws.service", str(listener.fileno())],
                stdin=subprocess.PIPE,
                cwd=PROJECT_FOLDER,
                start_new_session=True,
                pass_fds=[listener.fileno()],
            )


class Watch:
    """The files that have changed; below folders, all but Python's caches and editors' files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)
        self._seen = self._look()

    def changed(self) -> set[Path]:
        """Files written, made or removed since the last call."""
        before, self._seen = self._seen, self._look()
        both = before.keys() | self._seen.keys()
        return {path for path in both if before.get(path) != self._seen.get(path)}

    def _look(self) -> dict[Path, tuple[int, int]]:
        found: dict[Path, tuple[int, int]] = {}
        for path in self._paths:
            for file in path.rglob("*") if path.is_dir() else [path]:
                if _is_passing(file, path):
                    continue
                try:
                    status = file.stat()
                except OSError:  # gone while we looked, or not there yet
                    continue
                if not file.is_dir():
                    found[file] = (status.st_mtime_ns, status.st_size)
        return found


def _is_passing(file: Path, top: Path) -> bool:
    inside = file.relative_to(top).parts
    return any(part == "__pycache__" or part.startswith(".") for part in inside) or (
        file.name.endswith(("~", ".swp", ".tmp"))
    )


def _follow_changes(
    watch: Watch, service: Service, users: Users, groups_file: Path, stopping: threading.Event
) -> None:
    while not stopping.wait(_INTERVAL):
        changed = watch.changed()
        if not changed:
            service.report_end()
            continue
        print(f"\nchanged: {', '.join(sorted(map(_short, changed)))}", flush=True)
        is_applied = groups_file not in changed or _apply(users)
        if is_applied or changed != {groups_file}:
            service.restart()


def _apply(users: Users) -> bool:
    """Apply an edited manifest; a broken one is reported and changes nothing."""
    try:
        print(apply_manifest())
        for user in users.add_missing():
            print(f"new user: {_line(user)}")
    except (NotApplied, CognisesError) as error:
        print(error, file=sys.stderr)
        return False
    finally:
        sys.stdout.flush()
    return True


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
            f"{address}/ROUTE",
            "\nFiles that change are picked up, groups.json too. Ctrl-C stops everything.\n",
        ]
    )


def _line(user: DemoUser) -> str:
    return f"{user.name:32} {user.group or 'in no group'}"


def _python() -> str:
    """How to call this Python from the project's folder."""
    path = Path(sys.executable)
    is_own = path.is_relative_to(PROJECT_FOLDER)
    return str(path.relative_to(PROJECT_FOLDER)) if is_own else "python"
