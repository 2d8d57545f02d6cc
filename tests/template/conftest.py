"""A clone of the template, and what is generated from it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from baking import ROOT, borrow_packages, cookiecutter, files_of_a_clone


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The template as a clone would hold it, with the changes not yet committed."""
    folder = tmp_path_factory.mktemp("clone") / "template"
    for name in files_of_a_clone():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """The caller's, but cookiecutter keeps its memory of answers out of the home folder."""
    config = tmp_path_factory.mktemp("cookiecutter") / "config.yaml"
    folders = {"replay_dir": "replay", "cookiecutters_dir": "templates"}
    config.write_text(json.dumps({key: str(config.parent / name) for key, name in folders.items()}))
    return {**os.environ, "COOKIECUTTER_CONFIG": str(config), "COGNISES_VERIFY": "skip"}


@pytest.fixture(scope="session")
def bake(template, environment, tmp_path_factory):
    """Bakes with the default answers, but for those given; the result's suite is not run."""

    def bake_with(*options, folder=None, env=None, **answers):
        given = [f"{key}={value}" for key, value in answers.items()]
        folder = folder or tmp_path_factory.mktemp("out") / "here"
        env = {**environment, **(env or {})}
        return cookiecutter(template, folder, "--no-input", *options, *given, env=env)

    return bake_with


@pytest.fixture(scope="session")
def replay(template, environment, tmp_path_factory):
    """Bakes with exactly these answers: a replay file is not rendered, so any text gets through."""
    defaults = {"project_name": "A", "project_slug": "a-service", "aws_region": "us-east-1"}
    defaults |= {"user_pool_id": "", "deployment": "none"}

    def replay_with(**answers):
        folder = tmp_path_factory.mktemp("out") / "here"
        file = tmp_path_factory.mktemp("replay") / "replay.json"
        copied = json.loads((template / "cookiecutter.json").read_text())["_copy_without_render"]
        context = {**defaults, **answers, "_copy_without_render": copied, "_new_lines": "\n"}
        file.write_text(json.dumps({"cookiecutter": context}))
        return cookiecutter(template, folder, "--replay-file", str(file), env=environment)

    return replay_with


@pytest.fixture(scope="session")
def configured(template, environment, tmp_path_factory):
    """Bakes with answers that a user's own cookiecutter configuration brings."""

    def bake_with(**answers):
        folder = tmp_path_factory.mktemp("out") / "here"
        config = tmp_path_factory.mktemp("user") / "config.yaml"
        usual = json.loads(Path(environment["COOKIECUTTER_CONFIG"]).read_text())
        text = json.dumps({**usual, "default_context": answers}, ensure_ascii=False)
        config.write_text("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text))
        env = {**environment, "COOKIECUTTER_CONFIG": str(config)}
        return cookiecutter(template, folder, "--no-input", env=env)

    return bake_with


class Bakes(dict):
    """Projects by deployment and pool id, each generated when a test first asks for it."""

    def __init__(self, bake):
        super().__init__()
        self.bake = bake

    def __missing__(self, answers):
        result = self.bake(**dict(zip(("deployment", "user_pool_id"), answers, strict=True)))
        assert result.code == 0, result.output
        self[answers] = result.project
        return result.project


@pytest.fixture(scope="session")
def bakes(bake):
    return Bakes(bake)


@pytest.fixture(scope="session")
def developed(bake):
    """A project of another region, with the packages that `make install` brings."""
    project = bake(aws_region="eu-central-1").project
    borrow_packages(project)
    return project
