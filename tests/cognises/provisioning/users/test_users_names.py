"""Names given to `users …`: wrong ones are one line; where an e-mail is one, either will do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from accounts import Account, Ran
from staff import ADA, failing, people

from cognises.provisioning.users.directory import Directory, UserProblem
from cognises.users import User, is_phone

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
    ["resend", "adda"],
    ["reset-mfa", "adda"],
    ["set-attributes", "adda", "email_verified=true"],
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
    "editor": "groups.json does not have it either; did you mean editors?",
    "planned": "groups.json has it; create it with `provision.py apply`",
    "zzz": "groups.json does not have it either; there are: admins, by-hand, editors",
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
    assert (ran.code, ran.err.endswith("; there are: none\n")) == (1, True)


def test_both_names_wrong_are_reported_together(run: Run, staff: Account) -> None:
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
        (["bob"], "people sign in by email here, and 'bob' is not one"),
        (["bob@example.org", "--email", "else@example.org"], "NAME is the email, omit --email"),
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
    twins = [User.of({"Username": name}) for name in ("one", "two")]
    monkeypatch.setattr(Directory, "having", lambda self, *_: twins)
    monkeypatch.setattr("cognises.provisioning.users.directory.on_loopback", lambda client: True)
    ran = run("users", "delete", "nobody@example.org", "--yes")
    assert (ran.code, "use a name: one, two" in ran.err) == (1, True)


def test_an_alias_that_anybody_may_give_themselves_names_nobody(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdminGetUser answers to aliases, too."""
    mallory = {"Username": "mallory", "UserAttributes": [{"Name": "sub", "Value": "0-1"}]}
    client = SimpleNamespace(admin_get_user=lambda **_: mallory)
    directory = Directory(client, {"Id": "us-east-1_Pool"}, None)  # type: ignore[arg-type]

    with pytest.raises(UserProblem, match="use mallory"):
        directory.find("boss")
    for name in ("mallory", "Mallory", "0-1"):
        assert directory.user(name).name == "mallory"


def test_an_unverified_email_finds_no_user(run: Run, staff: Account) -> None:
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
    assert "`provision.py policy --users` prints" in ran.err
    assert "\x1b" not in ran.err


def test_another_pool_is_reported_as_everywhere(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Nowhere")
    ran = run("users", "list")
    assert (ran.code, "check COGNITO_USER_POOL_ID" in ran.err) == (1, True)


def test_what_is_not_cognito_is_reported_as_such(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.cognitoidp.models.CognitoIdpUserPool.to_json", lambda *_, **__: {})
    ran = run("users", "list")
    assert (ran.code, "what answered is not AWS" in ran.err) == (1, True)


# People who sign in by phone, and aliases


@pytest.fixture
def phones(
    account: Account, manifest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Account:
    manifest()
    made = account.cognito.create_user_pool(PoolName="p", UsernameAttributes=["phone_number"])
    pool_id = made["UserPool"]["Id"]
    monkeypatch.setenv("COGNITO_USER_POOL_ID", pool_id)
    account.cognito.admin_create_user(UserPoolId=pool_id, Username="+15550100")
    return Account(account.iam, account.cognito, pool_id)


def test_the_phone_number_is_the_name_where_people_sign_in_by_it(
    run: Run, phones: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run("users", "disable", "+15550100")
    assert (ran.code, "(+15550100)" in ran.out) == (0, True)
    (uuid,) = people(phones)
    assert people(phones)[uuid]["enabled"] is False
    assert run("users", "enable", uuid).code == 0
    assert "exists already; nothing to do" in run("users", "create", "+15550100").out
    assert "Cognito sends +15550101 an invitation" in run("users", "create", "+15550101").out
    for wrong in ("5550102", "bob", "bob@example.org"):
        ran = run("users", "create", wrong)
        assert (ran.code, "people sign in by phone number here" in ran.err) == (1, True)
    monkeypatch.setattr(
        "moto.cognitoidp.models.CognitoIdpUserPool._get_user",
        lambda self, name: self.users.get(name),
    )
    monkeypatch.setattr("cognises.provisioning.users.directory.on_loopback", lambda client: True)
    assert run("users", "disable", "+15550100").code == 0


@pytest.mark.parametrize("code", ["UsernameExistsException", "AliasExistsException"])
@pytest.mark.parametrize(
    ("argv", "alias"),
    [(["--email", ADA], f"email {ADA}"), (["--phone", "+15550100"], "phone_number +15550100")],
)
def test_a_contact_that_is_another_users_alias_is_named(
    run: Run,
    staff: Account,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    alias: str,
    code: str,
) -> None:
    """AdminCreateUser answers as if the name were taken."""
    staff.cognito.admin_update_user_attributes(
        UserPoolId=staff.pool_id,
        Username="ada",
        UserAttributes=[{"Name": "phone_number", "Value": "+15550100"}],
    )
    failing(monkeypatch, "AdminCreateUser", code, after=False)
    ran = run("users", "create", "bob", *argv)
    (line,) = [each for each in ran.err.splitlines() if each.startswith("error")]
    assert (ran.code, f"{alias} is an alias of user ada; use another one" in line) == (1, True)
    assert "set-attributes" in line


@pytest.mark.parametrize("text", ["+15550100", "+1"])
def test_a_phone_number_has_the_form_of_e164(text: str) -> None:
    assert is_phone(text) is (len(text) > 5)


def test_what_a_user_wrote_about_themselves_begins_no_line_of_ours(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "x@y\nerror: \x1b[2J\u202eblocked"
    user = User("ada", "CONFIRMED", True, {"email": hostile, "preferred_username": hostile})
    monkeypatch.setattr(Directory, "user", lambda self, name: user)
    monkeypatch.setattr(Directory, "all", lambda self: iter([user]))
    for argv in (["resend", "ada"], ["disable", "ada"], ["list"], ["reset-mfa", "ada"]):
        ran = run("users", *argv)
        lines = (ran.out + ran.err).splitlines()
        assert not [line for line in lines if line.startswith(("error: \\x1b", "error:  "))]
        assert not set(ran.out + ran.err) & {"\x1b", "\u202e"}
        assert sum("blocked" in line for line in lines) == 1, ran
