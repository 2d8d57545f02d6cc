"""`access_diff`: what it says of two states of an app is what requests to both of them meet."""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import re
from collections import Counter
from functools import cache
from types import SimpleNamespace

import pytest
from flask import Blueprint, Flask
from request_side import manifest
from werkzeug.test import EnvironBuilder

from cognises import Cognises, login_check, permission_required, protect, public
from cognises.access import access_diff, access_side
from cognises.testing import FakePool

PAIRS = int(os.environ.get("ACCESS_DIFF_PAIRS", "15"))  # a longer run by hand: 3000
GROUPS, SCOPES = ("admins", "editors", "viewers"), ("s/read", "s/write")
UNFIT = ("public", "foreign")  # beside a guard of the blueprint or by path, the app does not start
ENTRIES = ("view0", "view1", "view2", "view3", "area.view4", "area.view5", "area.*", "*", "none")


@cache
def pools() -> tuple[FakePool, FakePool]:
    return FakePool(client_id="c1"), FakePool("eu-west-1_Other", "c1")


def random_manifest(chance: random.Random):
    return [
        {
            **manifest(**{name: chance.sample(ENTRIES, chance.randint(0, 3))})[0],
            "scopes": chance.sample(SCOPES, chance.choice((0, 0, 1))),
        }
        for name in chance.sample(GROUPS, chance.randint(1, 3))
    ]


def random_guard(chance: random.Random):
    """The kind of a guard, and what it is given."""
    kind = chance.choice(("permission", "permission", "own", "named", "login", "login", "foreign"))
    if kind == "login":
        options = {
            "token_use": chance.choice((None, None, "id", "access", ("id", "access"))),
            "scopes": chance.choice((None, None, "s/read", SCOPES)),
            "client_ids": chance.choice((None, None, "c2", ("c1", "c2"))),
            "optional": chance.random() < 0.2,
        }
        return kind, {name: value for name, value in options.items() if value is not None}
    return kind, random_manifest(chance)


def own_guard(chance: random.Random):
    guard = random_guard(chance)
    return guard if guard[0] != "foreign" else ("permission", None)


