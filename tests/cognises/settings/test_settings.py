"""Settings fail closed: where they are read, what each must look like, every problem at once."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from flask import Flask

from cognises import SettingsError, read_settings
from cognises.settings.model import DEPLOYED_MARKERS, Settings, parse
from cognises.settings.sources import NAMES, NEVER_COMMITTED, project_folder, read, read_values
from cognises.settings.values import ROLE_PATH, is_loopback, login_address

POOL = "us-east-1_AbCd12345"


def problems_of(call, *arguments: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        call(*arguments)
    return caught.value.problems


# Values

POOLS = ["", "pool", "us-east-1", "us-east-1_", "_Abc", "us-east-1_Ab-c", "us-east-1_Ab/c",
         "us-east-1_Abc ", "us-east-1_Abc\n", "US-EAST-1_Abc", "us-east_Abc", "us-east-1_Äbc",
         "us-east-1_" + "a" * 51, "evil.example/us-east-1_Abc", "us-east-1_Abc.", "u-1_A",
         "us-east-1_Abc,us-east-1_Def", "us-east-111_Abc", "us-east-1_Abc\x00"]  # fmt: skip
BAD = {
    "COGNITO_USER_POOL_ID": POOLS,
    "COGNITO_CLIENT_ID": ["", ",", "a,", ",a", "a,,b", "a b", "a-b", "a/b", "é", "a" * 129, "a;b"],
    "COGNITO_CLIENT_SECRET": ["", "a b", "a\nb", "é", "a" * 257, "a\x00"],
    "COGNITO_GROUPS_CLAIM": ["", "my groups", "é", "a" * 129, "a\n", "sub", "email", "name", "aud",
                             "preferred_username", "nickname", "scope", "client_id", "username",
                             "cognito:username", "cognito:roles", "identities", "token_use"],
    "COGNITO_SCOPES": ["", "email", "openid,", "openid,,email", "openid openid", 'openid "x"',
                       "openid\\x", "openid é", "openid\temail", "openid\nemail",
                       "openid " + "a" * 257],
    "COGNITO_TOKEN_USE": ["", "ID", "ids", "refresh", "id,", "id,,access", "id,id", "id access",
                          "access;id"],
    "COGNITO_AUDIENCE": ["", ",", "a,,b", "a b", "é", '"a"', "a" * 513, "a,\n"],
    "COGNITO_ADDITIONAL_REGIONS": ["", "eu", "eu-west-1,,us-east-1", "eu-west-1,evil.example",
                                   "EU-WEST-1", "eu-west-1/x", "eu_west_1"],
    "COGNITO_JWKS_FILE": ["", "missing.json", ".", "../missing.json"],
    "COGNITO_COOKIE_NAME": ["", "a b", "a;b", "a=b", "a,b", "é", "a" * 129, '"a"', "a\n"],
    "COGNISES_LOCAL": ["", "yes", "true", "True", "on", "2", "01", " 1"],
    "COGNISES_REALM": ["", 'a"b', "a\\b", "a\nb", "é", "a" * 65],
    "COGNISES_TOKEN_CACHE_SIZE": ["", "-1", "1.5", "many", "1e3", "٣", "12345678", "0x10", "1_000"],
    "COGNISES_PUBLIC_URL": ["", "app.example.org", "http://app.example.org", "https://",
                            "https://app.example.org/a b", "https://app.example.org?q",
                            "https://app.example.org/a?q", "https://app.example.org/a#f",
                            "https://app.example.org/../a", "https://app.example.org/a/./b",
                            "https://app.example.org/a/..", "https://app.example.org//evil.example",
                            "https://app.example.org/%2e%2e", "https://app.example.org/a;b",
                            "https://app.example.org/a\\b", "https://app.example.org/é",
                            "https://user@app.example.org/a", "https://app.example.org/a\tb",
                            "https://app.example.org#f", "https://user@app.example.org",
                            "https://user:pw@app.example.org", "ftp://app.example.org",
                            "javascript:alert(1)", "//app.example.org", "http://localhost:5000",
                            "https://[::1", "https://app.example.org:bad",
                            "https://app.example.org:99999", "https://app example.org"],
    "COGNISES_LOG_FORMAT": ["", "JSON", "plain", "json,text"],
    "COGNISES_LOG_LEVEL": ["", "info", "10", "TRACE"],
    "COGNISES_BEHIND_PROXY": ["", "2", "yes", "true"],
    "COGNISES_CORS_ORIGINS": ["", "*", "null", "https://*.example.org", "https://a.example/",
                              "https://a.example/path", "http://a.example", "a.example",
                              "https://a.example,,https://b.example", "https://a.example:99999",
                              "https://a.example,https://a.example", "https://u@a.example",
                              "https://a.example|https://b.example", "https://[::1]", ".*"],
    "COGNISES_MAX_BODY_BYTES": ["", "0", "-1", "1.5", "1MB", "12345678901", "٣"],
    "COGNISES_METRICS_ADDRESS": ["", "9464", ":9464", "127.0.0.1", "127.0.0.1:0", "0.0.0.0:65536",
                                 "localhost:9464", "127.0.0.1:9464/metrics", "127.0.0.1:٣"],
    "COGNITO_DOMAIN": ["", "example.auth.us-east-1.amazoncognito.com", "http://x.example",
                       "https://x.example/login"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_value_is_named_and_never_taken(name: str, value: str, tmp_path: Path):
    extra = {"COGNISES_PUBLIC_URL": "https://a.example"} if name == "COGNITO_DOMAIN" else {}

    told = problems_of(parse, tmp_path, extra | {name: value})

    assert len(told) == 1
    assert told[0].startswith(f"{name}: ")


GOOD = [
    ("COGNITO_USER_POOL_ID", POOL, "pool", POOL),
    ("COGNITO_USER_POOL_ID", "us-gov-west-1_Abc", "pool", "us-gov-west-1_Abc"),
    ("COGNITO_USER_POOL_ID", "cn-north-1_Abc", "pool", "cn-north-1_Abc"),
    ("COGNITO_USER_POOL_ID", "eusc-de-east-1_Abc", "pool", "eusc-de-east-1_Abc"),
    ("COGNITO_CLIENT_ID", "one, two", "client_ids", {"one", "two"}),
    ("COGNITO_CLIENT_ID", "a+b_c", "client_ids", {"a+b_c"}),
    ("COGNITO_TOKEN_USE", "id,access", "token_use", {"id", "access"}),
    ("COGNITO_TOKEN_USE", "access", "token_use", {"access"}),
    ("COGNITO_AUDIENCE", "https://a,urn:b", "audiences", {"https://a", "urn:b"}),
    ("COGNITO_ADDITIONAL_REGIONS", "eu-west-1", "additional_regions", ("eu-west-1",)),
    ("COGNITO_COOKIE_NAME", "__Host-token", "cookie_name", "__Host-token"),
    ("COGNISES_LOCAL", "1", "local", True),
    ("COGNISES_LOCAL", "0", "local", False),
    ("COGNISES_REALM", "my service", "realm", "my service"),
    ("COGNISES_TOKEN_CACHE_SIZE", "0", "token_cache_size", 0),
    ("COGNISES_LOG_FORMAT", "text", "log_format", "text"),
    ("COGNISES_LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
    ("COGNISES_BEHIND_PROXY", "1", "behind_proxy", True),
    (
        "COGNISES_CORS_ORIGINS",
        "https://a.example, https://b.example:8443",
        "cors_origins",
        ("https://a.example", "https://b.example:8443"),
    ),
    ("COGNISES_MAX_BODY_BYTES", "1", "max_body_bytes", 1),
    ("COGNISES_METRICS_ADDRESS", "127.0.0.1:9464", "metrics_address", ("127.0.0.1", 9464)),
    ("COGNISES_METRICS_ADDRESS", "[::1]:9464", "metrics_address", ("::1", 9464)),
    ("COGNISES_PUBLIC_URL", "https://App.Example.org/", "public_url", "https://app.example.org"),
    ("COGNISES_PUBLIC_URL", "https://a.example:8443", "public_url", "https://a.example:8443"),
    ("COGNISES_PUBLIC_URL", "https://A.example/Sv/c-1/", "public_url", "https://a.example/Sv/c-1"),
    ("COGNISES_PUBLIC_URL", "https://a.example/svc/", "public_origin", "https://a.example"),
    ("COGNISES_PUBLIC_URL", "https://a.example/svc/", "public_path", "/svc"),
    ("COGNISES_PUBLIC_URL", "https://a.example:8443", "public_origin", "https://a.example:8443"),
    ("COGNISES_PUBLIC_URL", "https://a.example/", "public_path", ""),
    ("COGNITO_SCOPES", "openid", "scopes", ("openid",)),
    ("COGNITO_SCOPES", "openid  orders/read", "scopes", ("openid", "orders/read")),
    ("COGNITO_SCOPES", "email, openid", "scopes", ("email", "openid")),
    ("COGNITO_GROUPS_CLAIM", "custom:groups", "groups_claim", "custom:groups"),
    (
        "COGNITO_GROUPS_CLAIM",
        "https://example.org/groups",
        "groups_claim",
        "https://example.org/groups",
    ),
]


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), GOOD)
def test_a_good_value_is_taken(name, value, attribute, expected, tmp_path: Path):
    taken = getattr(parse(tmp_path, {name: value}), attribute)

    assert (taken.id if attribute == "pool" else taken) == expected


def test_what_is_unset_has_the_safe_default(tmp_path: Path):
    settings = parse(tmp_path, {})

    assert settings.token_use == {"id"}
    assert settings.cookie_name == "token_cookie"
    assert not settings.local
    assert settings.client_ids == settings.audiences == frozenset()
    assert settings.groups_file == tmp_path / "groups.json"
    assert settings.scopes == ("openid", "email", "profile")
    assert settings.groups_claim == "cognito:groups"
    assert settings.client_secret is settings.public_url is settings.public_origin is None
    assert settings.public_path == ""


def test_every_problem_is_reported_at_once(tmp_path: Path):
    told = problems_of(parse, tmp_path, {name: values[1] for name, values in BAD.items()})

    assert {line.split(":")[0] for line in told} == set(BAD)


@pytest.mark.parametrize("form", [repr, str, "{}".format, "{!r}".format, lambda s: f"{asdict(s)}"])
def test_the_client_secret_is_shown_by_no_text_of_the_settings(form, tmp_path: Path):
    settings = parse(tmp_path, {"COGNITO_CLIENT_SECRET": "s3cret-of-the-client"})

    assert "s3cret" not in form(settings)
    assert "s3cret" not in form(replace(settings, local=True))
    assert settings.client_secret is not None
    assert settings.client_secret.reveal() == "s3cret-of-the-client"
    with pytest.raises(TypeError):
        json.dumps(settings.client_secret)


def test_a_wrong_client_secret_is_not_repeated_in_the_error(tmp_path: Path):
    told = problems_of(parse, tmp_path, {"COGNITO_CLIENT_SECRET": "s3cret with spaces"})

    assert "s3cret" not in told[0]


@pytest.mark.parametrize(
    ("path", "is_good"),
    [("/", True), ("/a/", True), ("/service/prod/", True), ("", False), ("a", False),
     ("/a", False), ("a/", False), ("//", False), ("/a//b/", False), ("/*/", False),
     ("/a?/", False), ("/${aws:username}/", False), ("/a:b/", False), ("/a b/", False),
     ("/é/", False), ("/a/\n", False), ("/" + "a" * 65 + "/", False), ("/a" * 8 + "/", False)],
)  # fmt: skip
def test_a_role_path_is_a_path_of_iam_and_no_pattern(path: str, is_good: bool):
    assert bool(ROLE_PATH.fullmatch(path)) is is_good


# Trust roots and local mode


@pytest.mark.parametrize("name", ["COGNITO_ISSUER", "COGNITO_JWKS_URL"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:5001/keys", "https://cognito.example/keys"])
def test_a_trust_root_cannot_be_moved_outside_local_mode(name, address, tmp_path: Path):
    for local in ({}, {"COGNISES_LOCAL": "0"}):
        told = problems_of(parse, tmp_path, local | {name: address})
        assert any(line.startswith(f"{name}: only for local mode") for line in told)


NOT_LOOPBACK = ["https://evil.example/keys", "http://10.0.0.1/", "http://0.0.0.0/", "http://127.1/",
                "http://127.0.0.1.evil.example/", "http://localhost.evil.example/",
                "http://127.0.0.1@evil.example/", "http://evil.example/#@127.0.0.1",
                "http://127.0.0.1\\@evil.example/", "http://evil.example\\@127.0.0.1/",
                "http://[::2]/", "http://[::1", "file:///etc/passwd", "localhost", "//localhost/",
                "http://2130706433/", "http://0x7f.1/", "http://169.254.169.254/", "http:///keys",
                "http://localhost.:1/", "http://user@localhost/"]  # fmt: skip


@pytest.mark.parametrize("name", ["COGNITO_ISSUER", "COGNITO_JWKS_URL"])
@pytest.mark.parametrize("address", NOT_LOOPBACK)
def test_local_mode_trusts_no_address_but_loopback(name, address, tmp_path: Path):
    told = problems_of(parse, tmp_path, {"COGNISES_LOCAL": "1", name: address})

    assert told[0].startswith(f"{name}: ")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:5001/x", "http://localhost:1/", "http://[::1]:1/"]
)
def test_local_mode_trusts_loopback(address, tmp_path: Path):
    assert parse(tmp_path, {"COGNISES_LOCAL": "1", "COGNITO_JWKS_URL": address}).jwks_url == address


def test_local_mode_lets_the_service_itself_be_plain_http_on_loopback_only(tmp_path: Path):
    local = {"COGNISES_LOCAL": "1"}
    address = "http://localhost:5000"

    assert parse(tmp_path, local | {"COGNISES_PUBLIC_URL": address}).public_url == address
    assert problems_of(parse, tmp_path, local | {"COGNISES_PUBLIC_URL": "http://10.0.0.1"})


@pytest.mark.parametrize("marker", DEPLOYED_MARKERS)
def test_local_mode_does_not_start_where_a_deployed_service_runs(marker, tmp_path, monkeypatch):
    monkeypatch.setenv(marker, "1")

    told = problems_of(parse, tmp_path, {"COGNISES_LOCAL": "1"})

    assert marker in told[0]
    assert parse(tmp_path, {}).local is False


def test_the_markers_cover_lambda_ecs_and_kubernetes():
    assert {"AWS_LAMBDA_FUNCTION_NAME", "ECS_CONTAINER_METADATA_URI_V4",
            "KUBERNETES_SERVICE_HOST"} <= set(DEPLOYED_MARKERS)  # fmt: skip


def test_a_sign_in_domain_needs_the_services_own_address(tmp_path: Path):
    told = problems_of(parse, tmp_path, {"COGNITO_DOMAIN": "https://x.example"})

    assert told[0].startswith("COGNISES_PUBLIC_URL: missing")


LOOPBACK = [("localhost", True), ("127.0.0.1", True), ("127.255.0.1", True), ("::1", True),
            ("[::1]", True), ("::ffff:127.0.0.1", True), ("::ffff:10.0.0.1", False), ("", False),
            ("0.0.0.0", False), ("::", False), ("localhost.", False), ("LOCALHOST", False),
            ("127.0.0.1:80", False), ("127.1", False), ("example.org", False)]  # fmt: skip


@pytest.mark.parametrize(("host", "loopback"), LOOPBACK)
def test_loopback_is_determined_by_the_address_itself(host: str, loopback: bool):
    assert is_loopback(host) is loopback


# Layers and files


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / {"env": ".env", "flaskenv": ".flaskenv"}[name]).write_text(text)


def test_the_layers_win_in_order(tmp_path: Path, monkeypatch):
    name = "COGNITO_CLIENT_ID"
    write(tmp_path, flaskenv=f"{name}=committed\n")
    assert read_values(tmp_path)[name] == "committed"
    write(tmp_path, env=f"{name}=private\n")
    assert read_values(tmp_path)[name] == "private"
    monkeypatch.setenv(name, "environment")
    assert read_values(tmp_path)[name] == "environment"
    assert read_values(tmp_path, {name: "config"})[name] == "config"
    assert read_values(tmp_path, {name: None})[name] == "environment"


def test_an_empty_value_unsets_the_value_of_a_later_source(tmp_path: Path, monkeypatch):
    write(tmp_path, env="COGNITO_CLIENT_ID=private\n")
    monkeypatch.setenv("COGNITO_CLIENT_ID", "")

    assert "COGNITO_CLIENT_ID" not in read_values(tmp_path)


CONFIG = [
    (["one", "two"], "one,two"),
    (("one",), "one"),
    ({"one"}, "one"),
    (frozenset({"one"}), "one"),
    (True, "1"),
    (False, "0"),
    (7, "7"),
    (" padded ", "padded"),
    (Path("x"), "x"),
]


@pytest.mark.parametrize(("value", "text"), CONFIG)
def test_a_config_value_may_be_of_its_natural_type(value, text, tmp_path: Path):
    assert read_values(tmp_path, {"COGNITO_CLIENT_ID": value})["COGNITO_CLIENT_ID"] == text


@pytest.mark.parametrize("value", [1.5, b"one", {"one": 1}, ["one", 2], [None], Ellipsis], ids=str)
def test_a_config_value_of_another_type_is_an_error(value, tmp_path: Path):
    told = problems_of(read_values, tmp_path, {"COGNITO_CLIENT_ID": value})

    assert told == ["COGNITO_CLIENT_ID: must be text (or a list of texts)"]


@pytest.mark.parametrize("value", [["one", ""], [""], ["", ""]])
def test_an_empty_item_of_a_list_is_an_error_and_not_left_out(value, tmp_path: Path):
    config = {"COGNITO_CLIENT_ID": value, "COGNITO_USER_POOL_ID": POOL}

    try:
        settings = parse(tmp_path, read_values(tmp_path, config))
    except SettingsError:
        return
    assert settings.client_ids == frozenset()  # nothing there: the start says that it is missing


@pytest.mark.parametrize("name", [*NEVER_COMMITTED, "AWS_ENDPOINT_URL_IAM"])
@pytest.mark.parametrize("line", ["{}=1", "export {}=0", "{}=", "{}", "  {} = 'x'  "])
def test_a_committed_file_cannot_move_a_trust_root_or_open_the_debugger(name, line, tmp_path):
    write(tmp_path, flaskenv=line.format(name) + "\n")

    assert problems_of(read_values, tmp_path) == [
        f".flaskenv: {name} must not be committed; set it in .env or the environment"
    ]


def test_what_must_not_be_committed_is_the_list_of_rule_10_and_the_secret():
    assert set(NEVER_COMMITTED) == {
        "COGNISES_LOCAL", "COGNITO_JWKS_URL", "COGNITO_JWKS_FILE", "COGNITO_ISSUER",
        "AWS_ENDPOINT_URL", "FLASK_DEBUG", "COGNITO_CLIENT_SECRET",
    }  # fmt: skip


@pytest.mark.parametrize("name", [n for n in NEVER_COMMITTED if n in NAMES])
def test_a_private_file_may_say_what_a_committed_one_must_not(name, tmp_path: Path):
    write(tmp_path, env=f"{name}=x\n")

    assert read_values(tmp_path)[name] == "x"


@pytest.mark.parametrize("file", ["env", "flaskenv"])
def test_no_value_is_interpolated(file, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ATTACKER", "chosen")
    write(tmp_path, **{file: "COGNITO_CLIENT_ID=${ATTACKER}\n"})

    told = problems_of(read_values, tmp_path)

    assert "COGNITO_CLIENT_ID" in told[0]
    assert "chosen" not in told[0]


def test_a_dollar_alone_is_taken_as_written(tmp_path: Path):
    write(tmp_path, env="COGNISES_REALM='a $HOME b'\n")

    assert read_values(tmp_path)["COGNISES_REALM"] == "a $HOME b"


def test_an_env_file_above_the_project_is_not_read(tmp_path: Path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    write(tmp_path, env="COGNITO_CLIENT_ID=stranger\n", flaskenv="COGNITO_CLIENT_ID=stranger\n")
    monkeypatch.chdir(project)

    assert read_values(project) == {}


@pytest.mark.parametrize("file", [".env", ".flaskenv"])
def test_an_env_file_above_the_project_that_flask_has_read_stops_the_start(
    file, tmp_path: Path, monkeypatch
):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / file).write_text("COGNITO_CLIENT_ID=stranger\n")
    monkeypatch.chdir(project)
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")

    assert problems_of(read_values, project)[0].startswith(f"{file}: flask has read one above")
    monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
    assert read_values(project) == {}
    monkeypatch.delenv("FLASK_SKIP_DOTENV")
    (project / file).write_text("")
    assert read_values(project) == {}


def test_an_env_file_in_the_current_folder_is_not_read(tmp_path: Path, monkeypatch):
    elsewhere, project = tmp_path / "elsewhere", tmp_path / "project"
    for folder in (elsewhere, project):
        folder.mkdir()
    write(elsewhere, env="COGNITO_CLIENT_ID=stranger\n")
    monkeypatch.chdir(elsewhere)

    assert read_values(project) == {}


UNKNOWN = {
    "COGNITO_CLIENT_IDS": "did you mean COGNITO_CLIENT_ID?",
    "COGNISES_GROUP_FILE": "did you mean COGNISES_GROUPS_FILE?",
    "COGNITO_USERPOOL_ID": "did you mean COGNITO_USER_POOL_ID?",
    "COGNISES_QQQQQQQQ": "docs/settings.md lists all",
    "COGNISES_QQ\nQQQ\x1b[2JQQQ\u202e": "docs/settings.md lists all",
    "COGNITO_" + "X" * 5000: "docs/settings.md lists all",
}


@pytest.mark.parametrize("name", UNKNOWN, ids=range(len(UNKNOWN)))
def test_an_unknown_name_is_warned_of_on_one_line_without_its_value(name, tmp_path, monkeypatch):
    settings, problems = read(tmp_path, {name: "s3cret", "OTHER": "x"})

    (warning,) = settings.warnings
    assert problems == []
    assert warning.endswith(f": unknown setting, ignored; {UNKNOWN[name]}")
    assert "s3cret" not in warning
    assert warning.isprintable()
    assert len(warning) < 250


@pytest.mark.parametrize("source", ["environment", ".env", ".flaskenv"])
def test_an_unknown_name_is_found_in_every_source(source, tmp_path: Path, monkeypatch):
    if source == "environment":
        monkeypatch.setenv("COGNISES_REALMS", "x")
    else:
        (tmp_path / source).write_text("COGNISES_REALMS=x\n")

    assert read(tmp_path, {})[0].warnings == (
        "COGNISES_REALMS: unknown setting, ignored; did you mean COGNISES_REALM?",
    )


def test_known_names_and_those_of_others_are_not_warned_of(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("COGNISES_VERIFY", "skip")
    monkeypatch.setenv("AWS_PROFILE", "x")

    assert read(tmp_path, dict.fromkeys(NAMES) | {"cognito_x": 1})[0].warnings == ()


def test_settings_of_your_own_come_from_the_same_sources(tmp_path: Path, monkeypatch):
    write(tmp_path, flaskenv="ONE=1\nTWO=2\n", env="TWO=two\nEMPTY=\n")
    monkeypatch.setenv("THREE", "three")
    defaults = {"ONE": "", "TWO": "", "THREE": "", "FOUR": "four", "EMPTY": "e"}

    assert read_settings(defaults, tmp_path) == {
        "ONE": "1", "TWO": "two", "THREE": "three", "FOUR": "four", "EMPTY": "e",
    }  # fmt: skip


def test_only_the_names_that_are_asked_for_are_read(tmp_path: Path):
    write(tmp_path, env="COGNITO_CLIENT_ID=one\nPROJECT_NAME=two\n")

    assert read_values(tmp_path, names=["PROJECT_NAME"]) == {"PROJECT_NAME": "two"}


def test_files_are_looked_for_beside_wsgi_and_not_in_the_package(tmp_path: Path):
    package = tmp_path / "app" / "inner"
    package.mkdir(parents=True)
    assert project_folder(str(package)) == package
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()

    assert project_folder(str(package)) == tmp_path
    assert project_folder(Flask("service", root_path=str(tmp_path)).root_path) == tmp_path


def test_a_relative_path_starts_beside_wsgi(tmp_path: Path, monkeypatch):
    (tmp_path / "keys.json").write_text("{}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings: Settings = parse(
        tmp_path, {"COGNITO_JWKS_FILE": "keys.json", "COGNISES_GROUPS_FILE": "mine.json"}
    )

    assert settings.jwks_file == tmp_path / "keys.json"
    assert settings.groups_file == tmp_path / "mine.json"
    assert "COGNISES_GROUPS_FILE" in settings.given


def test_settings_cannot_be_changed_once_checked(tmp_path: Path):
    with pytest.raises(AttributeError):
        parse(tmp_path, {}).local = True  # type: ignore[misc]


def test_an_env_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / ".env").write_bytes(b"COGNITO_CLIENT_ID=\xff\n")

    with pytest.raises(SettingsError, match=r"\.env: must be UTF-8"):
        read_values(tmp_path)


LOGIN_ADDRESSES = {
    "an emulator's path": (
        "http://127.0.0.1:4566/cognito-idp",
        True,
        "http://127.0.0.1:4566/cognito-idp",
    ),
    "a slash at the end": ("http://localhost:4566/a/b/", True, "http://localhost:4566/a/b"),
    "a default port": ("https://Login.example.org:443/", False, "https://login.example.org"),
    "no path": ("https://login.example.org", False, "https://login.example.org"),
    "a path outside local mode": ("https://login.example.org/x", False, None),
    "a query": ("http://localhost/x?y=1", True, None),
    "a double slash": ("http://localhost//x", True, None),
    "a path that is encoded": ("http://localhost/%2f", True, None),
    "another host, locally": ("http://login.example.org/x", True, None),
}


@pytest.mark.parametrize(
    ("text", "local", "expected"), LOGIN_ADDRESSES.values(), ids=LOGIN_ADDRESSES.keys()
)
def test_managed_login_has_a_path_in_local_mode_alone(text, local, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"must|path"):
            login_address(text, local)
    else:
        assert login_address(text, local) == expected
