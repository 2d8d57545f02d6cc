"""Whom a group's role trusts: signed-in users of one identity pool, or nobody.

Source: the Cognito developer guide, "Role trust and permissions". The condition on `aud` is what
keeps every other identity pool of every other account out; it is never left away.
"""

from __future__ import annotations

from typing import Any

IDENTITY_SERVICE = "cognito-identity.amazonaws.com"
GOV_IDENTITY_SERVICE = "cognito-identity-us-gov.amazonaws.com"

# No identity pool has this id, so no token can carry it: a trust that nobody can meet.
NOBODY = "no-identity-pool-configured"


def trust_policy(identity_pool_id: str | None, partition: str = "aws") -> dict[str, Any]:
    """The trust policy of every group's role; without an identity pool, a closed one."""
    service = GOV_IDENTITY_SERVICE if partition == "aws-us-gov" else IDENTITY_SERVICE
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": service},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{service}:aud": identity_pool_id or NOBODY},
                    "ForAnyValue:StringLike": {f"{service}:amr": "authenticated"},
                },
            }
        ],
    }
