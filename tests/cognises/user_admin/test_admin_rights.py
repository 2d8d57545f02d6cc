"""Which button is disabled: by the policy of the group whose role Cognito chooses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cognises.manifest import Group
from cognises.user_pool import UserPool
from user_admin import rights

ACTION = "cognito-idp:AdminDisableUser"
WRITES = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ACTION, "Resource": "*"}]}  # fmt: skip
READS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "cognito-idp:AdminGetUser", "Resource": "*"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("of_reader", "of_writer", "is_refused"),
    [
        (1, 2, True),
        (2, 1, False),
        (1, None, False),  # which role AWS chooses is not known here
        (None, 1, False),
    ],
)
def test_an_action_is_refused_only_where_the_chosen_role_is_known(
    of_reader: int | None, of_writer: int | None, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = (Group("readers", (), READS, precedence=of_reader),
              Group("writers", (), WRITES, precedence=of_writer))  # fmt: skip
    user = SimpleNamespace(groups=["readers", "writers"], claims={})
    monkeypatch.setattr(rights, "manifest", lambda: groups)
    monkeypatch.setattr(rights, "current_user", user)
    monkeypatch.setattr(rights, "pool", lambda: UserPool.parse("us-east-1_AbCdEfGhI"))

    problem = rights.permission_problem(ACTION)

    expected = f"the policy of group readers does not allow {ACTION}" if is_refused else ""
    assert problem == expected
