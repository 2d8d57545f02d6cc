"""The service as a container runs it: gunicorn, two workers, below a path, with a client secret."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from dev_process import PATIENCE, copy_project, status, wait_for

from cognises.manifest import load_groups
from cognises.settings.sources import PROJECT_FOLDER
from load.server import CONFIGURATIONS, free_port
from local_aws.cognito import LocalCognito, serving
from local_aws.environment import isolate

LIFETIME = 2  # seconds that tokens live
WORKER = "X-Worker"  # the response header with the number of the worker process
_APPENDED = f"""

from cognises.tokens import http

for call in (http.fetch_json, http.post_form):
    call.__kwdefaults__["timeout"] = 12.0  # a busy machine is not an outage of Cognito

@bp.after_app_request
def name_worker(response):
    import os

    response.headers["{WORKER}"] = str(os.getpid())
    return response
"""


class Deployed(NamedTuple):
    """A running service, and what its pool is asked for."""

    address: str
    cognito: Any
    pool_id: str

    def _call(self, action: str, group: str, user: str) -> None:
        who = {"UserPoolId": self.pool_id, "Username": user, "GroupName": group}
        getattr(self.cognito, action)(**who)

    def add(self, user: str, group: str) -> None:
        self._call("admin_add_user_to_group", group, user)

    def remove(self, user: str, group: str) -> None:
        self._call("admin_remove_user_from_group", group, user)

    def make_token_large(self, user: str) -> None:
        """Make the user a member of so many groups that an ID token has 10 KB."""
        for number in range(75):
            name = f"{number:03}-{'long' * 22}"
            self.cognito.create_group(GroupName=name, UserPoolId=self.pool_id)
            self.add(user, name)


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Serve a copy of the project in `folder`; ended when the block is."""
    copy_project(folder)
    with (folder / "app" / "data.py").open("a") as file:
        file.write(_APPENDED)
    port = free_port()
    public_url = f"http://127.0.0.1:{port}/orders"
    with patch.dict(os.environ):
        isolate()
        with serving() as endpoint:
            local = LocalCognito(endpoint, public_url)
            api = local._cognito
            names = [group.name for group in load_groups(PROJECT_FOLDER / "groups.json")]
            for name in names:
                api.create_group(GroupName=name, UserPoolId=local.pool_id)
            local.add_users(names)
            client = _client(api, local.pool_id, public_url)
            settings = {
                "COGNISES_LOCAL": "1",
                "COGNISES_PUBLIC_URL": public_url,
                "COGNITO_CLIENT_ID": client["ClientId"],
                "COGNITO_CLIENT_SECRET": client["ClientSecret"],
                "COGNITO_COOKIE_NAME": "token_cookie",
                "COGNITO_DOMAIN": endpoint,
                "COGNITO_JWKS_URL": f"{endpoint}/{local.pool_id}/.well-known/jwks.json",
                "COGNITO_USER_POOL_ID": local.pool_id,
                "GUNICORN_BIND": f"127.0.0.1:{port}",
                "GUNICORN_KEEPALIVE": "0",  # any worker may take each request
                "PYTHONPATH": str(folder),
                "WEB_CONCURRENCY": "2",
            }
            with _gunicorn(folder, settings):
                wait_for(lambda: status(f"http://127.0.0.1:{port}/ready") == 200)
                yield Deployed(public_url, api, local.pool_id)


def _client(api: Any, pool_id: str, public_url: str) -> dict[str, str]:
    """A client of the console's "traditional web application": it has a secret."""
    made: dict[str, str] = api.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="confidential",
        GenerateSecret=True,
        CallbackURLs=[f"{public_url}/callback"],
        LogoutURLs=[f"{public_url}/"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["openid", "email", "profile"],
        ReadAttributes=["email", "email_verified"],
        IdTokenValidity=LIFETIME,
        AccessTokenValidity=LIFETIME,
        TokenValidityUnits={"IdToken": "seconds", "AccessToken": "seconds"},
        RefreshTokenRotation={"Feature": "ENABLED", "RetryGracePeriodSeconds": 10},
    )["UserPoolClient"]
    return made


@contextmanager
def _gunicorn(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-B", "-m", "gunicorn", "-c", str(CONFIGURATIONS[0])]
    with (folder / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--chdir", str(folder), "wsgi:app"],
            env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until_every_worker(answer: Any) -> dict[str, Any]:
    """The answers of both workers: `answer()` is asked until each has given one."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE
    while len(found) < 2:
        assert time.monotonic() < deadline, f"only {list(found)} answered"
        response = answer()
        found.setdefault(response.headers[WORKER], response)
    return found
