"""An incomplete bulk read is not reported as drift."""

from __future__ import annotations

from typing import Any

from cognises.provisioning.groups.model import Observed, Role
from cognises.provisioning.groups.read import _groups, confirm_boundaries
from cognises.provisioning.names import OWNER, OWNER_TAG, POOL_TAG

POOL = "us-east-1_Pool"
EDGE = "arn:aws:iam::123456789012:policy/edge"


class Iam:
    """Knows the boundaries of some roles; records which roles are read."""

    def __init__(self, **boundaries: str | None) -> None:
        self._boundaries = boundaries
        self.read: list[str] = []

    def get_role(self, *, RoleName: str) -> dict[str, Any]:  # noqa: N803
        self.read.append(RoleName)
        arn = self._boundaries[RoleName]
        return {"Role": {"PermissionsBoundary": {"PermissionsBoundaryArn": arn}} if arn else {}}


def seen(**boundaries: str | None) -> Observed:
    def role(name: str, boundary: str | None) -> Role:
        pool = "another" if name == "elsewhere" else POOL
        tags = {} if name == "foreign" else {OWNER_TAG: OWNER, POOL_TAG: pool}
        return Role(name, f"arn:aws:iam::1:role/{name}", {}, boundary=boundary, tags=tags)

    return Observed(roles={name: role(name, found) for name, found in boundaries.items()})


def test_a_boundary_that_the_bulk_read_left_out_is_read_by_role():
    iam = Iam(behind=EDGE, bare=None)
    observed = seen(behind=None, bare=None, complete=EDGE, foreign=None, elsewhere=None)
    found = confirm_boundaries(iam, observed, POOL)

    assert {name: role.boundary for name, role in found.roles.items()} == {
        "behind": EDGE,
        "bare": None,
        "complete": EDGE,
        "foreign": None,
        "elsewhere": None,
    }
    assert iam.read == ["behind", "bare"]


def test_an_empty_arn_is_no_role():
    """As emulators answer; botocore accepts none in a call."""

    class Cognito:
        def get_paginator(self, _: str) -> Cognito:
            return self

        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            return [{"Groups": [{"GroupName": "guests", "RoleArn": ""}]}]

    assert _groups(Cognito(), POOL)["guests"].role_arn is None
