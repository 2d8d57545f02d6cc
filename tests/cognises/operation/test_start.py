"""The settings of an app are read and parsed once, and warnings are logged once."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from request_side import manifest

from cognises import (
    Cognises,
    ManifestError,
    load_groups,
    permission_required,
    public,
    read_settings,
    settings_of,
)
from cognises.operation import init_operations, operate
from cognises.settings import model
from cognises.signin import sign_in
from cognises.testing import FakePool
from cognises.web.extension import check

NAMES = {"PROJECT_NAME": "x"}


def started(folder: Path, **config: Any) -> Flask:
    """An app that starts as a generated one does, and answers a request."""
    own = read_settings(NAMES, folder)
    app = Flask("service", root_path=str(folder))
    app.config.update(own, TESTING=True, **config)
    app.get("/")(public(lambda: "home"))
    init_operations(app)
    sign_in(app)
    Cognises(app)
    check(app)
    assert app.test_client().get("/").status_code == 200
    return app


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "groups.json").write_text(json.dumps(manifest(editors=["update"])))
    (tmp_path / ".env").write_text("COGNITO_CLIENT_ID=client\nCOGNITO_CLIENT_IDS=typo\n")
    (tmp_path / ".flaskenv").write_text("COGNITO_USER_POOL_ID=us-east-1_Abc\nPROJECT_NAME=One\n")
    return tmp_path


def test_env_files_are_opened_once_and_settings_parsed_once(project: Path, monkeypatch):
    opened: list[str] = []
    parsed: list[object] = []
    really_open, really_parse = io.open, model.check

    def counting_open(file: Any, *args: Any, **options: Any) -> Any:
        if str(file).startswith(str(project)):
            opened.append(Path(file).name)
        return really_open(file, *args, **options)

    def counting_parse(*args: Any) -> Any:
        parsed.append(args)
        return really_parse(*args)

    monkeypatch.setattr("builtins.open", counting_open)
    monkeypatch.setattr("io.open", counting_open)
    monkeypatch.setattr(model, "check", counting_parse)

    app = started(project)

    assert sorted(opened) == [".env", ".flaskenv"]
    assert len(parsed) == 1
    assert settings_of(app) is settings_of(app)
    assert app.config["PROJECT_NAME"] == "One"


def test_an_env_file_that_has_changed_is_read_again(project: Path):
    started(project)
    (project / ".env").write_text("COGNITO_CLIENT_ID=another-length\n".replace("-", "_"))

    assert settings_of(started(project)).client_ids == {"another_length"}


def test_an_unknown_setting_is_logged_once(project: Path, caplog):
    caplog.set_level(logging.INFO)

    app = started(project)
    app.test_client().get("/")
    check(app)

    found = [r.getMessage() for r in caplog.records if r.name == "cognises.settings"]
    assert found == [
        "COGNITO_CLIENT_IDS: unknown setting, ignored; did you mean COGNITO_CLIENT_ID?"
    ]


def test_operate_is_the_old_name_of_init_operations():
    assert operate is init_operations


def test_a_policy_with_an_operator_that_the_checker_does_not_know_does_not_stop_the_service(
    project: Path,
):
    groups = manifest(editors=["update"])
    statement = groups[0]["group_policy"]["Statement"][0]
    new = {**statement, "Condition": {"StringEqualsNewOperator": {"aws:RequestedRegion": "x"}}}
    groups[0]["group_policy"] = {"Version": "2012-10-17", "Statement": [new]}
    (project / "groups.json").write_text(json.dumps(groups))
    app = Flask("service", root_path=str(project))
    app.config.update(TESTING=True)
    app.get("/update", endpoint="update")(permission_required(lambda: "done"))
    init_operations(app)
    Cognises(app)
    pool = FakePool().attach(app)

    check(app)

    assert app.test_client().get("/update", headers=pool.bearer(["editors"])).text == "done"
    with pytest.raises(ManifestError, match="unknown condition operator"):
        load_groups(project / "groups.json")
