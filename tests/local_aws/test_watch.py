"""Changes of files are seen once each; Python's caches are not."""

from __future__ import annotations

import os
from pathlib import Path

from local_aws.dev import Watch


def test_written_made_and_removed_files_are_seen_once(tmp_path: Path):
    folder = tmp_path / "app"
    folder.mkdir()
    kept, gone = folder / "kept.py", folder / "gone.html"
    for file in (kept, gone):
        file.write_text("1")
    alone = tmp_path / "groups.json"
    watch = Watch([folder, alone])

    assert watch.changed() == set()

    kept.write_text("1")
    os.utime(kept, ns=(1, 1))
    gone.unlink()
    alone.write_text("[]")

    assert watch.changed() == {kept, gone, alone}
    assert watch.changed() == set()


def test_what_python_and_editors_write_by_themselves_is_no_change(tmp_path: Path):
    watch = Watch([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    for name in ("__pycache__/a.pyc", ".pages.py.swp", "pages.py~", ".#pages.py"):
        (tmp_path / name).write_text("")

    assert watch.changed() == set()
