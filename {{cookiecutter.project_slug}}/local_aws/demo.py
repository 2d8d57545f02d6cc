"""`make demo`: who gets which status at every route, over HTTP, held against groups.json."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from flask import Flask

from cognises.access import aligned
from cognises.aws.sessions import UserSessions
from cognises.manifest import Group, load_groups
from cognises.manifest.iam_decision import decide
from cognises.manifest.iam_policy import statements_of
from cognises.provisioning.groups.model import Scope
from cognises.provisioning.target import Options, read_target
from cognises.web.extension import check
from cognises.web.routes import Route, function_name, routes
from cognises.web.state import state_of
from local_aws.embedded import apply_manifest, embedded
from local_aws.issuer import ACCOUNT
from local_aws.service import running

ANONYMOUS = "anonymous"
_OF_AWS = ("aws_denied", "no_role")
_OF_AWS_MEANS = "(AWS): the route is open to the group; AWS refuses its role, or it has none."
NOT_PROVED = (
    "Not proved here: trust policies, managed policies, permissions boundaries, bucket policies, "
    "service control policies."
)
_CALLS = (
    ("read a shared file", "GetObject", "shared/welcome.txt"),
    ("write a shared file", "PutObject", "shared/demo.txt"),
    ("write to the own folder", "PutObject", "users/{own}/demo.txt"),
    ("write to another's folder", "PutObject", "users/{other}/demo.txt"),
)
_LEFT_OUT = {"static", "signin"}  # files, and the routes that only a browser uses


@dataclass(frozen=True)
class Cell:
    """One answer to one user, of a route or of AWS, and whether it agrees with the manifest."""

    route: str
    who: str
    status: int
    expected: str
    agrees: bool
    of_aws: bool = False  # the guard has admitted the user, and AWS refuses the view's call


def run() -> int:
    """Print who got which status. 0 only if every answer agrees with groups.json."""
    from app import create_app

    os.environ["COGNISES_LOG_LEVEL"] = "ERROR"  # the table is the report
    with embedded() as cognito:
        print(apply_manifest().splitlines()[-1])
        app = create_app()
        check(app)
        settings = state_of(app).settings
        manifest = load_groups(settings.groups_file)
        kind = "id" if "id" in settings.token_use else "access"
        users = [user for user in cognito.add_users(group.name for group in manifest) if user.group]
        tokens = {str(user.group): cognito.sign_in(user, kind) for user in users}
        with running(app) as address:
            cells = list(call_all(address, app, manifest, tokens))
        ids = {str(user.group): cognito.sign_in(user, "id") for user in users}
        in_aws = list(call_aws(app, manifest, ids))
    print(f"\n{table(cells)}\n")
    if any(cell.of_aws for cell in cells):
        print(f"{_OF_AWS_MEANS}\n")
    print("S3, called with each group's own role (403: AWS refuses):\n")
    print(f"{table(in_aws, 'call')}\n\n{NOT_PROVED}\n")
    cells += in_aws
    for route in callable_routes(app)[1]:
        why = "it is a WebSocket" if route.rule.websocket else "its path needs a value"
        print(f"not called, {why}: {route.method} {route.path}")
    wrong = [cell for cell in cells if not cell.agrees]
    for cell in wrong:
        print(f"{cell.who} at {cell.route}: {cell.status}, groups.json says {cell.expected}")
    if not wrong:
        print(f"All {len(cells)} answers agree with groups.json.")
    return 1 if wrong or not cells else 0


def callable_routes(app: Flask) -> tuple[list[Route], list[Route]]:
    """The routes that can be called as they are, and those that need a value or a WebSocket."""
    found = [route for route in routes(app) if _LEFT_OUT.isdisjoint(route.endpoint.split("."))]
    found.sort(key=lambda route: (route.path, route.method))
    plain = [each for each in found if "<" not in each.path and not each.rule.websocket]
    return plain, [each for each in found if "<" in each.path or each.rule.websocket]


def call_all(
    address: str, app: Flask, manifest: Iterable[Group], tokens: Mapping[str, str]
) -> Iterator[Cell]:
    """Call every route without a token and as each group's user."""
    groups = {group.name: group for group in manifest}
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # keeps none
    for route in callable_routes(app)[0]:
        for who in (ANONYMOUS, *tokens):
            status, reason = _answer(session, address + route.path, route.method, tokens.get(who))
            expected = expectation(app, route, groups.get(who))
            label = f"{route.method} {route.path}"
            of_aws = (status, expected) == (403, "open") and reason in _OF_AWS
            yield Cell(label, who, status, expected, of_aws or _agrees(status, expected), of_aws)


