"""`flask cognises …`: each command is imported when it runs, and not before.

So neither the extension nor an app imports reports, click commands or AWS libraries to serve.
"""

from __future__ import annotations

from importlib import import_module

import click
from flask.cli import AppGroup

_PROVISIONING = (
    *("apply", "bootstrap", "deploy", "destroy", "import", "plan"),
    *("policy", "users", "validate", "verify"),
)
# Name of the command: its module, and the click command in it.
COMMANDS = {
    "access": "cognises.access.route_report:access_command",
    **{name: f"cognises.provisioning.cli:flask_{name}" for name in _PROVISIONING},
}


class LazyGroup(AppGroup):
    """A click group whose commands are named by `module:attribute`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


commands = LazyGroup("cognises", help="Who may call what, and the groups in AWS.")
