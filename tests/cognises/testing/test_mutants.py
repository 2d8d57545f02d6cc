"""The processes of `flask cognises mutate`; what it finds is in tests/template/test_mutation.py."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask
from request_side import manifest

from cognises import Cognises, login_check, permission_required, protect
from cognises.testing import isolated, mutate


def ended(code: int) -> int:
    """The id of a child process that ends at once."""
    if (pid := os.fork()) == 0:
        os._exit(code)
    return pid


def test_a_process_that_the_app_started_may_end_at_any_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended(0)  # the app's
    codes = iter((1, 0, 1))
    monkeypatch.setattr(mutate, "start", lambda *_: ended(next(codes)))
    mutants = [mutate.Mutant(name, "", "", ()) for name in ("found", "not found", "found too")]

    assert mutate.survivors(mutants, "tests", tmp_path, 60, Counter()) == (3, [mutants[1]])


def test_progress_is_printed_of_several_runs_and_not_of_the_one_without_a_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = itertools.count(0, 10)
    monkeypatch.setattr(mutate.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(mutate, "start", lambda *_: ended(1))
    mutants = [mutate.Mutant(name, "", "", ()) for name in ("one", "two")]

    for number in (1, 2):
        mutate.survivors(mutants[:number], "tests", tmp_path, float("inf"), Counter())
        assert ("tested so far, 0 survived\n" in capsys.readouterr().err) == (number == 2)


@pytest.mark.parametrize("in_a_group", [True, False], ids=["running", "just forked"])
def test_tests_that_take_too_long_end_with_what_they_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_a_group: bool
) -> None:
    reader, writer = os.pipe()

    def start(*_: object) -> int:
        if (pid := os.fork()) == 0:
            if in_a_group:
                os.setsid()
                os.fork()  # both hold the pipe open
            os.write(writer, b".")
            signal.pause()
        for _ in range(1 + in_a_group):  # until each of them waits
            os.read(reader, 1)
        return pid

    monkeypatch.setattr(mutate, "start", start)

    mutants = [mutate.Mutant("", "", "", ())]
    assert mutate.survivors(mutants, "tests", tmp_path, 0, Counter()) == (1, [])
    os.close(writer)
    assert os.read(reader, 1) == b""  # after the last process that could write has ended
    os.close(reader)


def test_a_route_for_another_pool_is_changed_to_the_apps_own(tmp_path: Path) -> None:
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(isolated(COGNITO_USER_POOL_ID="us-east-1_Own", COGNITO_CLIENT_ID="own"))
    guard = login_check("eu-west-1", "eu-west-1_Partner1", client_ids=["partner"])
    app.add_url_rule("/partner", "partner", guard(lambda response: "partner"))
    Cognises(app)

    assert [each.change for each in mutate.mutants(app, tmp_path)] == [
        "guards replaced by @public",
        "guards removed",
        "login_check removed",
        "login_check with optional=True",
        "login_check with the app's own client in client_ids",
        "login_check with the app's own pool",
        "every kind of token accepted",
    ]


def test_each_rule_of_an_endpoint_is_changed_also_in_a_module_named_like_ours(
    tmp_path: Path,
) -> None:
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(isolated(COGNITO_USER_POOL_ID="us-east-1_Own", COGNITO_CLIENT_ID="own"))

    def view(response: object) -> str:
        return ""

    view.__module__ = "user_admin_pages"
    guarded = login_check(token_use="access")(view)
    for rule in ("/a/two", "/lock/two"):
        app.add_url_rule(rule, "two", guarded)
    protect(app, login_check(token_use="access", scopes="s/admin"), paths=["/lock"])
    Cognises(app)

    found = [each for each in mutate.mutants(app, tmp_path) if "s/admin not in" in each.change]
    assert [each.place.rpartition(" ")[2] for each in found] == ["/lock/two"]


def test_a_group_is_given_each_permission_of_stacked_guards(tmp_path: Path) -> None:
    groups = manifest(editors=["first"], viewers=[])
    (tmp_path / "groups.json").write_text(json.dumps(groups))
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(isolated(COGNITO_USER_POOL_ID="us-east-1_Own", COGNITO_CLIENT_ID="own"))
    guard = permission_required(name="first"), permission_required(name="second")
    app.add_url_rule("/page", "page", guard[0](guard[1](lambda response: "page")))
    Cognises(app)

    changes = {f"{each.place}: {each.change}" for each in mutate.mutants(app, tmp_path)}
    assert "groups.json editors: 'second' added to allowed_functions" in changes


def test_a_route_that_is_made_public_reads_no_token(tmp_path: Path) -> None:
    app = Flask("service", root_path=str(tmp_path), static_folder=None)
    app.config.update(isolated(COGNITO_USER_POOL_ID="us-east-1_Own", COGNITO_CLIENT_ID="own"))
    app.add_url_rule("/page", "page", login_check(lambda response: "page"))
    Cognises(app)

    mutant = next(mutate.mutants(app, tmp_path))
    for headers in ({}, {"Authorization": "Bearer bad"}):
        with mutant.made():
            assert app.test_client().get("/page", headers=headers).status_code == 200
        assert app.test_client().get("/page", headers=headers).status_code == 401
