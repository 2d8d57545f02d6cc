"""The AWS side: groups.json to roles and groups. boto3 is imported below here and nowhere else.

cli -> commands -> target (options, settings), manifest
                -> aws.observer -> planning -> aws.executor -> AWS
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code: 0, 1, 2, 3 or 64."""
    from cognises.provisioning.cli import run

    return run(argv)
