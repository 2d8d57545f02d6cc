"""Names of a stage's stacks, and their tags. Pure."""

from cognises.provisioning.names import OWNER, OWNER_TAG, PROJECT_TAG, stage_name


def stack_name(prefix: str, kind: str) -> str:
    """The CloudFormation stack of a stage: `<stage>-cognito`, `<stage>-service`."""
    return f"{stage_name(prefix)}-{kind}"


def stack_tags(prefix: str) -> dict[str, str]:
    """The tags of a stack and what is in it: two prefixes may make one name, never one tag."""
    return {OWNER_TAG: OWNER, PROJECT_TAG: prefix.replace(",", ":")}
