"""The AWS side. boto3 is imported below here and nowhere else.

cli -> target (settings, options) -> groups (read, plan, apply), stacks, users, verify -> aws
"""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code: 0, 1, 2, 3 or 64."""
    from cognises.provisioning.cli import run

    return run(argv)
