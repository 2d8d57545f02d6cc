"""The routes of an app as an OpenAPI 3.1 document, and `flask cognises openapi`.

Source: OpenAPI Specification 3.1.0. It describes what the URL map and the guards know. What a view
reads and answers is not declared anywhere, so any body and any status below 500 are its own.
"""

import hashlib
import json
import re
from collections import Counter
from itertools import count
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from werkzeug.routing import Rule, converters

from cognises.access.route_report import Row, docstring_of, may_call, rows_of
from cognises.errors import ANSWERS, ProblemsError
from cognises.web.principal import OpenTo, Principal
from cognises.web.responses import REFUSALS
from cognises.web.routes import Route, path_rules_of, routes
from cognises.web.state import state_of

Json = dict[str, Any]
_STATIC = ("static", "filename")  # the endpoint and the variable of static files
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_LENGTHS = re.compile(r"\[\^/\]\{(\d+)(,?)(\d*)\}")
_FORM = {"schema": {"type": "object"}}  # the fields of a form have names
_CONTENT = {"application/json": {}, "application/octet-stream": {},
            "application/x-www-form-urlencoded": _FORM, "multipart/form-data": _FORM}  # fmt: skip
_OWN_ANSWERS = {"2XX": "The view's answer.", "3XX": "The view's redirect.",
                "4XX": "The view, or the service, refuses the request itself."}  # fmt: skip


def openapi(app: Flask, user: Principal | None = None) -> Json:
    """The OpenAPI document of `app`: complete, with who may call each operation (`x-open-to`: a
    group or scope of every entry); or, for `user`, what that user may call, and no group. Left out
    are static files, automatic HEAD and OPTIONS, and what no request reaches.
    Rules that differ only in the kind or name of a variable, or in the host, are one path to
    OpenAPI: all but the first get a fragment, as in `/{name}#2`, which no client sends.
    Raises ManifestError or SettingsError.
    """
    paths: dict[str, Json] = {}
    claimed: dict[tuple[str, int], tuple[str, str]] = {}  # path without names, fragment: whose
    taken: set[tuple[str, int, str]] = set()
    pairs = [(route, row) for route, row in rows_of(app)
             if not (route.rule.build_only or route.rule.redirect_to or route.rule.websocket)
             and (route.endpoint.rpartition(".")[2], *route.rule.arguments) != _STATIC]  # fmt: skip
    by_endpoint = Counter(row.endpoint for _, row in pairs)
    reached: dict[object, Rule] = {}  # of equal rules the first that was added answers
    for each in (each for each in routes(app) if not each.rule.websocket):
        reached.setdefault((repr(each.rule._parts), each.method), each.rule)
    for route, row in pairs:
        is_reached = reached[repr(route.rule._parts), row.method] is route.rule
        if not is_reached or not (user is None or may_call(app, row, user).allowed):
            continue
        host, path = _templates(route.rule)
        shape, owner = re.sub(r"{[^}]*}", "{}", path), (path, host)
        number = next(
            each for each in count(1)
            if claimed.setdefault((shape, each), owner) == owner
            and (shape, each, row.method) not in taken
        )  # fmt: skip
        taken.add((shape, number, row.method))
        key = path if number == 1 else f"{path}#{number}"
        name = row.endpoint if by_endpoint[row.endpoint] == 1 else f"{row.method} {key}"
        method = row.method.lower() if row.method in _METHODS else f"x-{row.method.lower()}"
        operation = {"operationId": name, **_operation(app, route, row, user is None)}
        paths.setdefault(key, _servers(app, host))[method] = operation
    return _document(app, paths)


def _templates(rule: Rule) -> tuple[str, str]:
    """The host (or subdomain) and the path of a rule, with its variables in braces."""
    parts = [f"{{{text}}}" if is_variable else text.replace("{", "%7B").replace("}", "%7D")
             for is_variable, text in rule._trace]  # fmt: skip
    bar = parts.index("|")
    return "".join(parts[:bar]), "".join(parts[bar + 1 :])


def _servers(app: Flask, host: str) -> Json:
    """The servers of a path item, where its rule names a host or a subdomain."""
    if not host:
        return {}
    name = None if app.url_map.host_matching else app.config["SERVER_NAME"]
    variables = {each: {"default": each} for each in re.findall(r"{(.*?)}", host)}
    url = f"{app.config['PREFERRED_URL_SCHEME']}://{'.'.join(filter(None, (host, name)))}"
    return {"servers": [{"url": url, **({"variables": variables} if variables else {})}]}


