"""The one credential of a request, and the browser's word for where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Request
from request_side import refused
from werkzeug.test import EnvironBuilder

from cognises import CognisesError
from cognises.settings.model import Settings
from cognises.web.credentials import is_same_origin, read_token

SETTINGS = Settings(Path())
TOKEN = "header.payload.signature"


def request(method: str = "GET", **headers: str) -> Request:
    environ = EnvironBuilder("/", method=method).get_environ()
    host = headers.pop("Host", "app.example.org")
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Request(environ | {"HTTP_HOST": host})


def read(*arguments: str, settings: Settings = SETTINGS, **headers: str) -> str | None:
    """The token of a request; a refusal as its reason in angle brackets."""
    try:
        return read_token(request(*arguments, **headers), settings)
    except CognisesError as error:
        return f"<{error.reason}>"


HEADERS = {
    "Bearer": (f"Bearer {TOKEN}", TOKEN),
    "bearer in small letters": (f"bearer {TOKEN}", TOKEN),
    "BEARER": (f"BEARER {TOKEN}", TOKEN),
    "an empty header": ("", "<invalid_request>"),
    "white space alone": ("   ", "<invalid_request>"),
    "the scheme alone": ("Bearer", "<invalid_request>"),
    "the scheme and a space": ("Bearer ", "<invalid_request>"),
    "two spaces": (f"Bearer  {TOKEN}", TOKEN),
    "many spaces": (f"Bearer{' ' * 50}{TOKEN}", TOKEN),
    "spaces alone": ("Bearer    ", "<invalid_request>"),
    "a space and a tab": (f"Bearer \t{TOKEN}", "<invalid_request>"),
    "a tab": (f"Bearer\t{TOKEN}", "<invalid_request>"),
    "a space in front": (f" Bearer {TOKEN}", "<invalid_request>"),
    "a space behind": (f"Bearer {TOKEN} ", "<invalid_request>"),
    "two tokens": (f"Bearer {TOKEN} {TOKEN}", "<invalid_request>"),
    "two headers, joined": (f"Bearer {TOKEN},Bearer {TOKEN}", "<invalid_request>"),
    "two headers, joined with a space": (f"Bearer {TOKEN}, Bearer {TOKEN}", "<invalid_request>"),
    "a comma behind": (f"Bearer {TOKEN},", "<invalid_request>"),
    "Basic and Bearer": (f"Basic YTpi, Bearer {TOKEN}", "<invalid_request>"),
    "Basic": ("Basic YTpi", "<invalid_request>"),
    "Digest": ("Digest a=b", "<invalid_request>"),
    "the token alone": (TOKEN, "<invalid_request>"),
    "a scheme that starts alike": (f"BearerX {TOKEN}", "<invalid_request>"),
    "a colon": (f"Bearer: {TOKEN}", "<invalid_request>"),
    "an equals sign": (f"Bearer={TOKEN}", "<invalid_request>"),
    "a no-break space": (f"Bearer\xa0{TOKEN}", "<invalid_request>"),
    "a tab behind": (f"Bearer {TOKEN}\t", "<invalid_request>"),
    "a tab inside": (f"Bearer {TOKEN}\t{TOKEN}", "<invalid_request>"),
    # No white space of HTTP: it is for the verifier to say that this is no token.
    "a newline inside": (f"Bearer {TOKEN}\n{TOKEN}", f"{TOKEN}\n{TOKEN}"),
    "a form feed inside": (f"Bearer {TOKEN}\f{TOKEN}", f"{TOKEN}\f{TOKEN}"),
    "a no-break space behind": (f"Bearer {TOKEN}\xa0", f"{TOKEN}\xa0"),
    "past any token's length": ("Bearer " + "A" * 16_385, "<invalid_token>"),
    "20 megabytes": ("Bearer " + "A" * 20_000_000, "<invalid_token>"),
    "20 megabytes of spaces": ("Bearer " + " " * 20_000_000, "<invalid_token>"),
}


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_an_authorization_header_is_one_bearer_credential_or_refused(header, expected):
    assert read(Authorization=header) == expected


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_a_bad_header_never_falls_back_to_the_cookie(header, expected):
    assert read(Authorization=header, Cookie="token_cookie=from-cookie") == expected


COOKIES = {
    "none": ("", None),
    "another": ("session=x", None),
    "ours": (f"token_cookie={TOKEN}", TOKEN),
    "ours among others": (f"a=b; token_cookie={TOKEN}; c=d", TOKEN),
    "ours, empty": ("token_cookie=", ""),
    "a name that ends alike": (f"my_token_cookie={TOKEN}", None),
    "a name that starts alike": (f"token_cookie2={TOKEN}", None),
    "a name in other case": (f"Token_Cookie={TOKEN}", None),
    "our name as a value": (f"a=token_cookie; b={TOKEN}", None),
    "twice": (f"token_cookie={TOKEN}; token_cookie=other", "<invalid_request>"),
    "twice the same": (f"token_cookie={TOKEN}; token_cookie={TOKEN}", "<invalid_request>"),
    "twice, one quoted": (f'token_cookie={TOKEN}; token_cookie="x"', "<invalid_request>"),
    "twice, with white space": (f"token_cookie={TOKEN};token_cookie =x", "<invalid_request>"),
    "100 kB": ("token_cookie=" + "A" * 100_000, "<invalid_request>"),
    "100 kB of another": ("session=" + "A" * 100_000, "<invalid_request>"),
    "thousands of them": ("token_cookie=x" + ";" * 2_000, "<invalid_request>"),
    "as many as browsers keep": ("a=b; " * 180 + f"token_cookie={TOKEN}", TOKEN),
}


@pytest.mark.parametrize(("cookies", "expected"), COOKIES.values(), ids=COOKIES.keys())
def test_a_cookie_is_the_one_of_exactly_our_name(cookies, expected):
    assert read(Cookie=cookies) == expected


def test_a_cookie_of_the_plain_name_is_nothing_where_the_host_prefix_is_configured():
    settings = Settings(Path(), cookie_name="__Host-token")

    assert read(settings=settings, Cookie=f"token_cookie={TOKEN}") is None
    assert read(settings=settings, Cookie=f"__Host-token={TOKEN}") == TOKEN
    assert (
        read(settings=settings, Cookie=f"__Host-token={TOKEN}; __Host-token=x")
        == "<invalid_request>"
    )


def test_the_header_wins_over_the_cookie():
    assert read(Authorization="Bearer from-header", Cookie="token_cookie=other") == "from-header"


PUBLIC = "https://app.example.org"
# Sec-Fetch-Site, Origin, Host, public address: same origin?
ORIGINS = [
    ("same-origin", None, "app.example.org", None, True),
    ("same-origin", "https://evil.example", "app.example.org", None, True),
    ("same-site", PUBLIC, "app.example.org", None, False),
    ("cross-site", PUBLIC, "app.example.org", PUBLIC, False),
    ("none", PUBLIC, "app.example.org", None, False),
    ("", PUBLIC, "app.example.org", None, False),
    ("Same-Origin", PUBLIC, "app.example.org", None, False),
    ("same-origin, cross-site", PUBLIC, "app.example.org", None, False),
    (None, None, "app.example.org", None, False),
    (None, None, "app.example.org", PUBLIC, False),
    (None, PUBLIC, "app.example.org", None, True),
    (None, "http://app.example.org", "app.example.org", None, True),  # behind a TLS proxy
    (None, PUBLIC, "app.example.org", PUBLIC, True),
    (None, PUBLIC + ":443", "app.example.org", PUBLIC, True),
    (None, "HTTPS://APP.EXAMPLE.ORG", "app.example.org", PUBLIC, True),
    (None, PUBLIC, "spoofed.example", PUBLIC, True),
    (None, "https://spoofed.example", "spoofed.example", PUBLIC, False),
    (None, "http://app.example.org", "app.example.org", PUBLIC, False),
    (None, PUBLIC + ":8443", "app.example.org", PUBLIC, False),
    (None, PUBLIC + ":8443", "app.example.org:8443", None, True),
    (None, PUBLIC, "app.example.org:8443", None, False),
    (None, "https://evil.example", "app.example.org", None, False),
    (None, "https://app.example.org.evil.example", "app.example.org", PUBLIC, False),
    (None, "https://evil-app.example.org", "app.example.org", PUBLIC, False),
    (None, "https://app.example.org@evil.example", "app.example.org", PUBLIC, False),
    (None, "https://app.example.org/", "app.example.org", PUBLIC, False),
    (None, "https://app.example.org/path", "app.example.org", PUBLIC, False),
    (None, "https://app.example.org https://evil.example", "app.example.org", PUBLIC, False),
    (None, "null", "app.example.org", None, False),
    (None, "null", "app.example.org", PUBLIC, False),
    (None, "", "app.example.org", None, False),
    (None, "app.example.org", "app.example.org", None, False),
    (None, "ftp://app.example.org", "app.example.org", None, False),
    (None, "file://", "app.example.org", None, False),
    (None, "https://app.example.org:bad", "app.example.org", None, False),
    (None, "https://[::1", "app.example.org", None, False),
    (None, "http://[::1]:5000", "[::1]:5000", None, True),
    (None, "http://localhost:5000", "localhost:5000", None, True),
    (None, "http://localhost:5001", "localhost:5000", None, False),
    (None, "https://" + "a" * 20_000_000, "app.example.org", None, False),
]


@pytest.mark.parametrize(("site", "origin", "host", "public", "same"), ORIGINS, ids=lambda _: "")
def test_a_cookie_on_an_unsafe_method_must_come_from_the_site_itself(
    site, origin, host, public, same
):
    headers = {"Sec_Fetch_Site": site, "Origin": origin, "Host": host}
    headers = {name: value for name, value in headers.items() if value is not None}
    settings = Settings(Path(), public_url=public)
    cookie = {"Cookie": f"token_cookie={TOKEN}"}

    assert is_same_origin(request("POST", **headers), public) is same
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        expected = TOKEN if same else "<cross_site>"
        assert read(method, settings=settings, **cookie, **headers) == expected
    for method in ("GET", "HEAD", "OPTIONS"):
        assert read(method, settings=settings, **cookie, **headers) == TOKEN
    assert read("POST", settings=settings, Authorization=f"Bearer {TOKEN}", **headers) == TOKEN


@pytest.mark.parametrize("host", ["bad host", "a/b", "a?b", "", "[::1", "x:99999", "x:y", "a#b"])
@pytest.mark.parametrize("origin", ["null", "", "https://", "bad", "https://x:y"])
def test_an_origin_that_is_no_origin_never_equals_a_host_that_is_no_host(host, origin):
    assert not is_same_origin(request("POST", Origin=origin, Host=host), None)


def test_a_cross_site_request_without_our_cookie_is_merely_anonymous():
    assert read("POST", Cookie="other=1", Origin="https://evil.example") is None


def test_a_refused_cookie_names_no_token():
    error = refused(read_token, request("POST", Cookie=f"token_cookie={TOKEN}"), SETTINGS)

    assert TOKEN not in f"{error!r}{error.detail}{error.headers}"
    assert error.headers == {}


NAMED = [
    ("GET", {"Authorization": "Basic eDp5"}, "its scheme is basic"),
    ("GET", {"Authorization": "Negotiate abc"}, "its scheme is negotiate"),
    ("GET", {"Authorization": "s3cret x"}, "not one Bearer credential"),
    ("POST", {"Sec_Fetch_Site": "cross-site"}, "Sec-Fetch-Site is cross-site"),
    ("POST", {"Sec_Fetch_Site": "s3cret"}, "not a known value"),
    ("POST", {"Origin": "https://s3cret.example"}, "Origin is not the address"),
    ("POST", {}, "neither Sec-Fetch-Site nor Origin"),
]


@pytest.mark.parametrize(("method", "headers", "detail"), NAMED, ids=str)
def test_the_detail_for_the_log_names_what_was_received_in_fixed_words(method, headers, detail):
    error = refused(
        read_token, request(method, Cookie=f"token_cookie={TOKEN}", **headers), SETTINGS
    )

    assert detail in error.detail
    assert "s3cret" not in error.detail
