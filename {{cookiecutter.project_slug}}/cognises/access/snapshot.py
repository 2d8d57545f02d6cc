"""The routes of an app as plain data, for `access_diff`. Runs as a program on other revisions too:
it imports nothing of this package but names that older versions have.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from cognises.access import Row

Side = list[dict[str, Any]]  # JSON can hold it


def access_side(app: Flask) -> Side:
    """Every route of `app`: who may call it, and with which tokens, settings filled in.
    Raises ManifestError or SettingsError, as `report` does.
    """
    from cognises.access import report

    return [_route(app, row) for row in report(app).rows]


def _route(app: Flask, row: Row) -> dict[str, Any]:
    needs = [[sorted(each.groups), sorted(each.scopes)] for each in row.permissions]
    tokens = None
    if needs or row.open_to == ("signed in",):  # else open to everybody, or to nobody
        tokens = _tokens(app, row)
    names = {"method": row.method, "path": row.path, "endpoint": row.endpoint}
    fields = {"anonymous": row.is_public, "needs": needs, "tokens": tokens}
    return {**names, "open_to": ", ".join(row.open_to), **fields}


def _tokens(app: Flask, row: Row) -> dict[str, Any] | None:
    """What a token must be to pass all login guards; None where no token can."""
    from cognises.web.state import state_of

    state, logins = state_of(app), row.logins
    settings, own = state.settings_with_problems[0], state.own_pool
    pools = {guard.pool or own for guard in logins}
    clients = frozenset.intersection(*(each.client_ids or settings.client_ids for each in logins))
    uses = frozenset.intersection(*(each.token_use or settings.token_use for each in logins))
    scopes = frozenset().union(*(each.scopes for each in logins))
    uses = uses & {"access"} if scopes else uses  # ID tokens carry no scope
    if len(pools) > 1 or not uses or not (clients or not settings.client_ids):
        return None
    is_own, pool = pools == {own}, next(iter(pools))
    return {
        "pool": pool.id if pool and not is_own else "", "pool_id": pool.id if pool else "",
        "client": sorted(clients), "token_use": sorted(uses), "scope": sorted(scopes),
        "audience": sorted(settings.audiences if "access" in uses else ()),
        "region": sorted(settings.additional_regions if is_own else ()),
        "claim": [settings.groups_claim if is_own else "cognito:groups"],
    }  # fmt: skip


if __name__ == "__main__":  # run in the project's folder; writes to the named file
    from flask.cli import ScriptInfo

    Path(sys.argv[1]).write_text(json.dumps(access_side(ScriptInfo().load_app())), "utf-8")
    os._exit(0)  # waits for no thread of the app
