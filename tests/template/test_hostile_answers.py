"""Bad answers, however they come: each is named, nothing is made, nothing is run."""

import pytest
from baking import assert_nothing_was_made
from hostile import (
    LONG,
    ROWS,
    STOPPED_BY_COOKIECUTTER,
    is_text_for_a_command_line,
    is_text_for_a_file,
)


def row_name(answers):
    return ascii(answers["project_slug"])


@pytest.mark.parametrize("answers", ROWS, ids=row_name)
def test_bad_answers_of_a_replay_file_are_named_and_leave_nothing_on_disk(replay, answers):
    assert_refused(replay(**answers), answers)


@pytest.mark.parametrize("answers", ROWS, ids=row_name)
def test_bad_answers_on_the_command_line_are_named_and_leave_nothing_on_disk(bake, answers):
    """But for those that the system cannot pass on, and a bad deployment: see below."""
    given = {key: text for key, text in answers.items() if is_text_for_a_command_line(text)}
    given.pop("deployment", None)
    assert_refused(bake(**given), given)


@pytest.mark.parametrize("answers", ROWS, ids=row_name)
def test_bad_answers_of_a_users_config_are_named_and_leave_nothing_on_disk(configured, answers):
    """cookiecutter itself warns of a bad default for a choice, and goes on with a good one."""
    given = {key: text for key, text in answers.items() if is_text_for_a_file(text)}
    named = [key for key in given if key != "deployment"]
    result = configured(**given)
    assert_refused(result, named)
    assert ("Invalid default received" in result.output) == ("deployment" in given)


def assert_refused(result, keys):
    assert result.code == 1
    named = [line.split(":")[0].strip() for line in result.output.splitlines() if ": needs" in line]
    assert named == list(keys)
    assert_nothing_was_made(result.folder)


@pytest.mark.parametrize("slug", STOPPED_BY_COOKIECUTTER, ids=ascii)
def test_what_cookiecutter_stops_leaves_nothing_either(replay, slug):
    result = replay(project_slug=slug)
    assert result.code == 1
    assert_nothing_was_made(result.folder)


@pytest.mark.parametrize("deployment", ["", "Container", "../../x", '"""', LONG])
def test_a_deployment_that_is_none_is_stopped_by_cookiecutter_itself(bake, deployment):
    result = bake(deployment=deployment)
    assert result.code == 1
    assert "the choices are ['container', 'lambda', 'none']" in result.output
    assert_nothing_was_made(result.folder)


@pytest.mark.parametrize("slug", ["{% raw %}", "{{ nothing.here }}", "{{ 1 / 0 }}", "{%"])
def test_template_syntax_that_cookiecutter_cannot_render_leaves_nothing(bake, configured, slug):
    for way in (bake, configured):
        result = way(project_slug=slug)
        assert result.code == 1
        assert_nothing_was_made(result.folder)
