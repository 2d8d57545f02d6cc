"""The pool's users: read, created, imported and changed; `users` holds the commands."""

from cognises.provisioning.users import create  # noqa: F401  (declares its commands)
from cognises.provisioning.users.commands import users as users
