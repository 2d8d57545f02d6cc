"""Every change by the pages: who may make it, what it does in AWS, and what is recorded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from judged_aws import Aws, Clients

from cognises.manifest import load_groups
from cognises.users import User
from cognises.web.state import settings_of, state_of
from user_admin import changes
from user_admin.changes import CHANGES as CHANGES_BY_NAME
from user_admin.changes import Change
from user_admin.rights import is_powerful

CONFIRMED = {"confirmed": "yes", "understood": "yes"}
# A change, its group, what is true of the user afterwards.
CHANGES: dict[str, tuple[str, Any]] = {
    "disable": ("", lambda aws, name: aws.get(name)["Enabled"] is False),
    "enable": ("", lambda aws, name: aws.get(name)["Enabled"] is True),
    "add": ("viewers", lambda aws, name: aws.groups_of(name) == {"editors", "viewers"}),
    "remove": ("editors", lambda aws, name: aws.groups_of(name) == set()),
    "sign-out": ("", lambda aws, name: aws.counted()["AdminUserGlobalSignOut"] > 0),
    "reset-mfa": ("", lambda aws, name: not aws.get(name).get("UserMFASettingList")),
}


def post(client: FlaskClient, action: str, user: str, group: str = "", **form: str) -> Any:
    groups = {"group": group} if group else {}
    return client.post("/admin/change", data={"action": action, "user": user, **groups, **form})


@pytest.mark.parametrize("action", CHANGES)
def test_an_administrator_confirms_a_change_and_makes_it_twice_without_harm(
    action: str, aws: Aws, as_user: Clients
) -> None:
    group, is_done = CHANGES[action]
    name, client = aws.add("ada@example.org", "editors"), as_user("admins")
    before = aws.counted()

    asked = post(client, action, name, group)
    assert asked.status_code == 200
    assert "ada@example.org" in asked.text
    assert aws.counted() - before == {"AdminGetUser": 1}
    assert aws.record() == []

    for _ in range(2):
        made = post(client, action, name, group, **CONFIRMED)
        assert (made.status_code, made.headers["Location"]) == (
            303, f"/admin/person?user={name}&done={action}"
        )  # fmt: skip
        assert is_done(aws, name)
    assert made.headers["Cache-Control"] == "private, no-store"
    for site in ("same-origin", "cross-site", "none", ""):
        person = client.get(made.headers["Location"], headers={"Sec-Fetch-Site": site}).text
        assert ('role="status"' in person) == (site == "same-origin")
    entry = aws.record()[0]
    assert (entry["action"], entry["groups"], entry["outcome"]) == (action, group, "done")
    assert entry["whom"] == f"{name} (ada@example.org)"
    assert entry["who"].startswith("ada@example.org (")


@pytest.mark.parametrize("action", CHANGES)
def test_a_change_that_the_role_does_not_allow_is_disabled_refused_by_aws_and_recorded(
    action: str, aws: Aws, as_user: Clients
) -> None:
    name, client = aws.add("ada@example.org", "editors"), as_user("helpers")

    page = client.get(f"/admin/person?user={name}").text
    assert page.count("the policy of group helpers does not allow cognito-idp:Admin") >= 3

    made = post(client, action, name, CHANGES[action][0], **CONFIRMED)
    assert (made.status_code, made.json["reason"]) == (403, "aws_denied")
    assert aws.groups_of(name) == {"editors"}
    assert aws.get(name)["Enabled"] is True
    assert [entry["outcome"] for entry in aws.record()] == ["aws_denied"]


@pytest.mark.parametrize("path", ["/admin", "/admin/person?user=x", "/admin/audit"])
@pytest.mark.parametrize("group", ["editors", "viewers"])
def test_the_guard_refuses_everybody_else_before_aws_is_asked(
    group: str, path: str, aws: Aws, as_user: Clients
) -> None:
    client = as_user(group)

    assert client.get(path).json["reason"] == "forbidden"
    assert post(client, "disable", "x", **CONFIRMED).json["reason"] == "forbidden"
    assert aws.calls == []


def test_an_invitation_creates_the_user_in_the_groups_once(aws: Aws, as_user: Clients) -> None:
    client, form = as_user("admins"), {"action": "invite", "user": "eve@example.org"}
    form["group"] = ["editors", "viewers"]

    asked = client.post("/admin/change", data=form).text
    assert asked.count('<input type="hidden" name="group"') == 2
    made = [client.post("/admin/change", data={**form, **CONFIRMED}) for _ in range(2)]

    assert [each.status_code for each in made] == [303, 303]
    found = aws.get("eve@example.org")
    attributes = {each["Name"]: each["Value"] for each in found["UserAttributes"]}
    assert found["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert (attributes["email"], attributes["email_verified"]) == ("eve@example.org", "true")
    assert aws.groups_of(found["Username"]) == {"editors", "viewers"}
    assert post(client, "resend", found["Username"], **CONFIRMED).status_code == 303


def test_a_person_who_has_signed_in_is_not_invited_again(aws: Aws, as_user: Clients) -> None:
    aws.add("ada@example.org")
    client = as_user("admins")

    answer = post(client, "invite", "ada@example.org", "editors", **CONFIRMED)

    assert (answer.status_code, aws.record()[0]["outcome"]) == (409, answer.json["message"])
    assert aws.groups_of(aws.get("ada@example.org")["Username"]) == set()


OWN = {"disable": "", "sign-out": "", "reset-mfa": "", "remove": "admins", "add": "editors"}


@pytest.mark.parametrize("action", OWN)
def test_the_own_account_is_changed_only_after_a_warning_is_understood(
    action: str, aws: Aws, as_user: Clients
) -> None:
    name = aws.add("root@example.org", "admins")
    client = as_user("admins", sub=name)

    answer = post(client, action, name, OWN[action], confirmed="yes")
    assert "This is your own account." in answer.text
    assert aws.record() == []

    assert post(client, action, name, OWN[action], **CONFIRMED).status_code == 303


@pytest.mark.parametrize(("group", "warned"), [("admins", True), ("editors", False)])
def test_a_group_that_manages_users_is_given_only_after_a_warning_is_understood(
    group: str, warned: bool, aws: Aws, as_user: Clients
) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")

    answer = post(client, "add", name, group, confirmed="yes")

    assert ("can take the rights of every group" in answer.text) == warned
    assert aws.groups_of(name) == (set() if warned else {group})


HEADERS = {
    "from another site": {"Sec-Fetch-Site": "cross-site"},
    "from a sibling": {"Sec-Fetch-Site": "same-site"},
    "with another origin": {"Origin": "https://evil.example"},
    "without either header": {},
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_form_of_another_site_changes_nothing(
    case: str, aws: Aws, as_user: Clients, app: Any
) -> None:
    name = aws.add("ada@example.org")
    token = as_user("admins").environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    client = app.test_client()
    client.set_cookie(settings_of(app).cookie_name, token)
    form = {"action": "disable", "user": name, **CONFIRMED}

    refused = client.post("/admin/change", data=form, headers=HEADERS[case])
    assert (refused.status_code, refused.json["reason"]) == (403, "cross_site")
    assert aws.get(name)["Enabled"] is True

    own = {"Sec-Fetch-Site": "same-origin"}
    assert client.post("/admin/change", data=form, headers=own).status_code == 303


CODES = {
    "throttled": ("AdminDisableUser", "TooManyRequestsException", 503, "aws_unavailable"),
    "the user is gone": ("AdminDisableUser", "UserNotFoundException", 404, None),
    "a limit of the account": ("AdminDisableUser", "LimitExceededException", 400, None),
    "no right to record": ("PutObject", "AccessDenied", 403, "aws_denied"),
    "the record is throttled": ("PutObject", "SlowDown", 503, "aws_unavailable"),
    "no bucket": ("PutObject", "NoSuchBucket", 409, None),
    "no right to read users": ("AdminGetUser", "AccessDeniedException", 403, "aws_denied"),
}


@pytest.mark.parametrize("case", CODES)
def test_what_aws_answers_is_an_answer_with_a_reason_and_nothing_is_done(
    case: str, aws: Aws, as_user: Clients
) -> None:
    method, code, status, reason = CODES[case]
    name, client = aws.add("ada@example.org"), as_user("admins")
    aws.errors[method] = code

    answer = post(client, "disable", name, **CONFIRMED)

    assert (answer.status_code, answer.json.get("reason")) == (status, reason)
    assert "\n" not in answer.json["message"]
    assert aws.get(name)["Enabled"] is True
    assert "PutObject" not in aws.errors or "AdminDisableUser" not in aws.calls


def test_a_change_is_recorded_before_it_is_made(aws: Aws, as_user: Clients) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")
    post(client, "disable", name, **CONFIRMED)

    made = [call for call in aws.calls if call != "AdminGetUser"]
    assert made == ["PutObject", "AdminDisableUser", "PutObject"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(RuntimeError("x"), "unknown: RuntimeError"), (SystemExit(1), "unknown: not finished")],
    ids=["an error", "a worker that is ended"],
)
def test_a_change_that_does_not_finish_is_not_recorded_as_done(
    error: BaseException,
    outcome: str,
    aws: Aws,
    as_user: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Change, "make", fail)

    with suppress(type(error)):
        assert post(client, "disable", name, **CONFIRMED).status_code == 500
    assert [entry["outcome"] for entry in aws.record()] == [outcome]
    assert aws.get(name)["Enabled"] is True


def test_a_user_without_an_email_address_is_invited_again_by_name(
    aws: Aws, as_user: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, asked = aws.add("ada@example.org"), []
    who = {"UserPoolId": aws.pool_id, "Username": name}
    aws.cognito.admin_delete_user_attributes(**who, UserAttributeNames=["email"])
    monkeypatch.setattr(changes, "call", lambda method, **given: asked.append((method, given)))
    user = User.of(aws.get(name))

    assert CHANGES_BY_NAME["resend"].make(user, ()) == user

    assert (user.email, user.attributes["sub"]) == ("", name)
    assert [(method, given["Username"]) for method, given in asked] == [("admin_create_user", name)]


def test_input_that_the_aws_library_refuses_is_a_bad_request(
    aws: Aws, as_user: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")
    odd = replace(CHANGES_BY_NAME["disable"], arguments={"Odd": "x"})
    monkeypatch.setitem(CHANGES_BY_NAME, "disable", odd)

    answer = post(client, "disable", name, **CONFIRMED)

    assert (answer.status_code, "\n" in answer.json["message"]) == (400, False)
    assert aws.record()[0]["outcome"] == answer.json["message"]


def test_a_group_with_a_managed_policy_counts_as_one_that_gives_every_right(app: Any) -> None:
    groups = {group.name: group for group in load_groups(settings_of(app).groups_file)}
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    attached = replace(groups["viewers"], policy=None, managed_policies=(arn,))

    found = [is_powerful(each) for each in (groups["admins"], groups["viewers"], attached)]

    assert found == [True, False, True]


NEEDED = {"COGNISES_FILES_BUCKET": "files_bucket", "COGNITO_IDENTITY_POOL_ID": "identity_pool_id"}


@pytest.mark.parametrize("missing", NEEDED)
def test_without_a_setting_the_pages_name_it_and_nothing_changes(
    missing: str, aws: Aws, as_user: Clients, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")
    bare = replace(state_of(app).settings, **{NEEDED[missing]: None})
    monkeypatch.setitem(state_of(app).__dict__, "settings", bare)

    assert f"{missing} is not set" in client.get("/admin/audit").text
    answer = post(client, "disable", name, **CONFIRMED)
    assert (answer.status_code, missing in answer.json["message"]) == (409, True)
    assert aws.get(name)["Enabled"] is True
