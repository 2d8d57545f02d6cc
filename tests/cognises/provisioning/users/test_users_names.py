"""Names given to `users …`: wrong ones are one line; where an e-mail is one, either will do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from accounts import Account, Ran
from staff import ADA, failing, people

from cognises.provisioning.users.directory import Directory
from cognises.provisioning.users.passwords import PasswordPolicy
from cognises.provisioning.users.person import Pool, UserProblem, user_of

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


# Wrong names

ON_A_USER = [
    ["delete", "adda", "--yes"],
    ["enable", "adda"],
    ["disable", "adda"],
    ["set-password", "adda", "--password-stdin"],
    ["add-to-group", "adda", "editors"],
    ["remove-from-group", "adda", "editors"],
    ["sign-out", "adda"],
]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("argv", ON_A_USER, ids=lambda argv: str(argv[0]))
def test_a_wrong_user_name_is_one_line_that_names_it(
    run: Run, staff: Account, argv: list[str], as_json: list[str]
) -> None:
    before = people(staff)
    ran = run("users", *argv, *as_json)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error: no user adda in user pool {staff.pool_id}; `provision.py users list` shows all\n"
    )
    assert people(staff) == before


ON_A_GROUP = [
    ["list", "--group"],
    ["add-to-group", "ada"],
    ["remove-from-group", "ada"],
]
GROUPS = {
    "editor": "groups.json does not know it either; did you mean editors?",
    "planned": "groups.json has it; make it with `provision.py apply`",
    "zzz": "groups.json does not know it either; there are: admins, by-hand, editors, planned",
}


@pytest.mark.parametrize("wrong", GROUPS)
@pytest.mark.parametrize("argv", ON_A_GROUP, ids=lambda argv: str(argv[0]))
def test_a_wrong_group_name_is_one_line_with_its_remedy(
    run: Run, staff: Account, argv: list[str], wrong: str
) -> None:
    before = people(staff)
    ran = run("users", *argv, wrong)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: no group {wrong} in user pool {staff.pool_id}: {GROUPS[wrong]}\n"
    assert people(staff) == before


def test_a_pool_without_groups_has_none_to_suggest(
    run: Run, account: Account, manifest: Callable[..., Path]
) -> None:
    manifest()
    ran = run("users", "list", "--group", "x")
    assert (ran.code, ran.err.endswith("; there is none yet\n")) == (1, True)


def test_both_names_wrong_are_told_together(run: Run, staff: Account) -> None:
    ran = run("users", "add-to-group", "adda", "zzz")
    assert (ran.code, ran.err.count("\n")) == (1, 2)


@pytest.mark.parametrize("argv", [["list", "--group", "a b"], ["add-to-group", "ada", "a b"]])
def test_a_group_name_that_cannot_be_is_one_line(run: Run, staff: Account, argv: list[str]) -> None:
    ran = run("users", *argv)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "group 'a b' has a space" in ran.err


def test_a_wrong_name_cannot_move_the_cursor(run: Run, staff: Account) -> None:
    for argv in (["enable", "a\x1b[2J"], ["enable", "a\u202eb"], ["list", "--group", "a\u202eb"]):
        ran = run("users", *argv)
        assert ran.code == 1
        assert not set(ran.err) & {"\x1b", "\u202e"}


# People who sign in by e-mail


def test_the_email_is_the_name_and_either_name_will_do(run: Run, staff_by_email: Account) -> None:
    (uuid,) = people(staff_by_email)
    for name in (ADA, uuid):
        assert run("users", "disable", name, "--json").json["user"]["username"] == uuid
        assert run("users", "enable", name, "--json").json["user"]["email"] == ADA
        assert run("users", "add-to-group", name, "editors").code == 0
        assert run("users", "remove-from-group", name, "editors").code == 0
        assert run("users", "sign-out", name).code == 0
    assert run("users", "create", ADA).out == f"user {uuid} ({ADA}) exists already; nothing to do\n"
    assert run("users", "create", "bob@example.org", "--group", "editors").code == 0
    assert sorted(str(each["email"]) for each in people(staff_by_email).values()) == [
        ADA,
        "bob@example.org",
    ]
    assert run("users", "delete", ADA, "--yes").code == 0
    assert [each["email"] for each in people(staff_by_email).values()] == ["bob@example.org"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["bob"], "'bob' is no e-mail address"),
        (["bob@example.org", "--email", "else@example.org"], "NAME is the e-mail"),
    ],
)
def test_where_people_sign_in_by_email_the_name_is_one(
    run: Run, staff_by_email: Account, argv: list[str], expected: str
) -> None:
    ran = run("users", "create", *argv)
    assert (ran.code, ran.err.count("\n"), expected in ran.err) == (1, 1, True)


def test_an_emulator_that_finds_nobody_by_email_is_helped(
    run: Run, staff_by_email: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "moto.cognitoidp.models.CognitoIdpUserPool._get_user",
        lambda self, name: self.users.get(name),
    )
    assert run("users", "disable", ADA).code == 1  # AWS would have found her itself
    monkeypatch.setattr("cognises.provisioning.users.directory.on_loopback", lambda client: True)
    assert run("users", "disable", ADA).code == 0
    assert run("users", "disable", 'x"@example.org').code == 1


def test_an_email_that_several_claim_names_nobody(
    run: Run, staff_by_email: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = [user_of({"Username": name}) for name in ("one", "two")]
    monkeypatch.setattr(Directory, "_pages", lambda self, *_, **__: iter(twins))
    monkeypatch.setattr("cognises.provisioning.users.directory.on_loopback", lambda client: True)
    ran = run("users", "delete", "nobody@example.org", "--yes")
    assert (ran.code, "name one: one, two" in ran.err) == (1, True)


def test_an_alias_that_anybody_may_give_themselves_names_nobody(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdminGetUser answers to aliases, too."""
    mallory = {"Username": "mallory", "UserAttributes": [{"Name": "sub", "Value": "0-1"}]}
    client = SimpleNamespace(admin_get_user=lambda **_: mallory)
    pool = Pool("us-east-1_Pool", False, False, PasswordPolicy())
    directory = Directory(client, pool, None)  # type: ignore[arg-type]

    with pytest.raises(UserProblem, match="name mallory"):
        directory.find("boss")
    for name in ("mallory", "Mallory", "0-1"):
        assert directory.user(name).name == "mallory"


def test_an_email_that_anybody_could_claim_finds_nobody(run: Run, staff: Account) -> None:
    """In a pool of user names an e-mail is what its user says it is."""
    ran = run("users", "add-to-group", ADA, "admins")
    assert (ran.code, f"no user {ADA}" in ran.err) == (1, True)


# Around us


def test_what_aws_refuses_is_one_line_that_names_the_policy(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "ListUsers", "AccessDeniedException", after=False)
    ran = run("users", "list", "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "`provision.py policy` prints (with --users" in ran.err
    assert "\x1b" not in ran.err


def test_another_pool_is_told_as_everywhere(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Nowhere")
    ran = run("users", "list")
    assert (ran.code, "check COGNITO_USER_POOL_ID" in ran.err) == (1, True)


def test_what_is_not_cognito_is_told_as_such(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.cognitoidp.models.CognitoIdpUserPool.to_json", lambda *_, **__: {})
    ran = run("users", "list")
    assert (ran.code, "what answered is not AWS" in ran.err) == (1, True)
