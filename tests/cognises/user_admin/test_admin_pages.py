"""The pages for administrators: lists in pages, search, the record, and what hostile input does."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from judged_aws import BUCKET, Aws, Clients
from werkzeug.datastructures import MultiDict

from app import create_app
from cognises.testing import FakePool, isolated


def names(text: str) -> list[str]:
    """The people that a list shows."""
    return re.findall(r'user=[^"]*">([^<]+)</a>', text)


def test_people_are_listed_in_pages_without_a_count(aws: Aws, as_user: Clients) -> None:
    for number in range(45):
        aws.add(f"user{number:02d}@example.org")
    client, path, seen = as_user("admins"), "/admin", []

    while path:
        text = client.get(path).text
        seen.append(names(text))
        later = re.search(r'href="([^"]*)">Next page<', text)
        path = unescape(later[1]) if later else ""

    assert [len(page) for page in seen] == [20, 20, 5]
    assert len({name for page in seen for name in page}) == 45
    assert aws.counted() == {"ListUsers": 3}


@pytest.mark.parametrize(
    ("by", "start", "found"),
    [
        ("email", "ada", ["ada@example.org"]),
        ("email", " ada@ ", ["ada@example.org"]),
        ("name", "Grace", ["grace@example.org"]),
        ("name", 'G" or "', []),
        ("email", "nobody", []),
        ("email", "\\", []),
    ],
)
def test_people_are_searched_by_how_an_attribute_starts(
    by: str, start: str, found: list[str], aws: Aws, as_user: Clients
) -> None:
    aws.add("ada@example.org", name="Ada")
    aws.add("grace@example.org", name="Grace Hopper")

    answer = as_user("admins").get("/admin", query_string={"by": by, "q": start})

    assert (answer.status_code, names(answer.text)) == (200, found)


HOSTILE = {
    "html": "<script>alert(1)</script>",
    "a quote": "\"'x",
    "a filter": 'x" or email ^= "',
    "a line break": "ada\r\nSet-Cookie: a=b",
    "a null": "ada\0",
    "long": "x" * 10_000,
    "empty": "",
    "spaces": "  ",
    "a path": "../../admin",
    "a direction": "\u202eada",
    "a surrogate": "\ud800",
    "another pool": "us-east-1_Other0000",
    "a template": "{{ config }}",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_input_is_refused_or_found_nowhere_and_comes_back_as_text(
    case: str, aws: Aws, as_user: Clients
) -> None:
    text, client = HOSTILE[case], as_user("admins")
    encoded = quote(text, safe="", errors="surrogatepass")
    answers = [
        client.get(f"/admin?q={encoded}"),
        client.get(f"/admin?page={encoded}&by={encoded}"),
        client.get(f"/admin/person?user={encoded}"),
        client.get(f"/admin/person?user={encoded}&done={encoded}"),
        client.get(f"/admin/audit?after={encoded}"),
        *(
            client.post("/admin/change", data=f"{form}&confirmed=yes&understood=yes".encode(),
                        content_type="application/x-www-form-urlencoded")
            for form in (f"action=disable&user={encoded}", f"action={encoded}&user=x",
                         f"action=add&user=x&group={encoded}",
                         f"action=invite&user={encoded}&group={encoded}")
        ),
    ]  # fmt: skip
    pages = client.get(f"/admin/person?user={encoded}", headers={"Accept": "text/html"})

    assert {each.status_code for each in [*answers, pages]} <= {200, 400, 404}
    for each in [*answers, pages]:
        assert each.is_json or "<script>alert" not in each.text
        assert "Set-Cookie" not in each.headers
    assert aws.record() == []
    assert {"AdminDisableUser", "AdminAddUserToGroup", "AdminCreateUser"}.isdisjoint(aws.calls)


def test_everything_that_is_wrong_with_a_form_is_said_at_once(aws: Aws, as_user: Clients) -> None:
    form = MultiDict([("action", "invite"), ("user", "ada"), ("group", "a b"), ("group", "nope")])

    answer = as_user("admins").post("/admin/change", data=form)

    assert answer.status_code == 400
    for said in ("ada is no e-mail address", "group 'a b' has a space", "no group nope"):
        assert said in answer.json["message"]
    assert aws.calls == []


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "add", "user": "x"},
        {"action": "add", "user": "x", "group": ["editors", "viewers"]},
        {"action": "add", "user": "x", "group": "nope"},
        {"action": "invite", "user": "Ada <ada@example.org>"},
    ],
)
def test_a_form_that_lacks_something_is_a_bad_request(
    form: dict[str, Any], aws: Aws, as_user: Clients
) -> None:
    assert as_user("admins").post("/admin/change", data=form).status_code == 400
    assert aws.calls == []


@pytest.mark.parametrize(
    "path", ["/admin/person?user=unknown", "/admin/person?user=ada@example.org"]
)
def test_only_cognitos_own_name_is_a_users_page(path: str, aws: Aws, as_user: Clients) -> None:
    name = aws.add("ada@example.org")
    client = as_user("admins")

    assert client.get(f"/admin/person?user={name}").status_code == 200
    assert client.get(path).status_code == 404


def test_a_page_shows_a_users_groups_and_no_token(aws: Aws, as_user: Clients) -> None:
    name, client = aws.add("ada@example.org", "editors", "viewers"), as_user("admins")

    answer = client.get(f"/admin/person?user={name}")

    assert set(re.findall('name="group" value="([^"]+)"', answer.text)) == {"editors", "viewers"}
    assert re.findall("<option>([^<]+)", answer.text) == ["admins", "helpers"]
    assert "disabled" not in answer.text
    assert client.environ_base["HTTP_AUTHORIZATION"].split()[1] not in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "style=" not in answer.text


def test_the_record_is_read_in_pages_the_newest_first(aws: Aws, as_user: Clients) -> None:
    name, client = aws.add("ada@example.org"), as_user("admins")
    for number in range(23):
        form = {"action": ("disable", "enable")[number % 2], "user": name, "confirmed": "yes"}
        assert client.post("/admin/change", data=form).status_code == 303

    first = client.get("/admin/audit").text
    older = unescape(re.findall(r'href="([^"]+)">Older changes<', first)[0])
    second = client.get(older).text

    found = re.findall(r"<strong>(Disable|Enable)</strong>", first + second)
    assert found == ["Disable", "Enable"] * 11 + ["Disable"]
    assert "Older changes" not in second
    assert "by ada@example.org (" in first


BODIES = {
    "html": json.dumps({"who": "<script>alert(1)</script>", "action": "<b>"}).encode(),
    "no json": b"\xff",
    "a list": b"[]",
    "a surrogate": rb'{"who": "\ud800", "action": "\u202e"}',
    "deep": b"[" * 4000,
    "large": b'{"who": "' + b"x" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("case", BODIES)
def test_what_is_no_entry_of_the_record_is_shown_as_such(
    case: str, aws: Aws, as_user: Clients
) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key="audit/0<i>.json", Body=BODIES[case])

    answer = as_user("admins").get("/admin/audit")

    assert (answer.status_code, "<script>alert" in answer.text) == (200, False)
    assert ("is no entry of this service" in answer.text) == (case not in ("html", "a surrogate"))
    assert ("\\ud800" in answer.text, "\u202e" in answer.text) == (case == "a surrogate", False)
    assert len(answer.text) < 20_000


def test_an_access_token_gets_an_error_that_names_the_token_aws_takes(fake_pool: FakePool) -> None:
    app = create_app(isolated(COGNITO_TOKEN_USE="access"))
    client, headers = app.test_client(), fake_pool.bearer(["admins"], token_use="access")
    fake_pool.attach(app)

    assert "AWS takes an ID token" in client.get("/admin", headers=headers).text
    form = {"action": "disable", "user": "x"}
    assert client.post("/admin/change", data=form, headers=headers).status_code == 409
