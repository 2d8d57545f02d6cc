"""The files of the service that have changed since the last look."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class Watch:
    """Looks at files and, below folders, at everything but Python's caches."""

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
    """What Python, and editors while they write, leave in a folder."""
    inside = file.relative_to(top).parts
    return any(part == "__pycache__" or part.startswith(".") for part in inside) or (
        file.name.endswith(("~", ".swp", ".tmp"))
    )
