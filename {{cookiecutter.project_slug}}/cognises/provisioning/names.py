"""Names in AWS: roles, policies, regions, and the tags that record ownership. Pure."""

import re
from collections.abc import Mapping

OWNER = "cognises"
OWNER_TAG = "cognises:owner"
POOL_TAG = "cognises:pool"
GROUP_TAG = "cognises:group"
HASH_TAG = "cognises:hash"  # of the role and its group
ACCESS_TAG = "cognises:access"  # of the functions and scopes of the group's entry
HASHES = (HASH_TAG, ACCESS_TAG)
# The same of a group without a role, by role prefix: at the end of its description in Cognito.
RECORD = re.compile(rf" ?\[{ACCESS_TAG} ([^\s\]]*)=([0-9a-f]{{64}})\]")
PROJECT_TAG = "cognises:project"
OWNERSHIP_TAGS = (OWNER_TAG, POOL_TAG, GROUP_TAG)
DEFAULT_ROLE_PREFIX = "role_"


def role_name(prefix: str, group: str) -> str:
    """The role of a group; unique in the account whatever the case of its letters."""
    return f"{prefix}{group}"


def stage_name(prefix: str) -> str:
    """A stage's plain name, from its role prefix; empty where that has no letter or digit."""
    plain = re.sub("[^a-z0-9]+", "-", prefix.lower()).strip("-")
    return (f"stage-{plain}" if plain[:1].isdigit() else plain)[:48].strip("-")


def policy_name(group: str) -> str:
    """The inline policy of a group's role, named as the original named it."""
    return f"{group}_policy"


def ownership_tags(pool_id: str, group: str) -> dict[str, str]:
    """The tags of a role. A comma, legal in names but not in tag values, becomes a colon."""
    return {OWNER_TAG: OWNER, POOL_TAG: pool_id, GROUP_TAG: group.replace(",", ":")}


def is_owned(tags: Mapping[str, str]) -> bool:
    """Whether some project of this kind made the role (for this pool or another)."""
    return tags.get(OWNER_TAG) == OWNER


def group_of(tags: Mapping[str, str]) -> str:
    """The group a role was made for, by its tags."""
    return tags.get(GROUP_TAG, "").replace(":", ",")


def is_provider_group(pool_id: str, group: str) -> bool:
    """Whether Cognito itself made the group, for the users of an identity provider."""
    return group.startswith(f"{pool_id}_")


def identity_region(identity_pool_id: str | None, region: str) -> str:
    """The region of an identity pool, with which its id starts; without one, the user pool's."""
    return identity_pool_id.partition(":")[0] if identity_pool_id else region
