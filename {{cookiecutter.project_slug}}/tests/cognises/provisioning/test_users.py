"""`provision.py users …` as it is typed: what it prints, exits with and changes in the pool."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran, group
from botocore.exceptions import ClientError

from cognises.provisioning.users import user_of
from cognises.provisioning.users_directory import Directory
from cognises.provisioning.users_text import users_table

Run = Callable[..., Ran]
Manifest = Callable[..., Path]
PASSWORD = "Tr0ub4dor&3x"
ADA = "ada@example.org"


@pytest.fixture
def pool(account: Account, manifest: Manifest) -> Account:
    """A pool of three groups, one of which groups.json does not name; ada is an editor."""
    manifest(group("admins"), group("editors"), group("planned"))
    for name in ("admins", "editors", "by-hand"):
        account.cognito.create_group(GroupName=name, UserPoolId=account.pool_id)
    account.cognito.admin_create_user(
        UserPoolId=account.pool_id,
        Username="ada",
        UserAttributes=[{"Name": "email", "Value": ADA}],
        TemporaryPassword=PASSWORD,
    )
    account.cognito.admin_add_user_to_group(
        UserPoolId=account.pool_id, Username="ada", GroupName="editors"
    )
    return account


@pytest.fixture
def by_email(account: Account, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A pool where people sign in by e-mail; Cognito's own name for ada is a UUID."""
    manifest(group("editors"))
    made = account.cognito.create_user_pool(PoolName="mail", UsernameAttributes=["email"])
    pool_id = made["UserPool"]["Id"]
    monkeypatch.setenv("COGNITO_USER_POOL_ID", pool_id)
    account.cognito.create_group(GroupName="editors", UserPoolId=pool_id)
    account.cognito.admin_create_user(UserPoolId=pool_id, Username=ADA)
    return Account(account.iam, account.cognito, pool_id)


def people(on: Account) -> dict[str, Any]:
    """Everybody in the pool, with their groups and password, as moto keeps them."""
    from moto.cognitoidp.models import cognitoidp_backends

    kept = cognitoidp_backends["123456789012"]["us-east-1"].user_pools[on.pool_id].users
    return {
        name: {
            "email": next((a["Value"] for a in user.attributes if a["Name"] == "email"), None),
            "enabled": user.enabled,
            "status": user.status.value if hasattr(user.status, "value") else user.status,
            "password": user.password,
            "groups": {each.group_name for each in user.groups},
        }
        for name, user in kept.items()
    }


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Standard input that is no terminal and holds this."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@dataclass
class Terminal:
    """Somebody types, and sees what goes to standard error."""

    monkeypatch: pytest.MonkeyPatch
    asked: list[str] = field(default_factory=list)

    def types(self, *texts: str) -> None:
        given = iter(texts)

        def answer(prompt: str = "") -> str:
            self.asked.append(prompt)
            return next(given)

        self.monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        for prompt in ("visible_prompt_func", "hidden_prompt_func"):
            self.monkeypatch.setattr(f"click.termui.{prompt}", answer)

    def sees(self) -> None:
        self.monkeypatch.setattr(
            "cognises.provisioning.users_secrets.sys.stderr.isatty", lambda: True, raising=False
        )


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


# Listing


def test_everybody_is_listed_as_a_table_and_as_json(run: Run, pool: Account) -> None:
    ran = run("users", "list")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "NAME  E-MAIL                        STATUS",
        "ada   ada@example.org (unverified)  FORCE_CHANGE_PASSWORD",
        "1 user",
    ]
    found = run("users", "list", "--json").json
    assert (found["count"], found["group"], found["user_pool_id"]) == (1, None, pool.pool_id)
    (ada,) = found["users"]
    assert ada.pop("created").startswith("20")
    assert ada == {
        "username": "ada",
        "email": ADA,
        "email_verified": False,
        "status": "FORCE_CHANGE_PASSWORD",
        "enabled": True,
    }


