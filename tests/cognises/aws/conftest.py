"""A service whose views act in AWS, and an AWS on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fake_aws import FakeAws
from flask import Flask

from cognises import login_check
from cognises.aws import user_client, user_session

IDENTITY_POOL = "us-east-1:00000000-0000-0000-0000-000000000000"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    fake = FakeAws()
    monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # botocore sleeps before it tries again; the number of attempts is what the tests are about.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    yield fake
    fake.close()


@pytest.fixture
def app(make_app: Callable[..., Flask], aws: FakeAws) -> Flask:
    def views(app: Flask) -> None:
        @app.get("/caller")
        @login_check(token_use=["id", "access"])
        def caller(response: Any) -> dict[str, str]:
            return {"arn": user_client("sts").get_caller_identity()["Arn"]}

        @app.get("/caller/async")
        @login_check
        async def caller_async(response: Any) -> dict[str, str]:
            return {"arn": user_client("sts").get_caller_identity()["Arn"]}

        @app.get("/session")
        @login_check
        def session(response: Any) -> dict[str, Any]:
            found = user_session()
            return {"key": found.get_credentials().access_key, "region": found.region_name}

        @app.get("/handled")
        @login_check
        def handled(response: Any) -> dict[str, str]:
            from botocore.exceptions import ClientError

            try:
                user_client("sts").get_caller_identity()
            except ClientError as error:
                return {"code": error.response["Error"]["Code"]}
            return {}

        @app.get("/optional")
        @login_check(optional=True)
        def optional(response: Any) -> dict[str, str]:
            return {"arn": user_client("sts").get_caller_identity()["Arn"]}

    return make_app(views, COGNITO_IDENTITY_POOL_ID=IDENTITY_POOL)
