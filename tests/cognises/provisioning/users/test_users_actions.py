"""`users delete`, `enable`, `disable`, groups, `sign-out`: done once, and twice is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Account, Ran
from botocore.exceptions import ClientError
from staff import ADA, PASSWORD, Terminal, failing, give_authenticator, people

from cognises.provisioning.users.directory import Directory
from cognises.users import User

Run = Callable[..., Ran]
Manifest = Callable[..., Path]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


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
    run: Run, staff: Account, name: str
) -> None:
    argv, expected, said = TWICE[name]
    if name == "enable":
        run("users", "disable", "ada")
    before = people(staff)["ada"]
    first = run("users", *argv, "--json").json
    assert (first["action"], first["changed"]) == (argv[0], True)
    assert people(staff)["ada"] == before | expected
    again = run("users", *argv)
    assert (again.code, again.err) == (0, "")
    assert said in again.out
    assert run("users", *argv, "--json").json["changed"] is False
    assert people(staff)["ada"] == before | expected


def test_signing_out_ends_the_renewal_of_tokens_and_says_what_it_does_not_end(
    run: Run, staff: Account
) -> None:
    client = staff.cognito.create_user_pool_client(
        UserPoolId=staff.pool_id,
        ClientName="c",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    staff.cognito.admin_set_user_password(
        UserPoolId=staff.pool_id, Username="ada", Password=PASSWORD, Permanent=True
    )
    renew = staff.cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]["RefreshToken"]
    ran = run("users", "sign-out", "ada")
    assert (ran.code, "stay valid until they expire" in ran.out) == (0, True)
    assert run("users", "sign-out", "ada").code == 0
    with pytest.raises(ClientError, match="NotAuthorized"):
        staff.cognito.initiate_auth(
            ClientId=client,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": renew},
        )


def test_a_group_that_the_manifest_does_not_know_is_warned_about(
    run: Run, staff: Account, manifest: Manifest
) -> None:
    ran = run("users", "add-to-group", "ada", "by-hand")
    assert ran.code == 0
    assert "\nwarning: group by-hand is not in groups.json: no route is open" in ran.err
    assert run("users", "add-to-group", "ada", "by-hand", "--json").json["warnings"]
    manifest({"group_name": 1})
    ran = run("users", "add-to-group", "ada", "admins")
    assert (ran.code, "groups.json cannot be used; see `provision.py validate`" in ran.err) == (
        0,
        True,
    )


def test_deleting_needs_yes_off_a_terminal(run: Run, staff: Account) -> None:
    ran = run("users", "delete", "ada")
    assert (ran.code, ran.err) == (
        1,
        "error: there is no terminal to ask on; add --yes\n",
    )
    assert run("users", "delete", "ada", "--json").code == 64
    assert "ada" in people(staff)
    assert run("users", "delete", "ada", "--yes").code == 0
    assert people(staff) == {}


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, {"ada"}), ("y", 0, set())])
def test_deleting_on_a_terminal_asks(
    run: Run, staff: Account, terminal: Terminal, answer: str, code: int, left: set[str]
) -> None:
    terminal.types(answer)
    ran = run("users", "delete", "ada")
    assert (ran.code, set(people(staff))) == (code, left)
    assert terminal.asked == [f"Delete user ada ({ADA}) of {staff.pool_id}? [y/N]: "]


def test_a_lost_answer_to_delete_is_a_deletion(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "AdminDeleteUser", "UserNotFoundException", after=True)
    assert run("users", "delete", "ada", "--yes", "--json").json["changed"] is True
    assert people(staff) == {}


def test_account_region_and_caller_are_printed_before_a_change_and_not_without_one(
    run: Run, staff: Account
) -> None:
    line = "account 123456789012, region us-east-1, caller arn:"
    assert run("users", "disable", "ada").err.startswith(line)
    assert run("users", "disable", "ada").err == ""
    assert run("users", "list").err == ""


# Invitations


def test_an_invitation_is_sent_again_to_an_invited_user_alone(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tap(monkeypatch, "AdminCreateUser")
    ran = run("users", "resend", "ada")
    assert (ran.code, "sent the invitation to ada (ada@example.org) again" in ran.out) == (0, True)
    (arguments,) = sent
    assert (arguments["MessageAction"], arguments["DesiredDeliveryMediums"]) == (
        "RESEND",
        ["EMAIL"],
    )
    assert set(people(staff)) == {"ada"}
    staff.cognito.admin_set_user_password(
        UserPoolId=staff.pool_id, Username="ada", Password=PASSWORD, Permanent=True
    )
    ran = run("users", "resend", "ada")
    assert (ran.code, "signed in already; set a password with" in ran.err) == (1, True)
    assert len(sent) == 1


def tap(monkeypatch: pytest.MonkeyPatch, operation: str) -> list[dict[str, Any]]:
    """The arguments of every call of an operation."""
    sent: list[dict[str, Any]] = []
    opened = Directory.open

    def tapped(target: Any) -> Directory:
        found = opened(target)
        found.cognito.meta.events.register(
            f"provide-client-params.cognito-identity-provider.{operation}",
            lambda params, **_: sent.append(dict(params)),
        )
        return found

    monkeypatch.setattr(Directory, "open", tapped)
    return sent


# Attributes


def test_attributes_are_set_once(run: Run, staff: Account) -> None:
    argv = ["users", "set-attributes", "ada", "email_verified=true", "name=Ada L"]
    first = run(*argv, "--json").json
    assert (first["action"], first["changed"]) == ("set-attributes", True)
    assert first["user"]["email_verified"] is True
    again = run(*argv)
    assert (again.code, again.err) == (0, "")
    assert "has these attributes already; nothing to do" in again.out
    found = staff.cognito.admin_get_user(UserPoolId=staff.pool_id, Username="ada")
    attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
    assert (attributes["name"], attributes["email_verified"]) == ("Ada L", "true")


@pytest.mark.parametrize("wrong", ["email_verified", "=x", "a b=x", ""])
def test_an_attribute_that_is_no_pair_is_one_line_before_anything_is_sent(
    run: Run, staff: Account, wrong: str
) -> None:
    ran = run("users", "set-attributes", "ada", "name=x", wrong)
    assert (ran.code, ran.err.count("\n"), "write NAME=VALUE" in ran.err) == (1, 1, True)
    found = staff.cognito.admin_get_user(UserPoolId=staff.pool_id, Username="ada")
    assert "name" not in {each["Name"] for each in found["UserAttributes"]}


# Authenticators


def test_a_lost_authenticator_is_removed_once(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has no authenticator; nothing to do" in run("users", "reset-mfa", "ada").out
    give_authenticator(staff, "ada")
    ran = run("users", "reset-mfa", "ada")
    assert (ran.code, "removed SOFTWARE_TOKEN_MFA of user ada" in ran.out) == (0, True)
    found = staff.cognito.admin_get_user(UserPoolId=staff.pool_id, Username="ada")
    assert found.get("UserMFASettingList", []) == []
    assert run("users", "reset-mfa", "ada", "--json").json["changed"] is False


def test_only_the_methods_that_a_user_has_are_turned_off(
    run: Run, staff: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cognito refuses settings of a method that the pool does not offer."""
    user = User("ada", "CONFIRMED", True, {}, mfa=("SMS_MFA", "EMAIL_OTP", "WEB_AUTHN"))
    monkeypatch.setattr(Directory, "user", lambda self, name: user)
    sent = tap(monkeypatch, "AdminSetUserMFAPreference")
    monkeypatch.setattr(
        "moto.cognitoidp.responses.CognitoIdpResponse.admin_set_user_mfa_preference",
        lambda self: "{}",
    )
    run("users", "reset-mfa", "ada")
    off = {"Enabled": False, "PreferredMfa": False}
    (arguments,) = sent
    assert {key: text for key, text in arguments.items() if key.endswith("Settings")} == {
        "SMSMfaSettings": off,
        "EmailMfaSettings": off,
    }