def expectation(app: Flask, route: Route, group: Group | None) -> str:
    """What the manifest says: `open`, `401`, or `403`. Independent of the guards."""
    guards = route.declaration.guards
    if route.declaration.is_public:
        return "open"
    if group is None:
        return "open" if guards and all(getattr(g, "optional", False) for g in guards) else "401"
    permissions = route.declaration.permissions
    blueprints = route.endpoint.split(".")[:-1]
    entries = {"*", route.endpoint}
    entries |= {".".join(blueprints[:end]) + ".*" for end in range(1, len(blueprints) + 1)}
    names = [guard.name or function_name(app, route.endpoint) for guard in permissions]
    listed = set(group.allowed_functions)
    return "open" if guards and all({name, *entries} & listed for name in names) else "403"


def call_aws(app: Flask, manifest: Iterable[Group], tokens: Mapping[str, str]) -> Iterator[Cell]:
    """Call S3 with the role of each group's user, by ID token; expected is what its policy says."""
    state, target = state_of(app), read_target(Options())
    bucket, sessions = str(state.settings.files_bucket), UserSessions(state.settings)
    pool, ids = target.pool, (target.pool.id, target.identity_pool_id, target.role_prefix)
    scope = Scope(ACCOUNT, pool.partition, pool.region, *ids)
    groups = [group for group in manifest if group.has_role]
    soon = {"exp": time.time() + 300}
    users = [sessions.session_for(tokens[each.name], soon) for each in groups]
    for label, action, form in _CALLS:
        for group, user in zip(groups, users, strict=True):
            key = form.format(own=user.identity_id, other=user.identity_id[::-1])
            statements = [each for _, each in statements_of(scope.fill(group.policy))]
            arn = f"arn:{pool.partition}:s3:::{bucket}/{key}"
            context = {f"{scope.identity_service}:sub": user.identity_id}
            allowed = decide(statements, f"s3:{action}", arn, context) == "allowed"
            expected = "200" if allowed else "403"
            status = _call_status(user.client("s3"), action, Bucket=bucket, Key=key)
            yield Cell(label, group.name, status, expected, str(status) == expected)


def _call_status(s3: Any, action: str, **where: str) -> int:
    try:
        answer = s3.get_object(**where) if action == "GetObject" else s3.put_object(**where)
    except s3.exceptions.ClientError as error:
        answer = error.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def _agrees(status: int, expected: str) -> bool:
    if expected == "open":
        return status < 500 and status not in (401, 403)
    return str(status) == expected


def _answer(
    session: requests.Session, url: str, method: str, token: str | None
) -> tuple[int, str | None]:
    """The status, and the reason of a refusal."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"greeting": "hello"} if method in {"POST", "PUT", "PATCH"} else None
    found = session.request(method, url, json=body, headers=headers, timeout=10)
    return found.status_code, next((each for each in _OF_AWS if f'"{each}"' in found.text), None)


def table(cells: Iterable[Cell], what: str = "route") -> str:
    """The answers as a table: a row a route, a column a user; `!` marks what does not agree."""
    rows: dict[str, dict[str, str]] = {}
    for cell in cells:
        mark = " (AWS)" if cell.of_aws else "" if cell.agrees else " !"
        rows.setdefault(cell.route, {})[cell.who] = f"{cell.status}{mark}"
    users = list(next(iter(rows.values()), {}))
    lines = [[what, *users], *([route, *row.values()] for route, row in rows.items())]
    return "\n".join(aligned(lines))
