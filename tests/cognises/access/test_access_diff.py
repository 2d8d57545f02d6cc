"""`access_diff` of two states of an app agrees with the statuses of requests to both of them."""

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
from flask.views import MethodView
from request_side import manifest
from werkzeug.routing import BaseConverter, Rule
from werkzeug.test import EnvironBuilder

from cognises import Cognises, login_check, permission_required, protect, public
from cognises.access import access_diff, access_side
from cognises.testing import FakePool

PAIRS = int(os.environ.get("ACCESS_DIFF_PAIRS", "15"))  # a longer run by hand: 3000
GROUPS, SCOPES = ("admins", "editors", "viewers"), ("s/read", "s/write")
UNFIT = ("public", "foreign")  # not with a guard by blueprint or by path, too
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
    """The kind of a guard, and its arguments."""
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

    def __init__(self, spec, path, make=make_app) -> None:
        self.app, self._seen = make(spec, path), {}
        self.routes = json.loads(json.dumps(access_side(self.app)))

    def allows(self, method, path, principal=None) -> bool:
        """Whether a request is allowed; a client may also send it without its token."""
        key = method, path, principal and principal.header
        if key not in self._seen:
            self._seen[key] = self._status(*key) == 200
        return self._seen[key] or (principal is not None and self.allows(method, path))

    def has(self, method, path):
        """Whether a route answers a request."""
        return self._status(method, path, None) not in (404, 405, 308)

    def _status(self, method, sent, authorization):
        """The status of the last answer: a client follows a redirect to the path with a slash."""
        host, slash, path = sent.partition("/")
        base = f"http://{host + '.' if host else ''}localhost"
        environ = {**EnvironBuilder(slash + path, base, method=method).get_environ()}
        environ["wsgi.errors"] = io.StringIO()
        if authorization:
            environ["HTTP_AUTHORIZATION"] = authorization
        statuses = []
        list(self.app(environ, lambda status, headers, *_: statuses.append(int(status[:3]))))
        is_redirect = statuses[0] == 308 and not sent.endswith("/")
        return self._status(method, f"{sent}/", authorization) if is_redirect else statuses[0]


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


def witness(change, old, new, everybody, path=None):
    """Whether a caller whom the change names is allowed on one side only."""
    losing, gaining = (old, new) if change.gained else (new, old)
    at = change.method, path or change.path
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


# Rules that overlap, and paths that they match.
RULES = ("/files/<path:name>", "/files/<name>", "/files/secret/<name>", "/<path:every>", "/<page>",
         "/report", "/<int:number>", "/7", "/<own:word>", "/<word>/<path:more>",
         "/y/<word>", "/y/<other>", "/y/x", "/y/", "/<any(a, b):kind>")  # fmt: skip
PREFIXES = ("/files/secret/", "/files/secret/deep/", "/report/", "/y/")
PATHS = ("/files/zzz", "/files/secret", "/files/secret/", "/files/secret/zzz",
         "/files/secret/deep", "/files/secret/deep/zzz", "/files/zzz/zzz", "/zzz", "/report",
         "/report/", "/report/zzz", "/report/x", "/files/x", "/3", "/7", "/8", "/a", "/b",
         "/ab", "/bc", "/c", "/zzz/x", "/7/x", "/report/7/x", "/y/x", "/y/zzz", "/y/7", "/y/",
         "/y", "/y/zzz/zzz", "/zzz/zzz/zzz")  # fmt: skip
SHAPES = {"path": ".+", "int": r"\d+", "own": "[abc]+", "any": "a|b"}