def random_route(chance: random.Random):
    kind = chance.choice(("public", "undeclared", "guarded", "guarded", "guarded", "guarded"))
    guards = [random_guard(chance) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
    if any(each[0] == "foreign" for each in guards):
        guards = [each for each in guards if each[0] in ("foreign", "own")]
    return {
        "is_there": chance.random() < 0.9,
        "kind": kind,
        "guards": guards if kind == "guarded" else [],
        "methods": chance.choice((("GET",), ("GET",), ("GET", "POST"))),
    }


def random_app(chance: random.Random):
    return {
        "manifest": random_manifest(chance),
        "token_use": chance.choice(("id", "id", "id,access", "access")),
        "clients": chance.choice(("c1", "c1", "c1,c2")),
        "routes": [random_route(chance) for _ in range(6)],
        "area": chance.choice((None, None, None, own_guard(chance))),
        "path": chance.choice((None, None, None, own_guard(chance), ("public", None))),
    }


def changed(spec, chance: random.Random):
    """The same app, edited in one to three places."""
    other = json.loads(json.dumps(spec))
    fresh = random_app(chance)
    for _ in range(chance.randint(1, 3)):
        place = chance.choice((*other, "routes", "routes", "manifest", "manifest"))
        if place == "routes":
            number = chance.randrange(6)
            other["routes"][number] = fresh["routes"][number]
        elif place == "manifest" and other["manifest"]:
            entry = chance.choice(other["manifest"])
            entry["allowed_functions"] = chance.sample(ENTRIES, chance.randint(0, 3))
        else:
            other[place] = fresh[place]
    return other


def kinds(routes):
    """The kinds of routes and of their guards."""
    return {each["kind"] for each in routes} | {g[0] for each in routes for g in each["guards"]}


def decorator(guard, name):
    kind, given = guard
    if kind == "login":
        return [login_check(**given)]
    if kind == "foreign":
        login = login_check("eu-west-1", pools()[1].id, client_ids="c1", token_use=("id", "access"))
        return [login, permission_required(given)]
    if kind == "named":
        return [permission_required(name=name)]
    return [permission_required(given if kind == "own" else None)]


def make_app(spec, path) -> Flask:
    path.write_text(json.dumps(spec["manifest"]))
    app = Flask("service", static_folder=None)
    app.config.update(
        TESTING=True,
        COGNISES_GROUPS_FILE=str(path),
        COGNITO_TOKEN_USE=spec["token_use"],
    )
    pools()[0].attach(app)
    app.config["COGNITO_CLIENT_ID"] = spec["clients"]
    pools()[1].attach(app, own=False)
    area = Blueprint("area", __name__)
    for number, route in enumerate(spec["routes"]):
        if not route["is_there"]:
            continue

        def view():
            return ""

        view.__name__ = f"view{number}"
        for each in route["guards"]:
            for guard in decorator(each, f"name{number}"):
                view = guard(view)
        target = area if number > 3 else app
        guarded = public(view) if route["kind"] == "public" else view
        target.add_url_rule(
            f"/{'p' if number == 0 else 'r'}/{number}",
            endpoint=f"view{number}",
            view_func=guarded,
            methods=list(route["methods"]),
        )
    if spec["area"] and not any(each in kinds(spec["routes"][4:]) for each in UNFIT):
        protect(area, *decorator(spec["area"], "area"))
    app.register_blueprint(area)
    first = kinds(spec["routes"][:1])
    if spec["path"] and spec["path"][0] == "public" and "guarded" not in first:
        public(app, paths=("/p/",))
    elif spec["path"] and not any(each in first for each in UNFIT):
        protect(app, *decorator(spec["path"], "path"), paths=("/p/",))
    Cognises(app)
    return app


def principals():
    """Users of every set of groups, machines of every set of scopes, with every kind of token."""
    found = []
    subsets = [g for n in range(4) for g in itertools.combinations(GROUPS, n)]
    carried = [s for n in range(3) for s in itertools.combinations(SCOPES, n)]
    for pool, client in ((0, "c1"), (0, "c2"), (1, "c1")):
        for groups in subsets:
            kinds = [("id", ()), *(("access", scopes) for scopes in carried)]
            found += [(pool, client, use, scopes, groups, False) for use, scopes in kinds]
        found += [(pool, client, "access", scopes, (), True) for scopes in carried]
    names = ("pool", "client", "use", "scopes", "groups", "is_machine")
    return [
        SimpleNamespace(**dict(zip(names, each, strict=True)), header=header(*each))
        for each in found
    ]


@cache
def header(pool, client, use, scopes, groups, is_machine):
    issuer = pools()[pool]
    if is_machine:
        return f"Bearer {issuer.machine_token(scopes, client_id=client)}"
    claims = {"aud" if use == "id" else "client_id": client}
    claims |= {"scope": " ".join(scopes)} if use == "access" else {}
    return f"Bearer {issuer.token(groups, token_use=use, **claims)}"


class Side:
    """An app, and the statuses of its routes."""

    def __init__(self, spec, path) -> None:
        self.app, self._seen = make_app(spec, path), {}
        self.routes = access_side(self.app)

    def allows(self, method, path, principal=None) -> bool:
        """Whether a request passes; who has a token may also leave it out."""
        key = method, path, principal and principal.header
        if key not in self._seen:
            self._seen[key] = self._status(*key) == 200
        return self._seen[key] or (principal is not None and self.allows(method, path))

    def _status(self, method, path, authorization):
        environ = {**EnvironBuilder(path=path, method=method).get_environ()}
        environ["wsgi.errors"] = io.StringIO()
        if authorization:
            environ["HTTP_AUTHORIZATION"] = authorization
        statuses = []
        list(self.app(environ, lambda status, headers, *_: statuses.append(int(status[:3]))))
        return statuses[0]


def matches(who, principal, *, exactly=False):
    """Whether a principal is one of those that a change names; `exactly`: with no other groups."""
    if who == "everybody":
        return True
    text, is_foreign = re.subn(r" of pool eu-west-1_Other$", "", who)
    if found := re.fullmatch(r"tokens of client (\S+)", text):
        return principal.client == found[1]
    if found := re.fullmatch(r"(id|access) tokens", text):
        return principal.use == found[1]
    if found := re.fullmatch(r"tokens without scope (\S+)", text):
        return found[1] not in principal.scopes
    if principal.pool != is_foreign:
        return False
    if text == "every machine client":
        return principal.is_machine
    if text == "every signed-in user":
        return not principal.is_machine and not (exactly and principal.groups)
    kind, _, sets = text.partition(" ")
    assert kind in ("group", "machines"), text
    has = principal.groups if kind == "group" else principal.scopes
    needed = [set(re.split(" or ", each.strip("()"))) for each in
              sets.removeprefix("with scope ").split(" with ")]  # fmt: skip
    if (kind == "machines") != principal.is_machine:
        return False
    if exactly and kind == "group" and len(has) > len(needed):
        return False
    return all(each & set(has) for each in needed)


def witness(change, old, new, everybody):
    """A request of someone whom the change names that meets a refusal on one side only."""
    losing, gaining = (old, new) if change.gained else (new, old)
    at = change.method, change.path
    if change.who == "everybody":
        return gaining.allows(*at) and not losing.allows(*at)
    exact = change.groups or change.who.startswith("every ")
    named = (each for each in everybody if matches(change.who, each, exactly=bool(exact)))
    return any(gaining.allows(*at, each) and not losing.allows(*at, each) for each in named)


@pytest.mark.parametrize("seed", range(5))
def test_the_difference_is_the_change_in_the_status_of_requests(seed, tmp_path):
    """Each change has a request that shows it, and each request that changes has its change."""
    everybody, counted = principals(), Counter()
    for number in range(seed, PAIRS, 5):
        chance = random.Random(number)
        spec = random_app(chance)
        other = changed(spec, chance) if chance.random() < 0.8 else random_app(chance)
        old, new = Side(spec, tmp_path / "old.json"), Side(other, tmp_path / "new.json")
        found = access_diff(old.routes, new.routes)
        untrue = [each for each in found if not witness(each, old, new, everybody)]
        assert untrue == [], number
        for method, path in {(each["method"], each["path"]) for each in old.routes + new.routes}:
            here = [each for each in found if (each.method, each.path) == (method, path)]
            for someone in [None, *chance.sample(everybody, 25)]:
                before, after = (side.allows(method, path, someone) for side in (old, new))
                if before != after:
                    named = [each for each in here if each.gained == after]
                    assert any(
                        each.who == "everybody" if someone is None else matches(each.who, someone)
                        for each in named
                    ), (number, method, path, someone)
        counted.update(re.sub(r"[a-z]*/?[a-z]+\d?$", "", each.who) for each in found)
        counted["requests"] += len(old._seen) + len(new._seen)
    assert len(counted) > 1
    print(dict(counted))
