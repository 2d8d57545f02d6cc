"""Sign-in at another emulator of Cognito than moto, by settings alone: `make emulator`.

ministack makes the resources of infra/cognito.yaml and serves managed login. It pins botocore, so
it cannot be among the suite's requirements: `TEST_EMULATOR` is the command that starts it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from dotenv import dotenv_values
from flask.testing import FlaskClient
from other_emulator import running

from app import create_app
from cognises.provisioning import main as provision
from cognises.settings.sources import NAMES
from local_aws.environment import isolate

pytestmark = pytest.mark.emulator

PUBLIC_URL = "http://localhost"
USER, PASSWORD = "ada@example.org", "Correct-horse-7-battery"
HTML = {"Accept": "text/html"}
SAME = {"Sec-Fetch-Site": "same-origin", **HTML}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the emulator, while it runs."""
    with running(tmp_path_factory.mktemp("emulator")) as address:
        yield address


@pytest.fixture(scope="module")
def settings(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What `bootstrap` wrote, and the settings that name the emulator; its pool has one editor."""
    file = tmp_path_factory.mktemp("settings") / "env"
    file.write_text("AWS_REGION=us-east-1\nCOGNISES_ROLE_PREFIX=a-service-\n")
    with patch.dict(os.environ):
        isolate()
        for name in NAMES:
            os.environ.pop(name, None)  # the file has them
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        asked = ["--public-url", PUBLIC_URL, "--domain-prefix", "sign-in", "--yes"]
        assert provision(["bootstrap", "--env-file", str(file), *asked]) == 0
        assert provision(["apply", "--env-file", str(file), "--yes"]) == 0
        written = dotenv_values(file)
        who = {"UserPoolId": written["COGNITO_USER_POOL_ID"], "Username": USER}
        pool = boto3.client("cognito-idp", endpoint_url=endpoint)
        verified = [{"Name": "email", "Value": USER}, {"Name": "email_verified", "Value": "true"}]
        pool.admin_create_user(**who, UserAttributes=verified, MessageAction="SUPPRESS")
        pool.admin_set_user_password(**who, Password=PASSWORD, Permanent=True)
        pool.admin_add_user_to_group(**who, GroupName="editors")
        yield written | {
            "COGNISES_LOCAL": "1",
            "COGNITO_COOKIE_NAME": "token_cookie",
            "COGNITO_DOMAIN": endpoint,
            "COGNITO_JWKS_URL": f"{endpoint}/{who['UserPoolId']}/.well-known/jwks.json",
        }


def sign_in(browser: FlaskClient, page: str) -> str:
    """Open a page, sign in at the emulator, come back; where the callback leads to."""
    address = browser.get(browser.get(page, headers=HTML).location, headers=HTML).location
    shown = requests.get(address, timeout=10)
    form = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', shown.text))
    form |= {"username": USER, "password": PASSWORD}
    target = "{0.scheme}://{0.netloc}/login".format(urlsplit(address))
    back = requests.post(target, data=form, allow_redirects=False, timeout=10)
    return str(
        browser.get(back.headers["Location"].removeprefix(PUBLIC_URL), headers=HTML).location
    )


def test_a_user_signs_in_is_renewed_and_signs_out(settings: dict[str, Any]):
    app = create_app(settings)
    browser = app.test_client()

    assert sign_in(browser, "/access") == "/access"
    assert USER in browser.get("/access", headers=HTML).text
    assert browser.put("/data", data=b"x", headers=SAME).status_code == 400  # admitted: no name
    assert browser.get("/admin", headers=HTML).status_code == 403

    browser.delete_cookie("token_cookie")
    renewed = browser.get("/access", headers=HTML)
    assert renewed.status_code == 403  # the tokens that ministack 1.5.33 renews have no groups
    assert USER in renewed.text
    assert browser.get_cookie("token_cookie") is not None

    left = browser.post("/logout", headers=SAME)
    assert left.location.startswith(f"{settings['COGNITO_DOMAIN']}/logout?")
    assert browser.get_cookie("refresh") is None
    assert browser.get("/access").status_code == 401