def _operation(app: Flask, route: Route, row: Row, is_complete: bool) -> Json:
    summary, _, description = docstring_of(app, route).partition("\n")
    is_open = row.is_public and not route.declaration.guards
    answers: Json = {status: {"description": text} for status, text in _OWN_ANSWERS.items()}
    if not is_open:
        answers |= {str(status): {"$ref": f"#/components/responses/Refused{status}"}
                    for status in REFUSALS}  # fmt: skip
    (_, template), each = _templates(route.rule), route.rule._converters
    found = {
        "summary": summary, "description": description.strip(),
        "tags": [blueprint] if (blueprint := row.endpoint.rpartition(".")[0]) else [],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _schema(each[name])}
                       for name in re.findall(r"{(.*?)}", template)],
        "requestBody": {"content": _CONTENT} if row.method in {"POST", "PUT", "PATCH"} else {},
        "x-token-use": sorted({use for guard in row.logins for use in guard.token_use or ()}),
    }  # fmt: skip
    found = {name: value for name, value in found.items() if value}
    found |= {"security": [] if is_open else _security(app, route), "responses": answers}
    if is_complete and not is_open:
        needs = row.permissions or (() if route.declaration.guards else (OpenTo(frozenset()),))
        found["x-open-to"] = [{"groups": sorted(need.groups), "scopes": sorted(need.scopes)}
                              for need in dict.fromkeys(needs)]  # fmt: skip
    start = route.path.partition("<")[0]
    below = [each for each in path_rules_of(app) if not each.applies(route.rule, None)]
    parts = [f"{each.prefix}/" for each in below if each.guards]
    parts = [prefix for prefix in parts if prefix.startswith(start)]
    if is_complete and parts and "<" in route.path:
        found["x-guarded-parts"] = parts
    return found


def _security(app: Flask, route: Route) -> list[Json]:
    """Any of these: a bearer token or the cookie, with every scope that a guard requires."""
    logins = route.declaration.logins
    scopes = sorted(frozenset().union(*(guard.scopes for guard in logins)))
    names = ["bearer", "cookie"]
    if scopes and any(state_of(app).is_own_pool(guard) for guard in logins) and _issuer(app):
        names.insert(0, "openid")
    return [*({name: scopes} for name in names), *[{}] * route.declaration.admits_anonymous]


def _schema(converter: Any) -> Json:
    """What a converter accepts, as a JSON schema; one that is not werkzeug's own: any text."""
    kind = type(converter)
    if kind is converters.AnyConverter:
        return {"type": "string", "enum": sorted(converter.items)}
    if kind is converters.UUIDConverter:
        return {"type": "string", "format": "uuid"}
    lengths = _LENGTHS.fullmatch(converter.regex)
    if kind is converters.UnicodeConverter and lengths:
        low, comma, high = lengths.groups()
        limits = {"maxLength": int(high or low)} if high or not comma else {}
        return {"type": "string", "minLength": int(low), **limits}
    if kind is converters.PathConverter:
        return {"type": "string", "minLength": 1, "description": "It may contain slashes."}
    if kind not in (converters.IntegerConverter, converters.FloatConverter):
        return {"type": "string", "minLength": 1}
    sign = "-?" if converter.signed else ""
    if converter.fixed_digits:
        return {"type": "string", "pattern": f"^{sign}[0-9]{{{converter.fixed_digits}}}$"}
    low = converter.min if converter.signed else max(converter.min or 0, 0)
    limits = {"minimum": low, "maximum": converter.max}
    name = "integer" if kind is converters.IntegerConverter else "number"
    return {"type": name, **{key: each for key, each in limits.items() if each is not None}}


def _issuer(app: Flask) -> str | None:
    pool = state_of(app).own_pool
    return pool.issuers[0] if pool else None


def _document(app: Flask, paths: dict[str, Json]) -> Json:
    settings, issuer = state_of(app).settings_with_problems[0], _issuer(app)
    schemes: Json = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": settings.cookie_name},
    }
    if issuer:
        url = f"{issuer}/.well-known/openid-configuration"
        schemes["openid"] = {"type": "openIdConnect", "openIdConnectUrl": url}
    text = json.dumps(paths, sort_keys=True).encode()
    reasons = [reason for reason, answer in ANSWERS.items() if answer.status in REFUSALS]
    fields = {"status": {"type": "integer"}, "message": {"type": "string"},
              "reason": {"enum": reasons}}  # fmt: skip
    title = str(app.config.get("PROJECT_NAME") or app.name)
    return {
        "openapi": "3.1.0",
        # The version is that of the paths: it changes exactly when they do.
        "info": {"title": title, "version": hashlib.sha256(text).hexdigest()[:12]},
        "servers": [{"url": settings.public_url or "/"}],
        "paths": paths,
        "components": {"securitySchemes": schemes,
                       "schemas": {"Refusal": {"type": "object", "properties": fields}},
                       "responses": {f"Refused{code}": _refused(code) for code in REFUSALS}},
    }  # fmt: skip


def _refused(status: int | None) -> Json:
    """The refusals of one status, each with its reason: one table for all operations."""
    found = {reason: each for reason, each in ANSWERS.items() if each.status == status}
    is_challenge = any(each.challenge is not None for each in found.values())
    names = ["WWW-Authenticate"] * is_challenge + ["Retry-After"] * (status == 503)
    lines = (f"- `{reason}`: {each.message}" for reason, each in found.items())
    schema = {"schema": {"$ref": "#/components/schemas/Refusal"}}
    headers = {name: {"schema": {"type": "string"}} for name in names}
    content = {"application/json": schema}
    return {"description": "\n".join(lines), "headers": headers, "content": content}


@click.command("openapi")
@with_appcontext
def openapi_command() -> None:
    """The routes as an OpenAPI document, with the groups that may call each."""
    try:
        found = openapi(current_app._get_current_object())  # type: ignore[attr-defined]
    except ProblemsError as error:
        raise click.ClickException(f"cannot describe the routes:\n{error}") from None
    click.echo(json.dumps(found, indent=2))