def random_table(chance: random.Random, length=6):
    def entry():
        guards = [own_guard(chance) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        return {"rule": chance.choice(RULES), "host": chance.choice(("", "", "", "a")),
                "number": chance.randrange(4), "methods": chance.choice((["GET"], ["GET", "POST"])),
                "guards": guards, "head": chance.choice((None, None, [], [own_guard(chance)])),
                "is_strict": chance.random() < 0.7}  # fmt: skip

    return {
        "manifest": random_manifest(chance),
        "token_use": "id,access",
        "clients": "c1,c2",
        "own": chance.choice(("[ab]+", "[bc]+")),
        "routes": [entry() for _ in range(chance.randint(1, length))],
        "paths": {each: own_guard(chance) for each in PREFIXES if chance.random() < 0.3},
    }


def changed_table(spec, chance: random.Random):
    """The same app, edited in one or two places: routes are added, removed, edited, and moved."""
    other, fresh = json.loads(json.dumps(spec)), random_table(chance)
    for _ in range(chance.randint(1, 2)):
        place = chance.choice(("routes", "routes", "swap", "gone", "paths", "paths", "own"))
        routes, at = other["routes"], chance.randrange(len(other["routes"]))
        if place == "routes":
            routes.insert(at, fresh["routes"][0])
        elif place == "swap":
            routes.append(routes.pop(at))
        elif place == "gone" and len(routes) > 1:
            routes.pop(at)
        elif place == "paths":
            prefix = chance.choice(PREFIXES)
            if other["paths"].pop(prefix, None) is None:
                other["paths"][prefix] = own_guard(chance)
        else:
            other["own"] = fresh["own"]
    return other


def make_table(spec, path) -> Flask:
    path.write_text(json.dumps(spec["manifest"]))
    app = Flask("service", static_folder=None, subdomain_matching=True)
    app.config.update(
        TESTING=True,
        SERVER_NAME="localhost",
        COGNISES_GROUPS_FILE=str(path),
        COGNITO_TOKEN_USE=spec["token_use"],
    )
    pools()[0].attach(app)
    app.config["COGNITO_CLIENT_ID"] = spec["clients"]
    app.url_map.converters["own"] = type("Own", (BaseConverter,), {"regex": spec["own"]})
    taken = set()
    for position, route in enumerate(spec["routes"]):
        below = any(f"{route['rule']}/".startswith(each) for each in spec["paths"])
        name = f"other{position}" if route["number"] in taken else f"view{route['number']}"
        taken.add(route["number"])

        def guarded(guards, *, may_be_public=not below, name=name):
            def view(self=None, **variables):
                return ""

            view.__name__ = name
            for guard in guards:
                for each in decorator(guard, name):
                    view = each(view)
            return view if guards or not may_be_public else public(view)

        view = guarded(route["guards"])
        if route["head"] is not None:
            methods = {"get": view, "post": view, "head": guarded(route["head"])}
            view = type("Pages", (MethodView,), methods).as_view(name)
        app.add_url_rule(
            route["rule"],
            f"at{position}",
            view,
            methods=route["methods"],
            subdomain=route["host"] or None,
            strict_slashes=route["is_strict"],
        )
    for prefix, guard in spec["paths"].items():
        protect(app, *decorator(guard, "path"), paths=[prefix])
    Cognises(app)
    return app


def covers(shown, path):
    """Whether a request is for what a change shows: a rule, a part of it, or a path."""
    if shown.endswith("…"):
        return f"{path}/".startswith(shown[:-1])
    texts = re.split(r"(<[^>]*>)", shown)
    parts = (f"(?:{SHAPES.get(re.split('[:(]', each[1:])[0], '[^/]+')})" if each[:1] == "<"
             else re.escape(each) for each in texts)  # fmt: skip
    return bool(re.fullmatch("".join(parts).removesuffix("/") + "/?", path))


@pytest.mark.parametrize("seed", range(2))  # two processes can share a longer run
def test_the_difference_agrees_with_requests_where_rules_overlap(seed, tmp_path):
    everybody, counted = principals(), Counter()
    for number in range(seed, 1 + PAIRS // 5, 2):
        chance = random.Random(number)
        spec = random_table(chance)
        other = changed_table(spec, chance) if chance.random() < 0.8 else random_table(chance)
        old, new = (Side(each, tmp_path / name, make_table)
                    for each, name in ((spec, "old.json"), (other, "new.json")))  # fmt: skip
        found = access_diff(old.routes, new.routes)
        requests = [(method, host + path) for method in ("GET", "HEAD", "POST")
                    for host in ("", "a") for path in PATHS]  # fmt: skip
        for each in found:
            paths = {path for _, path in requests if covers(each.path, path)}
            paths |= {each.path} - {each.path for _ in "<…" if _ in each.path}
            some = chance.sample(everybody, len(everybody))
            assert any(witness(each, old, new, some, path) for path in paths), (number, each)
            counted[each.who.partition(" ")[0]] += 1
        for method, path in requests:
            if not old.has(method, path) and not new.has(method, path):
                continue
            here = [
                each
                for each in found
                if covers(each.path, path)
                and (each.method == method or (method, each.method) == ("HEAD", "GET"))
            ]
            for someone in [None, *chance.sample(everybody, 5)]:
                before, after = (side.allows(method, path, someone) for side in (old, new))
                assert before == after or any(
                    each.who == "everybody" if someone is None else matches(each.who, someone)
                    for each in here if each.gained == after
                ), (number, method, path, someone, found)  # fmt: skip
    print(dict(counted))


def one_route(rule="/x", *, view=None, **options):
    """A public route, or one that every signed-in user may call."""
    return lambda app: app.add_url_rule(rule, rule + str(options), view or public(lambda **_: ""),
                                        **options)  # fmt: skip


def guarded(rule, **options):
    return one_route(rule, view=login_check(lambda **_: ""), **options)


def every_method(rule, view):
    return lambda app: [app.url_map.add(Rule(rule, endpoint="x")),
                        app.view_functions.update(x=view)]  # fmt: skip


def below(*paths):
    return lambda app: protect(app, login_check, paths=paths)


def pages(**methods):
    made = {"get": login_check(lambda self: ""), **methods}
    return lambda app: app.add_url_rule("/x", view_func=type("X", (MethodView,), made).as_view("x"))


def listed(**methods):
    made = type("X", (MethodView,), {"get": lambda self: "", **methods}).as_view("x")
    return one_route(view=public(made), methods=["GET", "POST"])


class Expression(BaseConverter):
    def __init__(self, url_map, regex):
        super().__init__(url_map)
        self.regex = regex


def folder(name):
    return lambda app: setattr(app, "static_folder", name)


def without_subdomains(app):
    app.subdomain_matching = False


FILES, PAGE = one_route("/files/<path:name>"), one_route("/<page>")
SOCKET = one_route(websocket=True)
SKU, SHORT = "/<re('[A-Z]{3}-[0-9]{4}'):x>", one_route("/<string(maxlength=9):a>")
ENGLISH = one_route("/files/<path:name>", subdomain="<any(en,de):l>")
TWICE = "/<re('(?P<t>a)'):x>/<re('(?P<t>a)'):y>"
SINGLE = {  # before, after, and what everybody gains (!) or loses (-)
    "a guard below a catch-all goes": ([FILES, below("/files/a/")], [FILES], "! GET /files/a/…"),
    "a guard below a catch-all comes": ([FILES], [FILES, below("/files/a/")], "- GET /files/a/…"),
    "a guard for a path with a slash": ([one_route("/<path:every>")],
                                        [one_route("/<path:every>", strict_slashes=False),
                                         below("/a/")], "- GET /a/…"),
    "a deeper one goes": ([FILES, below("/files/a/b/")], [FILES], "! GET /files/a/b/…"),
    "one for the value of a variable": ([PAGE, below("/a/")], [PAGE], "! GET /a/…"),
    "head is opened": ([pages(head=login_check(lambda self: ""))],
                       [pages(head=public(lambda self: ""))], "! HEAD /x"),
    "an equal rule for HEAD is not reached": ([guarded("/<int(max=5):n>")], [
        guarded("/<int(max=5):n>"), one_route("/<int(max=5):n>", methods=["HEAD"])], ""),
    "equal rules change places": ([guarded("/<a>"), PAGE], [PAGE, guarded("/<a>")],
                                  "! GET /<a>"),
    "an equal rule is not reached": ([PAGE], [PAGE, guarded("/<a>")], ""),
    "a literal goes beside a variable": ([guarded("/x"), PAGE], [PAGE], "! GET /x"),
    "an integer goes beside a text": ([guarded("/<int:n>"), PAGE], [PAGE], "! GET /<int:n>"),
    "a regex goes beside a text": ([guarded("/<re('[A-Z]{3}-[0-9]{4}'):x>"), PAGE], [PAGE],
                                   "! GET /<re('[A-Z]{3}-[0-9]{4}'):x>"),
    "a length goes beside a text": ([guarded("/<string(length=40):x>"), PAGE], [PAGE],
                                    "! GET /<string(length=40):x>"),
    "a regex that no sample is known for": ([guarded("/<re('(?P<t>a{7})b+(?P=t)'):x>"), PAGE],
                                            [PAGE], "! GET /<re('(?P<t>a{7})b+(?P=t)'):x>"),
    "a regex with a named group, twice": ([guarded(TWICE)], [one_route(TWICE), PAGE],
                                          f"! GET /<page> ! GET {TWICE}"),
    "rules that overlap in part": ([guarded("/y/<b>"), one_route("/<a>/x")], [one_route("/<a>/x")],
                                   "! GET /y/<b>"),
    "a WebSocket of the same path": ([SOCKET, guarded("/x")], [SOCKET, one_route()], "! GET /x"),
    "a longer text": ([one_route("/<string(maxlength=3):a>")],
                      [one_route("/<string(maxlength=4):a>")],
                      "! GET /<string(maxlength=4):a>"),
    "a shorter text beside any text": ([guarded("/<string(minlength=3,maxlength=8):a>"), PAGE],
                                       [guarded("/<string(minlength=3,maxlength=5):a>"), PAGE],
                                       "! GET /<string(minlength=3,maxlength=8):a>"),
    "one of several texts": ([guarded("/<any('a','v1.0'):x>"), PAGE],
                             [guarded("/<any('a'):x>"), PAGE], "! GET /<any('a','v1.0'):x>"),
    "a variable has another name": ([PAGE], [one_route("/<name>")], ""),
    "another host": ([one_route(subdomain="a")], [one_route(subdomain="b")], "! GET b/x - GET a/x"),
    "a higher limit": ([one_route("/<int(max=5):n>")], [one_route("/<int(max=9):n>")],
                       "! GET /<int(max=9):n> - GET /<int(max=5):n>"),
    "a limit goes": ([one_route("/<int(max=5):n>")], [one_route("/<int:n>")],
                     "! GET /<int(max=5):n> - GET /<int(max=5):n>"),
    "texts of which a text is one": ([guarded("/<any(a,b):k>"), PAGE],
                                     [one_route("/<a>/x"), guarded("/<any(a,b):k>"), PAGE],
                                     "! GET /<a>/x ! GET /<any(a,b):k>"),
    "a catch-all of the same end": ([guarded("/de/<path:p>"), one_route("/<l>/docs/about")],
                                    [one_route("/<l>/docs/about")], "! GET /de/<path:p>"),
    "a rule of more segments": ([guarded("/y/<b>/<c>"), one_route("/<path:a>/x")],
                                [one_route("/<path:a>/x")], "! GET /y/<b>/<c>"),
    "a redirect to a slash goes": ([guarded("/x/"), PAGE], [PAGE], "! GET /x/"),
    "a rule with a slash goes": ([one_route(strict_slashes=False), guarded("/x/")],
                                 [one_route(strict_slashes=False)], "! GET /x/"),
    "a rule takes a slash, too": ([one_route("/<int(max=5):n>")],
                                  [one_route("/<int(max=5):n>", strict_slashes=False)], ""),
    "a rule takes no slash any more": ([guarded("/x", strict_slashes=False),
                                        one_route("/<any(x):v>", strict_slashes=False)],
                                       [guarded("/x"), one_route("/<any(x):v>",
                                                                 strict_slashes=False)],
                                       "! GET /x"),
    "a second rule takes the slash": ([guarded("/x")], [
        guarded("/x"), one_route("/x", strict_slashes=False)], "! GET /x"),
    "a rule with the slash goes": ([one_route("/x"), guarded("/x", strict_slashes=False)],
                                   [one_route("/x")], ""),
    "another rule takes the slash": ([guarded("/x")], [
        guarded("/x"), one_route("/<any(x):v>", strict_slashes=False)], "! GET /<any(x):v>"),
    "a redirect becomes a view": ([one_route(redirect_to="/y")], [one_route()], "! GET /x"),
    "an alias becomes a view": ([PAGE, one_route(alias=True)], [PAGE, one_route()], "! GET /x"),
    "a class gets a method": ([listed()], [listed(post=lambda self: "")], "! POST /x"),
    "a guard by path goes with its rule": (
        [FILES, below("/files/b-c/")], [one_route("/files/<n>/x")],
        "! GET /files/b-c/… - GET /files/<path:name>"),
    "a regex that no sample is known for is tried later": ([guarded(SKU), PAGE],
                                                           [PAGE, guarded(SKU)], f"! GET {SKU}"),
    "one that no other rule matches goes": ([guarded(SKU), one_route("/")], [one_route("/")], ""),
    "a limit goes before a length": ([one_route("/<int(max=5):n>"), SHORT], [SHORT],
                                     "! GET /<int(max=5):n> - GET /<int(max=5):n>"),
    "a guard for one of several hosts": ([ENGLISH, below("/files/a/")], [ENGLISH],
                                         "! GET <any(en,de):l>/files/a/…"),
    "a guard below many segments": ([one_route("/<path:p>/end"), below("/a/b/c/d/e/")],
                                    [one_route("/<path:p>/end")], "! GET /a/b/c/d/e/…"),
    "subdomains are matched": ([one_route(subdomain="b"), without_subdomains],
                               [one_route(subdomain="b")], "! GET b/x"),
    "a rule without methods": ([], [every_method("/x", public(lambda: ""))], " ".join(
        f"! {each} /x" for each in ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"))),
    "another folder": ([folder("a")], [folder("b")],
                       "! GET /static/<path:filename> - GET /static/<path:filename>"),
}  # fmt: skip


def side_of(folder, *steps):
    app = Flask("service", root_path=str(folder), subdomain_matching=True)
    app.config.update(TESTING=True, COGNISES_GROUPS_FILE=str(folder / "groups.json"))
    (folder / "groups.json").write_text("[]")
    app.url_map.converters["re"] = Expression
    pools()[0].attach(app)
    for step in steps:
        step(app)
    return json.loads(json.dumps(access_side(app)))


@pytest.mark.parametrize(("before", "after", "expected"), SINGLE.values(), ids=SINGLE)
def test_a_change_of_what_answers_a_path_is_shown(before, after, expected, tmp_path):
    sides = (side_of(tmp_path, *steps, Cognises) for steps in (before, after))
    found = [each for each in access_diff(*sides) if each.who == "everybody"]
    shown = [f"{'!' if each.gained else '-'} {each.method} {each.path}" for each in found]
    assert " ".join(shown) == expected


def test_a_guard_below_a_rule_with_limits_is_a_loss_and_no_gain(tmp_path):
    year = one_route("/<int(min=1000):year>/<name>")
    sides = (side_of(tmp_path, year, *more, Cognises) for more in ((), (below("/2024/"),)))
    (found,) = access_diff(*sides)
    assert (found.who, found.text) == ("everybody", "loses GET /2024/… (now: signed in)")


def test_routes_that_nothing_denies_without_the_extension_are_gained(tmp_path):
    undeclared = one_route(view=lambda: "")
    (found,) = access_diff(side_of(tmp_path, undeclared, Cognises), side_of(tmp_path, undeclared))
    assert (found.who, found.text) == ("everybody", "gains GET /x (so far: nobody)")


def test_files_of_an_installed_package_are_the_same_in_the_checkout_of_a_revision(
    tmp_path, monkeypatch
):
    sides, installed = [], folder(str(tmp_path / "site-packages" / "files"))
    for name in ("project", "revision/checkout"):
        (tmp_path / name).mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        sides.append(side_of(tmp_path / name, installed, Cognises))
    assert access_diff(*sides) == ()
