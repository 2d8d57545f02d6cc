"""groups.json is checked whole, on a bare Python, and tells every problem with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from manifests import BAD, BAD_BEYOND_THE_SCHEMA, GOOD, GOOD_GROUP, changed, with_statement

from cognises.errors import ManifestError, Problem
from cognises.manifest import (
    Group,
    load_access,
    load_groups,
    parse_access,
    parse_groups,
)
from cognises.manifest.__main__ import main
from cognises.manifest.rules import check_groups
from cognises.settings.sources import PROJECT_FOLDER

PROJECT = PROJECT_FOLDER


def check_manifest(data: object, role_prefix: str | None = None) -> list[Problem]:
    return list(check_groups(data, role_prefix, warn=True))


def errors(data: object, role_prefix: str | None = None) -> list[str]:
    found = check_manifest(data, role_prefix)
    return [str(problem) for problem in found if problem.level == "error"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_manifest_has_no_error(name: str) -> None:
    assert errors(GOOD[name]) == []


@pytest.mark.parametrize("name", [*BAD, *BAD_BEYOND_THE_SCHEMA])
def test_a_bad_manifest_is_refused_with_a_place_and_a_remedy(name: str) -> None:
    data = (BAD | BAD_BEYOND_THE_SCHEMA)[name]
    found = errors(data)
    assert found
    assert all(line.startswith("error: ") for line in found)
    if isinstance(data, list):
        assert all(line.startswith("error: [") for line in found)


def test_every_problem_is_reported_at_once() -> None:
    data = [*changed(group_name="a b", precedence=-1), *with_statement(Effect="allow", Sid="?")]
    places = [line.split(": ")[1] for line in errors(data)]
    assert places == [
        "[0].group_name",
        "[0].precedence",
        "[1].group_policy.Statement[0].Effect",
        "[1].group_policy.Statement[0].Sid",
    ]


def test_parsing_gives_frozen_groups_with_precedence_from_the_order() -> None:
    first, second = parse_groups([GOOD_GROUP, *changed(group_name="b", precedence=9)])
    assert first == Group(
        "editors", ("view_data", "reports.monthly", "reports.*"), GOOD_GROUP["group_policy"]
    )
    assert (first.precedence, second.precedence) == (0, 9)
    assert len({first, second}) == 2


def test_a_bad_list_raises_with_all_its_problems() -> None:
    with pytest.raises(ManifestError) as raised:
        parse_groups([{"group_name": "a b"}, 7])
    assert len(raised.value.problems) == 3


def test_a_group_without_a_policy_has_none() -> None:
    (group,) = parse_groups(changed(group_policy=None, scopes=["orders/read"]))
    assert group.policy is None
    assert group.scopes == ("orders/read",)


UNCHECKED_BY_THE_SERVICE = {
    "an unknown condition operator": with_statement(
        Condition={"StringEqualsNewOperator": {"aws:RequestedRegion": "us-east-1"}}
    ),
    "an element of a later version": with_statement(Budget=7),
    "another version": changed(group_policy={"Version": "2030-01-01", "Statement": []}),
    "an unknown placeholder": with_statement(Resource="arn:aws:s3:::${AWS::StackName}/*"),
    "a policy that is a text": changed(group_policy="s3:*"),
    "a policy that is null": [GOOD_GROUP | {"group_policy": None}],
    "a policy over the limit": with_statement(Action=[f"s3:Get{i}" for i in range(1000)]),
    "a name too long for a role": changed(group_name="a" * 100),
    "names that differ by case": [*changed(), *changed(group_name="Editors")],
    "a precedence that is a text": changed(precedence="first"),
    "a description that is a number": changed(description=7),
}


@pytest.mark.parametrize("name", UNCHECKED_BY_THE_SERVICE)
def test_what_concerns_aws_alone_stops_provisioning_and_not_the_service(
    name: str, tmp_path: Path
) -> None:
    data = UNCHECKED_BY_THE_SERVICE[name]
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(data))

    groups = load_access(path)

    assert [group.name for group in groups] == [each["group_name"] for each in data]
    assert groups[0].allowed_functions == ("view_data", "reports.monthly", "reports.*")
    assert {group.policy for group in groups} == {None}
    with pytest.raises(ManifestError):
        load_groups(path)
    assert main([str(path)]) == 1


@pytest.mark.parametrize(
    "data",
    [
        None, {}, "groups", [7], [None], [{}],
        changed(functions=[]), changed(scopes="orders/read"), changed(scopes=["openid"]),
        changed(scopes=["orders/read", "orders/read"]), changed(scopes={"orders/read": 1}),
        changed(allowed_functions=None), changed(allowed_functions="*"),
        changed(allowed_functions=["rep*"]), changed(allowed_functions=[["*"]]),
        changed(group_name=None), changed(group_name=""), changed(group_name=7),
        changed(group_name="a b"), changed(group_name="a\x00"), changed(group_name="a" * 129),
        [*changed(), *changed()],
    ],
    ids=lambda data: str(data)[:60],
)  # fmt: skip
def test_the_service_refuses_names_functions_and_scopes_that_are_wrong(data: object) -> None:
    with pytest.raises(ManifestError):
        parse_access(data)


def test_only_warnings_do_not_raise() -> None:
    data = with_statement(Action="*", Resource="*")
    assert [problem.level for problem in check_manifest(data)] == ["warning"]
    assert len(parse_groups(data)) == 1


def test_a_name_that_only_a_role_cannot_have_is_refused_with_that_reason():
    assert errors(changed(group_name="rédacteurs")) == [
        "error: [0].group_name: 'rédacteurs': use only A-Z, a-z, digits and _+=,.@-, "
        "as in the name of an IAM role"
    ]
    assert errors(changed(group_name="rédacteurs", group_policy=None)) == []


@pytest.mark.parametrize(
    ("prefix", "longest"), [(None, 31), ("role_", 59), ("a" * 33, 31), ("", 64)]
)
def test_the_role_prefix_decides_how_long_a_name_may_be(prefix: str | None, longest: int) -> None:
    assert errors(changed(group_name="a" * longest), prefix) == []
    assert "shorten" in errors(changed(group_name="a" * (longest + 1)), prefix)[0]


def test_equal_precedence_is_a_warning() -> None:
    data = [*changed(precedence=1), *changed(group_name="b")]
    assert [str(problem).split(": ")[:2] for problem in check_manifest(data)] == [
        ["warning", "[0].precedence"],
        ["warning", "[1].precedence"],
    ]


def test_a_function_listed_twice_is_a_warning() -> None:
    (problem,) = check_manifest(changed(allowed_functions=["a", "a"]))
    assert str(problem).startswith("warning: [0].allowed_functions[1]: 'a' is listed twice")


BROKEN_FILES = {
    "empty": (b"", "line 1 column 1"),
    "a trailing comma": (b'[{"group_name": "a",}]', "line 1 column 2"),
    "a key twice": (b'[{"group_name": "a", "group_name": "b"}]', "'group_name' occurs twice"),
    "NaN": (b"[NaN]", "NaN is not a JSON value"),
    "not UTF-8": (b'["\xff"]', "not UTF-8"),
    "too deep": (b"[" * 100_000, "not JSON"),
    "deep, yet not too deep for the parser": (b"[" * 500 + b"]" * 500, "nested too deeply"),
    "a number of 5,000 digits": (b"[" + b"9" * 5000 + b"]", "error: "),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_is_no_json_is_one_clear_problem(name: str, tmp_path: Path) -> None:
    content, expected = BROKEN_FILES[name]
    path = tmp_path / "groups.json"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as raised:
        load_groups(path)
    assert expected in raised.value.problems[0]
    assert raised.value.problems[0].startswith("error: ")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps([GOOD_GROUP]), encoding="utf-8-sig")
    assert load_groups(path)[0].name == "editors"


def test_a_key_cannot_break_its_line_or_move_the_cursor() -> None:
    (line,) = errors(changed(**{"a\n\x1b[2Jerror: b\u202e": 1}))
    assert line.startswith("error: [0].a\\n\\x1b[2Jerror: b\\u202e: unknown key")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ManifestError, match=r"cannot read nowhere\.json: No such file"):
        load_groups("nowhere.json")


def test_the_projects_own_manifest_has_neither_errors_nor_warnings() -> None:
    data = json.loads((PROJECT / "groups.json").read_text())
    assert check_manifest(data) == []


def test_the_originals_readme_example_passes_with_warnings() -> None:
    statement = {
        "Sid": "Stmt1524591948858",
        "Action": "cognito-idp:*",
        "Effect": "Allow",
        "Resource": "arn:aws:cognito-idp:us-east-1:userid:userpool/pool_id",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    data = [
        {
            "group_name": name,
            "group_policy": document,
            "created": "false",
            "allowed_functions": ["public", "view_data"],
        }
        for name in ("Group1", "String")
    ]
    assert errors(data) == []
    assert "not an account id" in str(check_manifest(data)[0])


def bare_python(*argv: str) -> subprocess.CompletedProcess[str]:
    """The checker with no third-party package in reach."""
    command = [sys.executable, "-S", "-E", "-B", "-m", "cognises.manifest", *argv]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_the_checker_runs_on_a_bare_python() -> None:
    ran = bare_python("groups.json")
    assert (ran.returncode, ran.stdout) == (0, "groups.json: 3 groups, no errors\n")


def test_the_checker_exits_1_and_prints_one_problem_a_line(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(changed(group_name="a b", precedence=-1)))
    ran = bare_python(str(path))
    assert ran.returncode == 1
    assert [line.split(": ")[:2] for line in ran.stderr.splitlines()] == [
        ["error", "[0].group_name"],
        ["error", "[0].precedence"],
        [str(path), "2 errors"],
    ]


def test_the_checker_takes_the_prefix_as_an_option(tmp_path: Path) -> None:
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(changed(group_name="a" * 40)))
    assert main([str(path), "--role-prefix", "x-"]) == 0
    assert main([str(path), "--role-prefix", "x" * 33]) == 1
