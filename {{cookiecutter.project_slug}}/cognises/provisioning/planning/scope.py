"""Where a plan applies: one user pool of one account, and the settings that shape its roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cognises.provisioning.planning.names import DEFAULT_ROLE_PREFIX, role_name


@dataclass(frozen=True)
class Scope:
    """Account, partition, region and pool, with what every role of the pool gets."""

    account: str
    partition: str
    region: str
    pool_id: str
    identity_pool_id: str | None = None
    role_prefix: str = DEFAULT_ROLE_PREFIX
    boundary: str | None = None

    @property
    def placeholders(self) -> Mapping[str, str]:
        """Values for the placeholders of a manifest."""
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "UserPoolId": self.pool_id,
        }

    def role_arn(self, group: str) -> str:
        """The ARN that a group's role will get."""
        name = role_name(self.role_prefix, group)
        return f"arn:{self.partition}:iam::{self.account}:role/{name}"
