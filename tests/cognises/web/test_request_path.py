"""What a request with a repeated token passes through: few files, few calls, few names."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

import pytest
from flask import Flask
from request_side import manifest

import cognises
from app import create_app
from cognises import load_groups, login_check, permission_required
from cognises.settings.sources import PROJECT_FOLDER

MODULE = str(Path(cognises.__file__).parent)


class Trace:
    """The functions of `cognises` that were called while it was the profiler, and how deep."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.files: set[str] = set()
        self.depth = self.deepest = 0

    def __call__(self, frame, event, argument) -> None:
        file = frame.f_code.co_filename
        if not file.startswith(MODULE) or event not in ("call", "return"):
            return
        self.depth += 1 if event == "call" else -1
        if event == "call":
            self.deepest = max(self.deepest, self.depth)
            self.files.add(file)
            self.calls.append(f"{Path(file).name}: {frame.f_code.co_name}")


def assert_short(app: Flask, path: str, headers: dict[str, str], **where: str) -> None:
    client = app.test_client()
    for _ in range(2):
        assert client.get(path, headers=headers, **where).status_code == 200
    gc.collect()  # hooks of blueprints that other tests have left
    trace = Trace()
    sys.setprofile(trace)
    try:
        client.get(path, headers=headers, **where)
    finally:
        sys.setprofile(None)
    # Connected by guards on classes, which other tests have left.
    calls = [call for call in trace.calls if not call.endswith(" _refuse_unhandled_method")]
    assert len(trace.files) <= 10, sorted(trace.files)
    assert 15 < len(calls) <= 27, calls
    assert trace.deepest <= 7


@pytest.mark.parametrize("extension", [True, False], ids=["extension", "decorators"])
def test_a_repeated_token_passes_few_files_and_few_calls(extension, make_app, cognito):
    def views(app: Flask) -> None:
        @app.get("/thing")
        @login_check
        @permission_required
        def thing(response):
            return {"user": response["user_email"], "groups": response["user_group"]}

    app = make_app(views, manifest(editors=["thing"]), extension=extension)

    assert_short(app, "/thing", cognito.bearer(["editors"]))


def test_in_the_generated_service_with_sign_in_limits_and_logs_it_passes_no_more(cognito):
    own = "https://service.example.org"
    app = create_app({"TESTING": True, "COGNITO_DOMAIN": "https://sign-in.example.org",
                      "COGNISES_PUBLIC_URL": own})  # fmt: skip
    cognito.attach(app)
    group = load_groups(PROJECT_FOLDER / "groups.json")[-1].name

    assert_short(app, "/protected", cognito.bearer([group]), base_url=own)


def test_the_architecture_page_lists_the_types_of_a_request_and_all_of_them_exist():
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
    section = page.partition("## One request")[2].partition("\n## ")[0]
    names = re.findall(r"^\| `(\w+)` \|", section, re.M)
    sources = [path.read_text() for path in Path(MODULE).rglob("*.py")]
    classes = {name for text in sources for name in re.findall(r"^class (\w+)", text, re.M)}

    assert 10 < len(names) <= 18
    assert set(names) <= classes
