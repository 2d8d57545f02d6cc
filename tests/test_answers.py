"""Answers, good and hostile, through cookiecutter's command line."""

import importlib.util
from pathlib import Path

import pytest
from baking import ROOT
from dotenv import dotenv_values

PRE_GEN = ROOT / "hooks" / "pre_gen_project.py"
LONG = "a" * 300

HOSTILE = {
    "project_name": [
        "",
        "   ",
        "two\nlines",
        "a\ttab",
        "a\x00nul",
        "\x1b[31mred",
        "\u202eright to left",
        "a" * 61,
        "${HOME}",
        "lone \ud800 surrogate",
        None,
        7,
        ["list"],
    ],
    "project_slug": [
        "../../evil",
        "a/b/c",
        "x/../../y",
        "/etc/cognises",
        "-leading",
        "trailing-",
        "9lives",
        "ab",
        "a" * 33,
        "Upper-Case",
        "under_score",
        "with space",
        "dot.ted",
        "quote'",
        'quote"""',
        "back\\slash",
        "new\nline",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "$(touch evil)",
        "ünïcode",
        "con",
        "com1",
        "nul",
    ],
    "aws_region": [
        "",
        "us-east",
        "US-EAST-1",
        "us_east_1",
        "us-east-1 ",
        "us-east-1\n",
        LONG,
        "../..",
    ],
    "user_pool_id": [
        "us-east-1",
        "us-east-1_",
        "us-east-1_abc def",
        "us-east-1_abc\n",
        "us-east-1_ab-c",
        "eu-west-1_AbCdEfGhI",
        "us-east-1_" + LONG,
        "_abc",
        '"""',
    ],
    "deployment": ["", "Container", "kubernetes", ["container"], None],
}
# One bake tries one bad answer to each question; the shorter lists leave theirs good at the end.
ROWS = [
    {key: answers[row] for key, answers in HOSTILE.items() if row < len(answers)}
    for row in range(max(map(len, HOSTILE.values())))
]

# cookiecutter itself stops at these, before any hook: in its own words, but as harmlessly.
STOPPED_BY_COOKIECUTTER = ["", "..", ".", LONG, "nul\x00byte"]

SURVIVORS = [
    "Plain",
    'It\'s "quoted" and \\escaped\\',
    '"""',
    "Café Größe 日本語 🦊",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "<b>bold</b> & *stars* _lines_ `ticks` [link](x) #hash | pipe",
    "$HOME $(touch evil) `touch evil`",
    "name = 'x' # not a comment",
    "x" * 60,
]

SLUGS = [
    ("Cognises Service", "cognises-service"),
    ("  Grüße & Co.  ", "grusse-co"),
    ("3D Printing", "d-printing"),
    ("???", "cognises-service"),
    ("X", "cognises-service"),
    ("An Exceedingly Long Name That Goes On", "an-exceedingly-long-name-that-go"),
    ("abcdefghijklmnopqrstuvwxyzabcde fgh", "abcdefghijklmnopqrstuvwxyzabcde"),
]


@pytest.mark.parametrize("answers", ROWS, ids=lambda answers: ascii(answers["project_slug"]))
def test_bad_answers_are_named_and_leave_nothing_on_disk(replay, answers):
    result = replay(**answers)
    assert result.code == 1
    named = [line.split(":")[0].strip() for line in result.output.splitlines() if ": needs" in line]
    assert named == list(answers)
    assert_nothing_was_made(result.folder)


@pytest.mark.parametrize("slug", STOPPED_BY_COOKIECUTTER, ids=ascii)
def test_what_cookiecutter_stops_leaves_nothing_either(replay, slug):
    result = replay(project_slug=slug)
    assert result.code == 1
    assert_nothing_was_made(result.folder)


def assert_nothing_was_made(folder):
    assert list(folder.iterdir()) == []
    for above in (folder, *folder.parents[:3], Path("/etc")):
        assert not any((above / name).exists() for name in ("evil", "x", "y", "cognises"))


def test_a_slug_that_climbs_out_of_the_folder_is_refused_on_the_command_line_too(bake):
    result = bake(project_slug="../../evil")
    assert result.code == 1
    assert "project_slug: needs" in result.output
    assert_nothing_was_made(result.folder)


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
def test_an_odd_name_arrives_in_the_settings_as_it_was_typed(replay, name):
    result = replay(project_name=name)
    assert result.code == 0, result.output
    for interpolate in (True, False):  # flask's command line, and the app
        settings = dotenv_values(result.project / ".flaskenv", interpolate=interpolate)
        assert settings["PROJECT_NAME"] == name
    assert not (result.folder / "evil").exists()


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