def test_the_members_of_one_group_are_listed(run: Run, pool: Account) -> None:
    assert run("users", "list", "--group", "editors").out.count("ada") == 2
    assert run("users", "list", "--group", "admins").out == "0 users\n"
    found = run("users", "list", "--group", "editors", "--with-groups", "--json").json
    assert [(each["username"], each["groups"]) for each in found["users"]] == [("ada", ["editors"])]


@pytest.fixture
def crowd(pool: Account) -> list[str]:
    """More than five hundred people; every tenth is an editor."""
    names = [f"user-{number:03}" for number in range(530)]
    for number, name in enumerate(names):
        who = {"UserPoolId": pool.pool_id, "Username": name}
        pool.cognito.admin_create_user(**who)
        if number % 10 == 0:
            pool.cognito.admin_add_user_to_group(**who, GroupName="editors")
    return names


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that goes to the pool, by operation."""
    seen: list[str] = []
    opened = Directory.open

    def tapped(target: Any) -> Directory:
        found = opened(target)
        found.cognito.meta.events.register(
            "before-send.cognito-identity-provider.*",
            lambda event_name, **_: seen.append(event_name.rpartition(".")[2]),
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)
    monkeypatch.setattr("cognises.provisioning.users_directory.Pace.wait", lambda self: None)
    return seen


def test_a_pool_of_five_hundred_is_paged_and_groups_cost_no_call_a_user(
    run: Run, pool: Account, crowd: list[str], asked: list[str]
) -> None:
    found = run("users", "list", "--json").json
    assert [each["username"] for each in found["users"]] == ["ada", *crowd]
    assert asked == ["ListUsers"] * 9
    asked.clear()
    editors = run("users", "list", "--group", "editors", "--json").json
    assert [each["username"] for each in editors["users"]] == ["ada", *crowd[::10]]
    assert asked == ["ListUsersInGroup"]
    asked.clear()
    with_groups = run("users", "list", "--with-groups", "--json").json["users"]
    assert len(with_groups) == 531
    assert [u["username"] for u in with_groups if u["groups"] == ["editors"]] == [
        "ada",
        *crowd[::10],
    ]
    assert len(asked) == 9 + 1 + 3
    assert "AdminListGroupsForUser" not in asked


def test_few_people_in_a_pool_of_many_groups_are_asked_one_by_one(
    run: Run, pool: Account, asked: list[str]
) -> None:
    for number in range(20):
        pool.cognito.create_group(GroupName=f"g{number}", UserPoolId=pool.pool_id)
    found = run("users", "list", "--with-groups", "--json").json["users"]
    assert [each["groups"] for each in found] == [["editors"]]
    assert asked == ["ListUsers", "ListGroups", "AdminListGroupsForUser"]


def test_a_name_cannot_move_the_cursor_or_turn_the_line_around() -> None:
    odd = user_of(
        {
            "Username": "a\x1b[2J\u202eb",
            "UserStatus": "CONFIRMED\n",
            "Attributes": [{"Name": "email", "Value": "x\x07@y"}],
        }
    )
    text = users_table([odd])
    assert not set(text) & {"\x1b", "\u202e", "\x07"}
    assert len(text.splitlines()) == 3


# Making


def test_a_user_with_an_email_is_invited_and_no_password_passes_us(run: Run, pool: Account) -> None:
    argv = ["users", "create", "bob", "--email", "bob@example.org", "--group", "admins"]
    ran = run(*argv)
    assert (ran.code, ran.err) == (0, "")
    assert "made user bob (bob@example.org), in group admins; Cognito invites" in ran.out
    assert people(pool)["bob"] | {"password": None} == {
        "email": "bob@example.org",
        "enabled": True,
        "status": "FORCE_CHANGE_PASSWORD",
        "password": None,
        "groups": {"admins"},
    }


def test_the_invitation_goes_by_email_and_a_given_password_by_no_message(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    opened = Directory.open

    def tapped(target: Any) -> Directory:
        found = opened(target)
        found.cognito.meta.events.register(
            "provide-client-params.cognito-identity-provider.AdminCreateUser",
            lambda params, **_: sent.append(dict(params)),
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)
    run("users", "create", "bob", "--email", "bob@example.org", "--email-verified")
    pipe(monkeypatch, PASSWORD)
    run("users", "create", "eve", "--password-stdin")
    invited, given = sent
    assert invited["DesiredDeliveryMediums"] == ["EMAIL"]
    assert {"Name": "email_verified", "Value": "true"} in invited["UserAttributes"]
    assert "MessageAction" not in invited
    assert "TemporaryPassword" not in invited
    assert (given["MessageAction"], given["TemporaryPassword"]) == ("SUPPRESS", PASSWORD)
    assert given["UserAttributes"] == []


def test_creating_twice_is_done_and_says_so(run: Run, pool: Account) -> None:
    argv = ["users", "create", "bob", "--email", "bob@example.org", "--group", "admins"]
    run(*argv)
    before = people(pool)
    ran = run(*argv)
    assert (ran.code, ran.out) == (0, "user bob (bob@example.org) exists already; nothing to do\n")
    assert people(pool) == before
    again = run(*argv, "--group", "editors", "--json").json
    assert (again["changed"], again["user"]["groups"]) == (True, ["admins", "editors"])
    assert people(pool)["bob"]["groups"] == {"admins", "editors"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--email", "other@example.org"], "with another e-mail"),
        (["--password-stdin"], "`provision.py users set-password`"),
    ],
)
def test_somebody_of_the_name_is_not_changed_behind_their_back(
    run: Run,
    pool: Account,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    expected: str,
) -> None:
    before = people(pool)
    pipe(monkeypatch, PASSWORD)
    ran = run("users", "create", "ada", "--group", "admins", *argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert expected in ran.err
    assert people(pool) == before


def test_a_user_without_an_email_is_asked_a_password_for(
    run: Run, pool: Account, terminal: Terminal
) -> None:
    assert run("users", "create", "bob").code == 1
    assert "bob" not in people(pool)
    terminal.types(PASSWORD, PASSWORD)
    ran = run("users", "create", "bob")
    assert ran.code == 0
    assert people(pool)["bob"]["password"] == PASSWORD
    assert PASSWORD not in ran.out + ran.err


def test_a_permanent_password_lets_the_user_in_at_once(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, PASSWORD + "\n")
    found = run("users", "create", "bob", "--password-stdin", "--permanent", "--json").json
    assert (found["password"], found["user"]["status"]) == ("permanent", "CONFIRMED")
    assert people(pool)["bob"]["status"] == "CONFIRMED"


NOT_MADE: dict[str, tuple[list[str], str]] = {
    "no such group": (["bob", "--email", "b@x.org", "--group", "admns"], "did you mean admins?"),
    "a group not applied": (["bob", "--email", "b@x.org", "--group", "planned"], "py apply`"),
    "an empty name": ([""], "the user name is empty"),
    "a space": (["b ob", "--email", "b@x.org"], "user name 'b ob' has a space"),
    "a control character": (["b\tob", "--email", "b@x.org"], "'b\\tob' has a space or a control"),
    "too long": (["b" * 129, "--email", "b@x.org"], "has 129 characters"),
    "an odd group": (["bob", "--email", "b@x.org", "--group", "a b"], "group 'a b' has a space"),
    "no address": (["bob", "--email", "bob"], "--email 'bob' is no e-mail address"),
    "two addresses": (["bob", "--email", "a@b,c@d"], "--email 'a@b,c@d' is no e-mail address"),
    "verified what": (["bob", "--email-verified"], "goes with --email"),
    "permanent what": (["bob", "--email", "b@x.org", "--permanent"], "goes with a password"),
}


@pytest.mark.parametrize("name", NOT_MADE)
def test_what_is_wrong_is_one_line_before_anybody_is_made(
    run: Run, pool: Account, name: str
) -> None:
    argv, expected = NOT_MADE[name]
    before = people(pool)
    ran = run("users", "create", *argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("error: ")
    assert expected in ran.err
    assert people(pool) == before


def test_every_wrong_group_is_told_at_once(run: Run, pool: Account) -> None:
    ran = run("users", "create", "bob", "--email", "b@x.org", "--group", "x", "--group", "y")
    assert (ran.code, ran.err.count("no group ")) == (1, 2)
    assert "there are: admins, by-hand, editors, planned" in ran.err


def failing(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, *, after: bool) -> None:
    """That operation fails: before it reached the pool, or its answer is lost and it is resent."""
    opened = Directory.open

    def fail(operation_name: str, arguments: Any, call: Any) -> Any:
        if operation_name != operation:
            return call(operation_name, arguments)
        if after:
            call(operation_name, arguments)
        raise ClientError({"Error": {"Code": code, "Message": "no\x1b[2J"}}, operation)

    def tapped(target: Any) -> Directory:
        found = opened(target)
        call = found.cognito._make_api_call
        monkeypatch.setattr(
            found.cognito, "_make_api_call", lambda name, args: fail(name, args, call)
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)


def test_a_lost_answer_to_create_is_told_from_somebody_elses_user(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminCreateUser", "UsernameExistsException", after=True)
    pipe(monkeypatch, PASSWORD)
    ran = run("users", "create", "bob", "--password-stdin", "--group", "admins")
    assert (ran.code, "made user bob, in group admins" in ran.out) == (0, True)
    assert people(pool)["bob"]["groups"] == {"admins"}
    assert people(pool)["bob"]["password"] == PASSWORD


def test_a_user_that_somebody_else_made_meanwhile_is_left_alone(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = people(pool)["ada"]
    monkeypatch.setattr(
        "cognises.provisioning.users_create.Directory.find",
        answers(None, user_of({"Username": "ada", "UserStatus": "CONFIRMED"})),
    )
    ran = run("users", "create", "ada", "--email", "other@example.org", "--group", "admins")
    assert (ran.code, "made by somebody else meanwhile" in ran.err) == (1, True)
    assert people(pool)["ada"] == before


def answers(*values: Any) -> Callable[..., Any]:
    given = iter(values)
    return lambda *_: next(given)


def test_a_half_made_user_is_told_with_what_is_left(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminAddUserToGroup", "AccessDeniedException", after=False)
    ran = run("users", "create", "bob", "--email", "b@x.org", "--group", "admins")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "user bob was made, and not all else: access denied; give whoever" in ran.err
    assert ran.err.endswith("left to do: users add-to-group bob admins\n")
    assert "\x1b" not in ran.err


# Passwords


def test_a_password_is_typed_twice_and_hidden(run: Run, pool: Account, terminal: Terminal) -> None:
    terminal.types(PASSWORD + "1", PASSWORD + "2", PASSWORD + "3", PASSWORD + "3")
    ran = run("users", "set-password", "ada")
    assert ran.code == 0
    assert people(pool)["ada"]["password"] == PASSWORD + "3"
    assert PASSWORD not in ran.out + ran.err
    assert "to be changed at the next sign-in" in ran.out


def test_a_password_is_read_from_standard_input(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, PASSWORD + "9\n")
    ran = run("users", "set-password", "ada", "--password-stdin", "--permanent", "--json")
    found = ran.json
    assert (found["password"], found["changed"]) == ("permanent", True)
    ada = people(pool)["ada"]
    assert (ada["password"], ada["status"]) == (PASSWORD + "9", "CONFIRMED")
    assert PASSWORD not in ran.out + ran.err


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_made_password_goes_to_a_file_and_not_to_the_output(
    run: Run, pool: Account, tmp_path: Path, json_too: list[str]
) -> None:
    file = tmp_path / "ada.txt"
    ran = run("users", "set-password", "ada", "--password-file", str(file), *json_too)
    made = file.read_text().strip()
    assert ran.code == 0
    assert people(pool)["ada"]["password"] == made
    assert len(made) == 20
    assert made not in ran.out + ran.err
    assert not json_too or ran.json["password_file"] == str(file)


def test_a_made_password_is_shown_once_on_a_terminal_and_never_in_the_json(
    run: Run, pool: Account, terminal: Terminal
) -> None:
    terminal.sees()
    ran = run("users", "set-password", "ada", "--password-generate", "--json")
    made = people(pool)["ada"]["password"]
    assert (ran.code, ran.err) == (0, f"password of ada, shown once: {made}\n")
    assert made not in ran.out
    assert ran.json["password"] == "temporary"


def test_off_a_terminal_a_made_password_needs_a_file(run: Run, pool: Account) -> None:
    before = people(pool)
    ran = run("users", "set-password", "ada", "--password-generate")
    assert (ran.code, "--password-file FILE" in ran.err) == (64, True)
    assert people(pool) == before


def test_a_password_that_the_pool_refuses_is_neither_kept_nor_quoted(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing(monkeypatch, "AdminSetUserPassword", "InvalidPasswordException", after=False)
    file = tmp_path / "ada.txt"
    ran = run("users", "set-password", "ada", "--password-file", str(file))
    assert (ran.code, "the pool does not take this password" in ran.err) == (1, True)
    assert not file.exists()
    pipe(monkeypatch, "hunter2\n")
    ran = run("users", "set-password", "ada", "--password-stdin")
    assert (ran.code, ran.err.count("\n")) == (1, 3)
    assert "hunter2" not in ran.err


SECRETS_AS_ARGUMENTS = [
    ["set-password", "ada", PASSWORD],
    ["set-password", "ada", f"--password={PASSWORD}"],
    ["set-password", "ada", "--password", PASSWORD],
    ["create", "bob", PASSWORD],
    ["add-to-group", "ada", "editors", PASSWORD],
]


@pytest.mark.parametrize("argv", SECRETS_AS_ARGUMENTS)
def test_a_password_among_the_arguments_is_bad_usage_and_not_repeated(
    run: Run, pool: Account, argv: list[str]
) -> None:
    before = people(pool)
    ran = run("users", *argv)
    assert (ran.code, ran.out) == (64, "")
    assert PASSWORD not in ran.err
    assert people(pool) == before


def test_a_user_of_an_identity_provider_gets_no_password(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.cognitoidp.models import cognitoidp_backends

    kept = cognitoidp_backends["123456789012"]["us-east-1"].user_pools[pool.pool_id].users
    kept["ada"].status = "EXTERNAL_PROVIDER"
    pipe(monkeypatch, PASSWORD + "9")
    ran = run("users", "set-password", "ada", "--password-stdin")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith("blocked: user ada signs in through an identity provider")
    assert people(pool)["ada"]["password"] == PASSWORD


# The other commands, each twice


TWICE: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "disable": (["disable", "ada"], {"enabled": False}, "disabled already; nothing to do"),
    "enable": (["enable", "ada"], {"enabled": True}, "enabled already; nothing to do"),
    "add": (
        ["add-to-group", "ada", "admins"],
        {"groups": {"admins", "editors"}},
        "in group admins already; nothing to do",
    ),
    "remove": (
        ["remove-from-group", "ada", "editors"],
        {"groups": set()},
        "not in group editors; nothing to do",
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_command_that_ran_twice_did_it_once_and_says_so(
    run: Run, pool: Account, name: str
) -> None:
    argv, expected, said = TWICE[name]
    if name == "enable":
        run("users", "disable", "ada")
    before = people(pool)["ada"]
    first = run("users", *argv, "--json").json
    assert (first["action"], first["changed"]) == (argv[0], True)
    assert people(pool)["ada"] == before | expected
    again = run("users", *argv)
    assert (again.code, again.err) == (0, "")
    assert said in again.out
    assert run("users", *argv, "--json").json["changed"] is False
    assert people(pool)["ada"] == before | expected


def test_signing_out_ends_the_renewal_of_tokens_and_says_what_it_does_not_end(
    run: Run, pool: Account
) -> None:
    client = pool.cognito.create_user_pool_client(
        UserPoolId=pool.pool_id,
        ClientName="c",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    pool.cognito.admin_set_user_password(
        UserPoolId=pool.pool_id, Username="ada", Password=PASSWORD, Permanent=True
    )
    renew = pool.cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["RefreshToken"]
    ran = run("users", "sign-out", "ada")
    assert (ran.code, "stay good until they expire" in ran.out) == (0, True)
    assert run("users", "sign-out", "ada").code == 0
    with pytest.raises(ClientError, match="NotAuthorized"):
        pool.cognito.initiate_auth(
            ClientId=client,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": renew},
        )


def test_a_group_that_the_manifest_does_not_know_is_warned_about(
    run: Run, pool: Account, manifest: Manifest
) -> None:
    ran = run("users", "add-to-group", "ada", "by-hand")
    assert ran.code == 0
    assert ran.err.startswith("warning: group by-hand is not in groups.json: no route is open")
    assert run("users", "add-to-group", "ada", "by-hand", "--json").json["warnings"]
    manifest({"group_name": 1})
    ran = run("users", "add-to-group", "ada", "admins")
    assert (ran.code, "groups.json cannot be used; see `provision.py validate`" in ran.err) == (
        0,
        True,
    )


def test_deleting_needs_yes_off_a_terminal(run: Run, pool: Account) -> None:
    ran = run("users", "delete", "ada")
    assert (ran.code, ran.err) == (1, "error: there is no terminal to ask on; add --yes\n")
    assert run("users", "delete", "ada", "--json").code == 64
    assert "ada" in people(pool)
    assert run("users", "delete", "ada", "--yes").code == 0
    assert people(pool) == {}


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, {"ada"}), ("y", 0, set())])
def test_deleting_on_a_terminal_asks(
    run: Run, pool: Account, terminal: Terminal, answer: str, code: int, left: set[str]
) -> None:
    terminal.types(answer)
    ran = run("users", "delete", "ada")
    assert (ran.code, set(people(pool))) == (code, left)
    assert terminal.asked == [f"Delete user ada ({ADA}) of {pool.pool_id}? [y/N]: "]


def test_a_lost_answer_to_delete_is_a_deletion(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminDeleteUser", "UserNotFoundException", after=True)
    assert run("users", "delete", "ada", "--yes", "--json").json["changed"] is True
    assert people(pool) == {}


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
    run: Run, pool: Account, argv: list[str], as_json: list[str]
) -> None:
    before = people(pool)
    ran = run("users", *argv, *as_json)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error: no user adda in user pool {pool.pool_id}; `provision.py users list` shows all\n"
    )
    assert people(pool) == before


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
    run: Run, pool: Account, argv: list[str], wrong: str
) -> None:
    before = people(pool)
    ran = run("users", *argv, wrong)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: no group {wrong} in user pool {pool.pool_id}: {GROUPS[wrong]}\n"
    assert people(pool) == before


def test_both_names_wrong_are_told_together(run: Run, pool: Account) -> None:
    ran = run("users", "add-to-group", "adda", "zzz")
    assert (ran.code, ran.err.count("\n")) == (1, 2)


@pytest.mark.parametrize("argv", [["list", "--group", "a b"], ["add-to-group", "ada", "a b"]])
def test_a_group_name_that_cannot_be_is_one_line(run: Run, pool: Account, argv: list[str]) -> None:
    ran = run("users", *argv)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "group 'a b' has a space" in ran.err


def test_a_wrong_name_cannot_move_the_cursor(run: Run, pool: Account) -> None:
    for argv in (["enable", "a\x1b[2J"], ["enable", "a\u202eb"], ["list", "--group", "a\u202eb"]):
        ran = run("users", *argv)
        assert ran.code == 1
        assert not set(ran.err) & {"\x1b", "\u202e"}


# People who sign in by e-mail


def test_the_email_is_the_name_and_either_name_will_do(run: Run, by_email: Account) -> None:
    (uuid,) = people(by_email)
    for name in (ADA, uuid):
        assert run("users", "disable", name, "--json").json["user"]["username"] == uuid
        assert run("users", "enable", name, "--json").json["user"]["email"] == ADA
        assert run("users", "add-to-group", name, "editors").code == 0
        assert run("users", "remove-from-group", name, "editors").code == 0
        assert run("users", "sign-out", name).code == 0
    assert run("users", "create", ADA).out == f"user {uuid} ({ADA}) exists already; nothing to do\n"
    assert run("users", "create", "bob@example.org", "--group", "editors").code == 0
    assert sorted(str(each["email"]) for each in people(by_email).values()) == [
        ADA,
        "bob@example.org",
    ]
    assert run("users", "delete", ADA, "--yes").code == 0
    assert [each["email"] for each in people(by_email).values()] == ["bob@example.org"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["bob"], "'bob' is no e-mail address"),
        (["bob@example.org", "--email", "else@example.org"], "NAME is the e-mail"),
    ],
)
def test_where_people_sign_in_by_email_the_name_is_one(
    run: Run, by_email: Account, argv: list[str], expected: str
) -> None:
    ran = run("users", "create", *argv)
    assert (ran.code, ran.err.count("\n"), expected in ran.err) == (1, 1, True)


def test_an_emulator_that_finds_nobody_by_email_is_helped(
    run: Run, by_email: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "moto.cognitoidp.models.CognitoIdpUserPool._get_user",
        lambda self, name: self.users.get(name),
    )
    assert run("users", "disable", ADA).code == 0
    assert run("users", "disable", 'x"@example.org').code == 1


def test_an_email_that_several_claim_names_nobody(
    run: Run, by_email: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = [user_of({"Username": name}) for name in ("one", "two")]
    monkeypatch.setattr(Directory, "_pages", lambda self, *_, **__: iter(twins))
    ran = run("users", "delete", "nobody@example.org", "--yes")
    assert (ran.code, "name one: one, two" in ran.err) == (1, True)


def test_an_email_that_anybody_could_claim_finds_nobody(run: Run, pool: Account) -> None:
    """In a pool of user names an e-mail is what its user says it is."""
    ran = run("users", "add-to-group", ADA, "admins")
    assert (ran.code, f"no user {ADA}" in ran.err) == (1, True)


# Around us


def test_what_aws_refuses_is_one_line_that_names_the_policy(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "ListUsers", "AccessDeniedException", after=False)
    ran = run("users", "list", "--json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "`provision.py policy` prints (with --users" in ran.err
    assert "\x1b" not in ran.err


def test_another_pool_is_told_as_everywhere(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COGNITO_USER_POOL_ID", "us-east-1_Nowhere")
    ran = run("users", "list")
    assert (ran.code, "check COGNITO_USER_POOL_ID" in ran.err) == (1, True)


def test_no_password_is_in_any_output_of_any_command(
    run: Run, pool: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything once, as text and as JSON; then the outputs are searched."""
    said = ""
    secrets = {PASSWORD}
    for extra in ([], ["--json"]):
        for index, argv in enumerate(
            [
                ["create", "bob", "--password-stdin", "--permanent"],
                ["create", "eve", "--password-file", str(tmp_path / f"1{len(extra)}")],
                ["list", "--with-groups"],
                ["set-password", "bob", "--password-stdin"],
                ["set-password", "bob", "--password-file", str(tmp_path / f"2{len(extra)}")],
                ["add-to-group", "bob", "editors"],
                ["disable", "bob"],
                ["enable", "bob"],
                ["sign-out", "bob"],
                ["remove-from-group", "bob", "editors"],
                ["delete", "bob", "--yes"],
                ["delete", "eve", "--yes"],
            ]
        ):
            pipe(monkeypatch, PASSWORD)
            ran = run("users", *argv, *extra)
            assert ran.code == 0, (index, ran)
            assert not extra or json.loads(ran.out)
            said += ran.out + ran.err
    secrets |= {file.read_text().strip() for file in tmp_path.glob("[12]*")}
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in said]
