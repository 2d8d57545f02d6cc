"""Users as a table for people to read; what AWS says of them cannot move the cursor."""

from __future__ import annotations

from cognises.errors import printable
from cognises.provisioning.users.person import User


def users_table(found: list[User]) -> str:
    """One line a user, their groups where they were asked for, and how many there are."""
    from cognises.access.route_report import aligned  # Flask comes with it

    with_groups = any(user.groups is not None for user in found)
    head = ["NAME", "E-MAIL", "STATUS", *(["GROUPS"] if with_groups else [])]
    rows = [_cells(user) for user in found]
    lines = aligned([head, *rows]) if rows else []
    return "\n".join([*lines, f"{len(found)} user{'' if len(found) == 1 else 's'}"])


def _cells(user: User) -> list[str]:
    unverified = " (unverified)" if user.email and not user.email_verified else ""
    cells = [
        user.name,
        user.email + unverified,
        user.status + ("" if user.enabled else ", disabled"),
    ]
    if user.groups is not None:
        cells.append(", ".join(user.groups))
    return [printable(cell) for cell in cells]
