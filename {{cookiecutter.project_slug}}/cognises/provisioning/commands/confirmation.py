"""Asking before something is done in AWS: by --yes, or on a terminal, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click


def confirm_by(yes: bool, command: str) -> Callable[[str], None]:
    """What asks a question, and raises unless the answer is yes.

    In: whether --yes was given, and the command to name where there is no terminal to ask on.
    """

    def confirm(question: str) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise click.ClickException(f"there is no terminal to ask on; run {command} --yes")
        if not click.confirm(question, err=True):
            raise click.ClickException("nothing was changed")

    return confirm
