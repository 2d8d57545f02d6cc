"""Local runs keep the settings that name no account, and drop all others."""

from __future__ import annotations

import pytest

from local_aws import environment


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "PROJECT_FOLDER", tmp_path)
    return tmp_path


def isolated(**environ: str) -> dict[str, str]:
    environment.isolate(environ)
    return environ


def test_what_names_no_account_is_kept(project):
    kept = {
        "COGNISES_CORS_ORIGINS": "http://localhost:5173",
        "COGNISES_LOG_LEVEL": "DEBUG",
        "COGNISES_LOG_FORMAT": "json",
        "COGNISES_MAX_BODY_BYTES": "10",
        "COGNISES_ROLE_PREFIX": "shop-",
        "COGNITO_TOKEN_USE": "access",
    }

    assert isolated(**kept).items() >= kept.items()


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_IAM",
        "COGNITO_USER_POOL_ID",
        "COGNITO_CLIENT_ID",
        "COGNITO_CLIENT_SECRET",
        "COGNITO_DOMAIN",
        "COGNITO_JWKS_URL",
        "COGNITO_JWKS_FILE",
        "COGNITO_ISSUER",
        "COGNITO_IDENTITY_POOL_ID",
        "COGNISES_PUBLIC_URL",
        "COGNISES_PERMISSIONS_BOUNDARY",
        "COGNISES_METRICS_ADDRESS",
        "FLASK_DEBUG",
        "https_proxy",
    ],
)
def test_what_names_an_account_a_trust_root_or_an_address_is_dropped(project, name):
    assert "real" not in isolated(**{name: "real"}).values()


def test_an_env_file_cannot_switch_the_endpoints_of_local_runs_off(project):
    assert isolated()["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] == "false"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("AWS_REGION=eu-central-1\n", "eu-central-1"),
        ("AWS_REGION=us-gov-west-1\n", "us-gov-west-1"),
        ("AWS_REGION=cn-north-1\n", "us-east-1"),
        ("AWS_REGION=nowhere\n", "us-east-1"),
        ("", "us-east-1"),
    ],
)
def test_the_region_is_the_projects_own(project, text, region):
    (project / ".flaskenv").write_text(text)

    environ = isolated(AWS_REGION="ap-south-1", AWS_DEFAULT_REGION="ap-south-1")

    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == region
