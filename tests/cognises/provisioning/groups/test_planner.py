"""Manifest and account in, plan out: as tables, and as properties that hold for all of them."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

import pytest
from accounts import group, policy, statement
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare import shuffled
from worlds import ADMINS, EDITORS, SCOPE, applied, plan, with_group, with_role, without, world

from cognises.errors import ManifestError, ProvisionBlocked
from cognises.provisioning.groups.model import IdentityPool, Observed, PoolGroup, Role
from cognises.provisioning.groups.plan import Plan
from cognises.provisioning.names import HASH_TAG

EXTRA = policy(statement("sqs:*", "*"))


def actions(found: Plan) -> list[str]:
    return [f"{change.action} {type(change).__name__} {change.group}" for change in found.changes]


def drift(found: Plan) -> list[str]:
    return [line for change in found.changes for line in change.drift]


def test_a_new_group_is_a_role_and_then_a_pool_group() -> None:
    found = plan(ADMINS)
    assert actions(found) == ["create RoleChange admins", "create GroupChange admins"]
    role, pool_group = found.changes
    assert isinstance(role.after, Role)
    assert isinstance(pool_group.after, PoolGroup)
    assert role.after.boundary == SCOPE.boundary
    assert pool_group.after == PoolGroup("admins", role.after.arn, "Admins", 0)


def test_placeholders_are_filled_with_the_values_of_the_pool() -> None:
    resource = (
        "arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}:${UserPoolId}/${aws:userid}"
    )
    after = plan(group("a", policy(statement("x:Y", resource)))).changes[0].after
    assert isinstance(after, Role)
    assert after.policies["a_policy"]["Statement"][0]["Resource"] == (
        "arn:aws:x:us-east-1:123456789012:us-east-1_Pool/${aws:userid}"
    )


def test_a_policy_too_large_once_filled_is_refused() -> None:
    many = [f"arn:aws:s3:::{index:04}${{UserPoolId}}" for index in range(200)]
    scope = replace(SCOPE, pool_id="us-east-1_" + "a" * 50)
    with pytest.raises(ManifestError, match=r"\[0\]\.group_policy: \d+ characters once filled"):
        plan(group("a", policy(statement(resource=many))), scope=scope)


DRIFTED: dict[str, tuple[Observed, list[str], list[str]]] = {
    "an inline policy added": (
        with_role(
            world(ADMINS),
            "svc-admins",
            policies={**world(ADMINS).roles["svc-admins"].policies, "extra": EXTRA},
        ),
        ["update RoleChange admins"],
        ["inline policy extra was added"],
    ),
    "a policy attached": (
        with_role(world(ADMINS), "svc-admins", attached=("arn:aws:iam::aws:policy/All",)),
        ["update RoleChange admins"],
        ["policy arn:aws:iam::aws:policy/All was attached"],
    ),
    "the trust edited": (
        with_role(world(ADMINS), "svc-admins", trust=EXTRA),
        ["update RoleChange admins"],
        ["the trust policy was edited"],
    ),
    "the policy edited": (
        with_role(world(ADMINS), "svc-admins", policies={"admins_policy": EXTRA}),
        ["update RoleChange admins"],
        ["policy admins_policy was edited"],
    ),
    "the policy gone": (
        with_role(world(ADMINS), "svc-admins", policies={}),
        ["update RoleChange admins"],
        ["policy admins_policy is missing"],
    ),
    "the boundary gone": (
        with_role(world(ADMINS), "svc-admins", boundary=None),
        ["update RoleChange admins"],
        ["the permissions boundary is missing"],
    ),
    "the precedence changed": (
        with_group(world(ADMINS), "admins", precedence=5),
        ["update GroupChange admins"],
        ["the precedence was changed to 5"],
    ),
    "the description changed": (
        with_group(world(ADMINS), "admins", description="x"),
        ["update GroupChange admins"],
        ["the description was changed"],
    ),
    "the group linked elsewhere": (
        with_group(world(ADMINS), "admins", role_arn="arn:aws:iam::123456789012:role/x"),
        ["update GroupChange admins"],
        ["the group was linked to arn:aws:iam::123456789012:role/x"],
    ),
    "the group deleted": (
        without(world(ADMINS), pool_group="admins"),
        ["create GroupChange admins"],
        ["the group is gone, or an apply was interrupted"],
    ),
    "the role deleted": (
        without(world(ADMINS), role="svc-admins"),
        ["create RoleChange admins"],
        ["the role is gone; the group still names it"],
    ),
}


@pytest.mark.parametrize("name", DRIFTED)
def test_a_change_by_hand_is_drift_and_repaired(name: str) -> None:
    account, expected, lines = DRIFTED[name]
    found = plan(ADMINS, on=account)
    assert actions(found) == expected
    assert drift(found) == lines
    assert applied(found, account) == world(ADMINS)


def test_a_changed_manifest_is_no_drift() -> None:
    found = plan(group("admins", EXTRA, description="new", precedence=4), on=world(ADMINS))
    assert actions(found) == ["update RoleChange admins", "update GroupChange admins"]
    assert drift(found) == []


def test_a_changed_manifest_on_an_edited_role_shows_both() -> None:
    account = with_role(world(ADMINS), "svc-admins", trust=EXTRA)
    found = plan(group("admins", EXTRA), on=account)
    assert drift(found) == [
        "differs from what was last applied, besides the change in the manifest"
    ]


@pytest.mark.parametrize(
    ("edited", "line"),
    [({"precedence": 9}, "the precedence was changed to 9"), ({"description": "x"}, "the desc")],
)
def test_an_edited_group_is_distinguished_from_a_role_whose_manifest_has_changed(
    edited: dict[str, Any], line: str
) -> None:
    account = with_group(world(ADMINS), "admins", **edited)
    found = plan({**ADMINS, "group_policy": policy(statement("s3:*"))}, on=account)
    role, pool_group = found.changes
    assert role.drift == ()
    assert [each.startswith(line) for each in pool_group.drift] == [True]


def test_the_tags_of_others_on_our_role_stay() -> None:
    role = world(ADMINS).roles["svc-admins"]
    account = with_role(world(ADMINS), "svc-admins", tags={**role.tags, "team": "a"})
    assert plan(ADMINS, on=account).changes == ()


def test_a_boundary_is_never_removed() -> None:
    assert plan(ADMINS, on=world(ADMINS), scope=replace(SCOPE, boundary=None)).changes == ()


def test_roles_of_a_path_keep_their_arn() -> None:
    arn = "arn:aws:iam::123456789012:role/people/svc-admins"
    account = with_group(with_role(world(ADMINS), "svc-admins", arn=arn), "admins", role_arn=arn)
    assert plan(ADMINS, on=account).changes == ()


def test_precedence_follows_the_order_unless_it_is_stated() -> None:
    found = plan(ADMINS, group("b", precedence=7), EDITORS)
    given = [c.after.precedence for c in found.changes if isinstance(c.after, PoolGroup)]
    assert given == [0, 7, 2]


FOREIGN = Role("svc-admins", "arn:aws:iam::123456789012:role/svc-admins", EXTRA)
OTHER_STAGE = world(ADMINS, scope=replace(SCOPE, pool_id="us-east-1_Other"))
OTHER_GROUP = with_role(
    world(ADMINS),
    "svc-admins",
    tags={**world(ADMINS).roles["svc-admins"].tags, "cognises:group": "mins"},
)

BLOCKED: dict[str, tuple[Observed, str]] = {
    "made by hand": (Observed(roles={"svc-admins": FOREIGN}), "was not made by this project"),
    "of another stage": (OTHER_STAGE, "COGNISES_ROLE_PREFIX each"),
    "of another group": (OTHER_GROUP, "belongs to group mins"),
    "of another case": (
        Observed(roles={"svc-admins": replace(FOREIGN, name="SVC-Admins")}),
        "IAM ignores case",
    ),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_a_role_that_is_not_ours_blocks_the_whole_plan(name: str) -> None:
    account, expected = BLOCKED[name]
    found = plan(ADMINS, EDITORS, on=account)
    assert len(found.blocks) == 1
    assert expected in found.blocks[0]
    with pytest.raises(ProvisionBlocked):
        found.raise_if_blocked()


def test_a_group_that_cognito_makes_itself_is_never_touched() -> None:
    found = plan(group("us-east-1_Pool_Google"))
    assert found.changes == ()
    assert "Cognito makes groups of this name itself" in found.blocks[0]


def test_a_role_of_the_original_is_taken_over_by_its_name() -> None:
    account = Observed(roles={"svc-admins": FOREIGN})
    found = plan(ADMINS, on=account, adopt=["svc-admins"])
    assert actions(found) == ["adopt RoleChange admins", "create GroupChange admins"]
    assert found.blocks == ()
    assert plan(ADMINS, on=applied(found, account)).changes == ()


def test_a_role_of_a_lost_pool_is_taken_over_by_its_name() -> None:
    found = plan(ADMINS, on=replace(OTHER_STAGE, groups={}), adopt=["svc-admins"])
    assert actions(found) == ["adopt RoleChange admins", "create GroupChange admins"]


@pytest.mark.parametrize("name", ["svc-editors", "somebody-elses", "svc-ADMINS"])
def test_only_the_role_of_a_group_can_be_taken_over(name: str) -> None:
    found = plan(ADMINS, on=Observed(roles={"svc-admins": FOREIGN}), adopt=[name])
    assert f"--adopt {name}: no group of the manifest has a role of this name" in found.blocks


def test_the_digest_changes_with_everything_it_covers() -> None:
    anywhere = group("admins", policy(statement(resource="*")))
    variants = [
        plan(ADMINS),
        plan(EDITORS),
        plan(anywhere),
        plan(ADMINS, on=world(ADMINS)),
        plan({**ADMINS, "allowed_functions": ["x"]}),
        *(
            plan(anywhere, scope=replace(SCOPE, **{name: "x-1"}))
            for name in ("account", "partition", "region", "pool_id", "boundary")
        ),
    ]
    assert len({each.digest for each in variants}) == len(variants)
    assert plan(copy.deepcopy(ADMINS)).digest == plan(ADMINS).digest


def test_where_an_old_manifest_is_wrong_about_created_is_reported() -> None:
    wrong = plan({**ADMINS, "created": "true"})
    assert any('says "created": "true" and there is no role' in line for line in wrong.warnings)
    assert plan({**ADMINS, "created": "true"}, on=world(ADMINS)).changes == ()
    right = plan({**ADMINS, "created": "false"})
    assert not any("created" in line for line in right.warnings)


def test_a_role_on_a_group_of_an_identity_provider_is_a_warning() -> None:
    theirs = PoolGroup("us-east-1_Pool_Google", "arn:aws:iam::123456789012:role/admin")
    found = plan(ADMINS, on=Observed(groups={theirs.name: theirs}))
    assert any("every user of that provider gets this role" in line for line in found.warnings)


def test_an_identity_pool_that_serves_another_pool_is_a_warning() -> None:
    pool = IdentityPool("us-east-1:0d1c", classic_flow=False, guests=False)
    assert "does not name user pool" in plan(ADMINS, on=Observed(identity_pool=pool)).warnings[0]


names = st.text("abcXYZ019_+=,.@-", min_size=1, max_size=12)
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.lists(
            st.sampled_from(["s3:Get*", "sqs:SendMessage", "iam:PassRole"]), min_size=1, max_size=3
        ),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::${UserPoolId}"]),
    },
    optional={"Condition": st.just({"Bool": {"aws:SecureTransport": True}})},
)
manifests = st.lists(
    st.builds(
        lambda name, found, precedence: group(name, policy(*found), precedence=precedence),
        names,
        st.lists(statements, min_size=1, max_size=3),
        st.integers(0, 50),
    ),
    max_size=5,
    unique_by=lambda each: str(each["group_name"]).lower(),
)


@settings(max_examples=25, deadline=None)
@given(manifests)
def test_the_plan_of_an_applied_manifest_is_empty(manifest: list[dict[str, Any]]) -> None:
    assert plan(*manifest, on=world(*manifest)).changes == ()


@settings(max_examples=25, deadline=None)
@given(manifests, manifests)
def test_apply_reaches_the_manifest_from_any_state(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    account = world(*old)
    reached = applied(plan(*new, on=account), account)
    assert plan(*new, on=reached).changes == ()


@settings(max_examples=25, deadline=None)
@given(manifests, st.integers())
def test_shuffled_manifests_and_policies_give_an_empty_plan(
    manifest: list[dict[str, Any]], seed: int
) -> None:
    again = shuffled(manifest, random.Random(seed))
    assert plan(*again, on=world(*manifest)).changes == ()


@settings(max_examples=25, deadline=None)
@given(manifests, st.data())
def test_an_interrupted_apply_is_finished_by_the_next(
    manifest: list[dict[str, Any]], data: st.DataObject
) -> None:
    full = plan(*manifest)
    done = data.draw(st.integers(0, len(full.changes)))
    account = applied(replace(full, changes=full.changes[:done]))
    assert applied(plan(*manifest, on=account), account) == world(*manifest)


def test_the_hash_tag_is_part_of_every_role() -> None:
    assert len(world(ADMINS).roles["svc-admins"].tags[HASH_TAG]) == 64
