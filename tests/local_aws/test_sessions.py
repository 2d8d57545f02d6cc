"""Sessions of a browser on the embedded Cognito, with refresh-token rotation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from running_cognito import PUBLIC_URL

from cognises import Cognises, permission_required
from cognises.signin import sign_in
from cognises.web.state import state_of
from local_aws.cognito import DemoUser, LocalCognito, serving
from local_aws.environment import isolate
from local_aws.issuer import Issuer

HTML = {"Accept": "text/html"}
LOOPBACK = {"base_url": PUBLIC_URL, "environ_base": {"REMOTE_ADDR": "127.0.0.1"}}


class Browser:
    """Tabs of one browser: they share their cookies."""

    def __init__(self, app: Flask, cognito: LocalCognito, user: DemoUser) -> None:
        self._app, self._api = app, cognito._cognito
        self._who = {"UserPoolId": cognito.pool_id, "Username": user.name}
        self.cookies: dict[str, str] = {}
        self.issuer = Issuer(cognito.client_id)
        self.issuer.client["RefreshTokenRotation"] = {"Feature": "ENABLED"}
        (person,) = self.issuer.people()
        self._username = person.username

    def leave_the_group(self) -> None:
        self._api.admin_remove_user_from_group(**self._who, GroupName="editors")

    def be_disabled(self) -> None:
        self._api.admin_disable_user(**self._who)

    def use_setting(self, name: str, value: str) -> None:
        self._app.config[name] = value
        state_of(self._app).reset()

    def get(self, path: str) -> tuple[int, str]:
        """Open a path and follow redirects of the service's own; status, and text or target."""
        for _ in range(5):
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            client = self._app.test_client(use_cookies=False)
            answer = client.get(path, headers={**HTML, "Cookie": cookies}, **LOOPBACK)
            for line in answer.headers.getlist("Set-Cookie"):
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
            path = answer.headers.get("Location", "")
            if not path.startswith("/"):
                return answer.status_code, path or answer.text
        return answer.status_code, "a loop"

    def sign_in(self) -> None:
        _, address = self.get("/page")
        with requests.Session() as session:
            page = session.get(address, timeout=10).text
            form = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page))
            form["username"] = re.findall(r'name="username" value="([^"]+)"', page)[0]
            own = {"Origin": "/".join(address.split("/")[:3])}
            back = session.post(
                f"{own['Origin']}/login", data=form, headers=own, allow_redirects=False, timeout=10
            )
        url = urlsplit(back.headers["Location"])
        assert self.get(f"{url.path}?{url.query}")[0] == 200

    def let_the_token_end(self) -> None:
        """Put an expired token of the same user in the place of the good one."""
        with patch.object(Issuer, "seconds", lambda self, kind: -60):
            tokens = self.issuer._tokens(self._username, ["openid"], "session", None)
        self.cookies["token_cookie"] = tokens["id_token"]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with patch.dict(os.environ):
        isolate()
        with serving() as address:
            cognito = LocalCognito(address, PUBLIC_URL)
            cognito._cognito.create_group(GroupName="editors", UserPoolId=cognito.pool_id)
            (user,) = cognito.add_users(["editors"], newcomer=False)
            (tmp_path / "groups.json").write_text(
                '[{"group_name": "editors", "allowed_functions": ["page"]}]'
            )
            app = Flask("service", root_path=str(tmp_path))
            app.config.update(
                COGNISES_LOCAL="1",
                COGNITO_USER_POOL_ID=cognito.pool_id,
                COGNITO_CLIENT_ID=cognito.client_id,
                COGNITO_JWKS_URL=f"{address}/{cognito.pool_id}/.well-known/jwks.json",
                COGNITO_DOMAIN=address,
                COGNISES_PUBLIC_URL=PUBLIC_URL,
            )
            app.get("/page", endpoint="page")(permission_required(_page))
            sign_in(app)
            Cognises(app)
            browser = Browser(app, cognito, user)
            browser.sign_in()
            yield browser


def _page(response: object) -> str:
    return "the page"


@pytest.mark.parametrize("lose", ["expired", "missing"])
def test_two_tabs_navigate_on_while_tokens_end_and_refresh_tokens_rotate(browser, lose):
    used = set()
    for _ in range(8):
        used.add(browser.cookies["refresh"])
        if lose == "expired":
            browser.let_the_token_end()
        else:
            del browser.cookies["token_cookie"]
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(browser.get, ["/page", "/page"]))

        assert answers == [(200, "the page")] * 2

    assert len(used) == 8


def test_who_leaves_a_group_is_refused_when_the_token_ends(browser):
    browser.leave_the_group()
    browser.let_the_token_end()

    status, text = browser.get("/page")

    assert status == 403
    assert "not open to you" in text


def test_who_is_disabled_is_signed_out_when_the_token_ends(browser):
    browser.be_disabled()
    browser.let_the_token_end()

    status, target = browser.get("/page")

    assert status == 302
    assert "/oauth2/authorize?" in target


def test_a_service_whose_client_has_a_secret_renews_and_signs_in_with_it_alone(browser):
    client = browser.issuer._pool.clients[browser.issuer.client_id]
    client.generate_secret, client.secret = True, "s3cr3t+/=%:&x"
    browser.let_the_token_end()
    assert browser.get("/page")[0] == 502

    browser.use_setting("COGNITO_CLIENT_SECRET", client.secret)
    assert browser.get("/page") == (200, "the page")
    browser.cookies.clear()
    browser.sign_in()
    assert browser.get("/page") == (200, "the page")
