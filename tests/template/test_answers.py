"""Good answers, the odd ones included, and where a project may be made."""

import importlib.util

import pytest
from baking import ROOT, assert_nothing_was_made, unparsable
from dotenv import dotenv_values
from hostile import SURVIVORS, is_template

PRE_GEN = ROOT / "hooks" / "pre_gen_project.py"
SLUGS = [
    ("Cognises Service", "cognises-service"),
    ("  Grüße & Co.  ", "grusse-co"),
    ("3D Printing", "d-printing"),
    ("???", "cognises-service"),
    ("X", "cognises-service"),
    ("An Exceedingly Long Name That Goes On", "an-exceedingly-long-name-that-go"),
    ("abcdefghijklmnopqrstuvwxyzabcde fgh", "abcdefghijklmnopqrstuvwxyzabcde"),
]


def test_a_misspelt_verify_setting_is_refused(bake):
    result = bake(env={"COGNISES_VERIFY": "requrie"})
    assert result.code == 1
    assert "COGNISES_VERIFY: needs one of auto, skip, require" in result.output
    assert_nothing_was_made(result.folder)


@pytest.mark.parametrize("option", ["--overwrite-if-exists", "--skip-if-file-exists"])
def test_a_folder_that_holds_files_is_left_alone(bake, tmp_path, option):
    mine = tmp_path / "cognises-service" / "README.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = bake(option, "--overwrite-if-exists", folder=tmp_path)
    assert result.code == 1
    assert "already holds files" in result.output
    assert [path.read_text() for path in mine.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", SURVIVORS)
def test_an_odd_name_makes_a_valid_project_that_shows_it_as_it_was_typed(replay, name):
    assert_valid(replay(project_name=name), name)


@pytest.mark.parametrize("name", [name for name in SURVIVORS if not is_template(name)])
def test_an_odd_name_survives_the_command_line_and_a_users_config(bake, configured, name):
    """Both are rendered by cookiecutter first: template syntax would be gone."""
    for way in (bake, configured):
        assert_valid(way(project_name=name, project_slug="a-service"), name)


def assert_valid(result, name):
    assert result.code == 0, result.output
    assert [path.name for path in result.folder.iterdir()] == ["a-service"]
    for interpolate in (True, False):  # flask's command line, and the app
        settings = dotenv_values(result.project / ".flaskenv", interpolate=interpolate)
        assert settings["PROJECT_NAME"] == name
    assert unparsable(result.project) == {}


@pytest.mark.parametrize(("name", "slug"), SLUGS)
def test_the_slug_follows_from_the_name(bake, name, slug):
    result = bake("--accept-hooks", "no", project_name=name)
    assert result.code == 0, result.output
    assert result.project.name == slug


REGIONS = [
    "eu-west-1",
    "us-gov-west-1",
    "cn-north-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
    "ap-southeast-7",
    "mx-central-1",
]


@pytest.mark.parametrize("region", REGIONS)
def test_every_kind_of_region_is_accepted_with_its_pools(region):
    spec = importlib.util.spec_from_file_location("pre_gen_project", PRE_GEN)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    answers = {"project_name": "A", "project_slug": "abc", "deployment": "none"}
    answers |= {"aws_region": region, "user_pool_id": f"{region}_AbC123"}
    assert list(hook.bad_answers(answers)) == []
