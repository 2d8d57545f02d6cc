"""The files of app/data.py through four gunicorn workers, on an AWS that refuses by groups.json."""

import os
import subprocess
import sys
from unittest.mock import patch

import pytest
import requests
from dev_process import PATIENCE, copy_project, status, wait_for

from load.server import CONFIGURATIONS, free_port
from local_aws.embedded import apply_manifest, embedded
from local_aws.environment import isolate

NAMES = ["..", "%2e%2e", "a/b", "a\\b", "x" * 1100, "ü" * 201, "a\u202eb", "a\r\nb", "\x00", "  "]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The address, a worker's number in each answer, and the bearer headers of each group."""
    folder = tmp_path_factory.mktemp("files")
    copy_project(folder)
    worker = "@bp.after_app_request\ndef name_worker(answer):\n    import os\n\n"
    worker += '    answer.headers["X-Worker"] = str(os.getpid())\n    return answer\n'
    with (folder / "app/data.py").open("a") as file:
        file.write(f"\n\n{worker}")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with patch.dict(os.environ):
        isolate()
        with embedded(address) as cognito, (folder / "log").open("wb") as log:
            apply_manifest()
            users = cognito.add_users(["admins", "editors", "editors", "viewers"], newcomer=False)
            own = {"GUNICORN_BIND": f"127.0.0.1:{port}", "WEB_CONCURRENCY": "4",
                   "GUNICORN_KEEPALIVE": "0", "PYTHONPATH": str(folder)}  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-B", "-m", "gunicorn", "-c", str(CONFIGURATIONS[0]),
                 "--chdir", str(folder), "wsgi:app"],
                env=os.environ | own, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                wait_for(lambda: status(f"{address}/ready") == 200)
                names = ["admins", "editors", "other", "viewers"]
                tokens = [cognito.sign_in(user, "id") for user in users]
                yield address, dict(zip(names, tokens, strict=True))
            finally:
                process.terminate()
                process.wait(PATIENCE)


@pytest.fixture
def call(service):
    address, tokens = service

    def send(group, method, folder="own", name=None, **options):
        params = {"folder": folder} | ({"name": name} if name is not None else {})
        headers = {"Authorization": f"Bearer {tokens[group]}", **options.pop("headers", {})}
        url = f"{address}/data"
        return requests.request(method, url, params=params, headers=headers, timeout=30, **options)

    return send


def test_what_was_put_is_read_from_every_worker(call):
    workers = set()
    for number in range(40):
        content = f"{number}".encode()
        written = call("editors", "PUT", name="notes.txt", data=content)
        read = call("editors", "GET", name="notes.txt")
        assert (written.status_code, read.content) == (200, content)
        workers |= {written.headers["X-Worker"], read.headers["X-Worker"]}

    assert len(workers) == 4


def test_aws_refuses_what_the_guard_admits_and_the_policies_do_not(call):
    call("editors", "PUT", name="own.txt", data=b"x")
    assert call("viewers", "GET", "shared", "welcome.txt").status_code == 200
    assert [each["name"] for each in call("viewers", "GET", "shared").json()["files"]]
    refused = [
        call("editors", "PUT", "shared", "a.txt", data=b"x"),
        call("viewers", "GET", "own"),
        call("viewers", "GET", "own", "own.txt"),
    ]
    assert [(each.status_code, each.json()["reason"]) for each in refused] == [
        (403, "aws_denied")
    ] * 3
    assert call("viewers", "PUT", name="a.txt", data=b"x").json()["reason"] == "forbidden"
    assert call("admins", "PUT", "shared", "a.txt", data=b"x").status_code == 200
    assert call("editors", "GET", "own", "missing.txt").status_code == 404
    assert call("viewers", "GET", "shared", "missing.txt").status_code == 404


def test_another_users_folder_is_refused_by_its_id_and_nothing_shows_it(call, service):
    call("other", "PUT", name="secret.txt", data=b"secret")
    other = "us-east-1:" + "0" * 8 + "-0000-0000-0000-" + "0" * 12

    for folder in (other, other.upper(), f"{other}/..", "../users", "users", ""):
        for method in ("GET", "PUT"):
            found = call("editors", method, folder, "secret.txt", data=b"x")
            assert found.status_code in (400, 403), (folder, method)
    assert "secret" not in call("editors", "GET").text


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:12])
def test_a_hostile_name_is_a_bad_request_or_a_plain_name(name, call):
    written = call("editors", "PUT", name=name, data=b"x")

    if name == "%2e%2e":  # decoded once, it is three letters of a name
        assert (written.status_code, written.json()["name"]) == (200, name)
    else:
        assert written.status_code == 400


def test_bodies_are_bounded_and_no_header_or_field_changes_the_method(call):
    assert call("editors", "PUT", name="a", data=b"x" * (1024 * 1024 + 1)).status_code == 413
    parts = (b"x" * 100_000 for _ in range(20))
    assert call("editors", "PUT", name="a", data=parts).status_code in (411, 413)
    chunked = (b"x" for _ in range(3))
    assert call("editors", "PUT", name="b", data=chunked).json()["size"] == 3
    override = {"X-HTTP-Method-Override": "PUT", "X-Method-Override": "PUT"}
    assert call("viewers", "GET", "shared", "c", headers=override).status_code == 404
    assert call("editors", "POST", data={"_method": "GET"}).status_code == 400
    assert call("editors", "DELETE", name="b").status_code == 405


def test_a_form_of_another_site_writes_nothing(call, service):
    address, tokens = service
    headers = {"Sec-Fetch-Site": "cross-site", "Cookie": f"token_cookie={tokens['editors']}"}
    form = {"files": {"file": ("x.txt", b"x")}, "data": {"folder": "own"}}

    found = requests.post(f"{address}/data", headers=headers, timeout=10, **form)

    assert (found.status_code, found.json()["reason"]) == (403, "cross_site")
    same = {**headers, "Sec-Fetch-Site": "same-origin"}
    done = requests.post(f"{address}/data", headers=same, timeout=10, allow_redirects=False, **form)
    assert done.status_code == 303
