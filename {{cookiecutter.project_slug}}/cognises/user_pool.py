"""A user pool's id, and what follows from it: region, partition, issuers, key addresses."""

import re
from typing import NamedTuple

from cognises.errors import SettingsError

REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")
_POOL_ID = re.compile(rf"(?P<region>{REGION.pattern})_[0-9A-Za-z]{{1,50}}")
# Region prefix to partition and DNS suffix, as botocore's partitions.json has them (1.44).
_PARTITIONS = (
    ("cn-", "aws-cn", "amazonaws.com.cn"), ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"), ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"), ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("eusc-", "aws-eusc", "amazonaws.eu"), ("", "aws", "amazonaws.com"),
)  # fmt: skip


def partition_of(region: str) -> tuple[str, str]:
    """The partition of a region, and that partition's DNS suffix."""
    return next((name, suffix) for start, name, suffix in _PARTITIONS if region.startswith(start))


class UserPool(NamedTuple):
    """A Cognito user pool, by its id. Make one with `UserPool.parse`."""

    id: str
    region: str

    @classmethod
    def parse(cls, pool_id: object) -> "UserPool":
        """The pool named by an id such as `eu-west-1_Ab12Cd34E`; anything else: SettingsError."""
        match = _POOL_ID.fullmatch(pool_id) if isinstance(pool_id, str) else None
        if match is None:
            form = "<region>_<letters and digits>, as in us-east-1_AbCd12345"
            where = "Cognito console, user pool overview"
            raise SettingsError([f"user pool id: not of the form {form} ({where})"])
        return cls(match.group(), match["region"])

    @property
    def partition(self) -> str:
        return partition_of(self.region)[0]

    @property
    def issuers(self) -> list[str]:
        """The `iss` values of this pool's tokens."""
        return self.issuers_in(self.region)

    def issuers_in(self, *regions: str) -> list[str]:
        """Two a region, its own or a replica's (Cognito API reference, IssuerConfigurationType)."""
        hosts = [f"cognito-idp.{each}.{partition_of(each)[1]}/{self.id}" for each in regions]
        return [f"https://{start}{host}" for host in hosts for start in ("", "issuer-")]
