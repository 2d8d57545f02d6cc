"""Who may use what. Pure: groups and names in, a decision out."""

from __future__ import annotations

import pytest
from request_side import manifest

from cognises.manifest import parse_groups
from cognises.web.principal import Permissions, decide, endpoint_entries

PERMISSIONS = Permissions(
    parse_groups(
        manifest(admins=["*"], editors=["update", "view"], viewers=["view"], empty=[],
                 auditors=["reports.*"], partners=["reports.monthly.export"])
    )
)  # fmt: skip

ENTRIES = [
    (None, []),
    ("", []),
    ("home", ["home"]),
    ("reports.list", ["reports.list", "reports.*"]),
    ("admin.reports.list", ["admin.reports.list", "admin.*", "admin.reports.*"]),
]


@pytest.mark.parametrize(("endpoint", "entries"), ENTRIES)
def test_an_endpoint_matches_itself_and_each_blueprint_that_contains_it(endpoint, entries):
    assert endpoint_entries(endpoint) == entries


CASES = [
    ((), "view", None, False),
    (("viewers",), "view", None, True),
    (("viewers",), "update", None, False),
    (("empty", "viewers"), "view", None, True),
    (("viewers", "editors"), "update", None, True),
    (("empty",), "view", None, False),
    (("unknown",), "view", None, False),
    (("VIEWERS",), "view", None, False),
    (("viewers ",), "view", None, False),
    (("viewers",), "vie", None, False),
    (("viewers",), "views", None, False),
    (("viewers",), "VIEW", None, False),
    (("viewers",), "", None, False),
    (("viewers",), None, None, False),
    (("admins",), None, None, True),
    (("admins",), "anything", "any.where", True),
    (("auditors",), "list", "reports.list", True),
    (("auditors",), "list", "reports.monthly.list", True),
    (("auditors",), "list", "reports2.list", False),
    (("auditors",), "list", "my.reports.list", False),
    (("auditors",), "reports", "reports", False),
    (("partners",), "export", "reports.monthly.export", True),
    (("partners",), "export", "export", False),
    (("*",), "view", None, False),
    (("",), "view", None, False),
]


@pytest.mark.parametrize(("groups", "name", "endpoint", "allowed"), CASES)
def test_any_group_that_lists_the_view_opens_it_and_nothing_else_does(
    groups, name, endpoint, allowed
):
    decision = decide(groups, PERMISSIONS.open_to(name, endpoint))

    assert decision.allowed is allowed
    assert decision.reason


def test_a_decision_says_why():
    reasons = {
        decide(groups, PERMISSIONS.open_to("view")).reason
        for groups in ((), ("empty",), ("viewers",))
    }

    assert len(reasons) == 3


@pytest.mark.parametrize(
    ("groups", "name", "can"),
    [
        (("viewers",), "view", True),
        (("viewers",), "update", False),
        (("auditors",), "reports.list", True),
        (("auditors",), "reports.*", True),
        (("viewers",), "*", False),
        ((), "view", False),
        (("viewers",), "", False),
    ],
)
def test_can_asks_the_manifest_for_a_name_or_an_endpoint(groups, name, can):
    assert decide(groups, PERMISSIONS.open_to(name, name)).allowed is can


def test_a_group_is_never_taken_for_a_function_nor_a_function_for_a_group():
    permissions = Permissions(parse_groups(manifest(view=["update"], update=["view"])))

    assert decide(("view",), permissions.open_to("update")).allowed
    assert not decide(("view",), permissions.open_to("view")).allowed


def test_what_a_view_costs_does_not_grow_with_the_manifest():
    groups = {f"group{i}": [f"function{i}"] for i in range(3000)}
    large = Permissions(parse_groups(manifest(**groups)))

    assert large.open_to("function7").groups == {"group7"}
    assert len(large.names) == 3000


def test_an_empty_manifest_opens_nothing_to_anybody():
    nothing = Permissions(())

    assert nothing.names == frozenset()
    assert not decide(("admins",), nothing.open_to("view", "bp.view")).allowed
