"""What each state of a CloudFormation stack allows, as one table.

Source: AWS CloudFormation user guide, "Stack status codes".
"""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """What comes next for a stack in some state."""

    CREATE = "a change set that creates it"
    UPDATE = "a change set that updates it"
    WAIT = "something is going on; wait for its end"
    REPLACE = "its creation failed and took everything back: delete the empty shell, then create"
    STUCK = "somebody has to repair it first"


ABSENT = "ABSENT"  # ours, for a stack that is not there

STATES = {
    **dict.fromkeys((ABSENT, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"), Step.CREATE),
    **dict.fromkeys(
        (
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "IMPORT_COMPLETE",
            "IMPORT_ROLLBACK_COMPLETE",
        ),
        Step.UPDATE,
    ),
    **dict.fromkeys(
        (
            "CREATE_IN_PROGRESS",
            "ROLLBACK_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "IMPORT_IN_PROGRESS",
            "IMPORT_ROLLBACK_IN_PROGRESS",
        ),
        Step.WAIT,
    ),
    "ROLLBACK_COMPLETE": Step.REPLACE,
    **dict.fromkeys(
        (
            "CREATE_FAILED",
            "ROLLBACK_FAILED",
            "UPDATE_FAILED",
            "UPDATE_ROLLBACK_FAILED",
            "DELETE_FAILED",
            "IMPORT_ROLLBACK_FAILED",
        ),
        Step.STUCK,
    ),
}

# An operation that ended so has done what it was asked to.
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"})

_DELETE = "aws cloudformation delete-stack --stack-name {name} --region {region}"
_REPAIRS = {
    "CREATE_FAILED": f"what was made is still there; delete it: {_DELETE}",
    "ROLLBACK_FAILED": f"what was made could not all be taken back; delete it: {_DELETE}",
    "UPDATE_FAILED": "take the update back: "
    "aws cloudformation rollback-stack --stack-name {name} --region {region}",
    "UPDATE_ROLLBACK_FAILED": "mend what the events name, then go on taking the update back: "
    "aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
    "DELETE_FAILED": f"something in it could not be deleted; mend that, then: {_DELETE}",
    "IMPORT_ROLLBACK_FAILED": "an import was not taken back; mend it in the CloudFormation console",
}


def next_step(status: str) -> Step:
    """What a state asks for; a state that is not in the table is nothing to build on."""
    return STATES.get(status, Step.STUCK)


def is_settled(status: str) -> bool:
    """Whether nothing goes on by itself any more."""
    return next_step(status) is not Step.WAIT


def repair(status: str, name: str, region: str) -> str:
    """For a stack that is stuck: what is wrong, and the command that helps."""
    advice = _REPAIRS.get(status, "a state this program does not know; look at it in the console")
    told = advice.format(name=name, region=region)
    return f"stack {name} is in state {status}: {told} and then run this again"
