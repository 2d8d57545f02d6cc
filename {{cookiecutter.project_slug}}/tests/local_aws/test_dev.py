"""`make dev` in a copy of the project, as a process: signed in to by hand, edited, stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from dev_process import PATIENCE, Dev, wait_for

pytestmark = pytest.mark.slow


def status(url: str, token: str | None = None) -> int | None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return requests.get(url, headers=headers, timeout=10).status_code
    except requests.ConnectionError:
        return None


def token(dev: Dev, who: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", "local_aws", "token", who],
        cwd=dev.folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def sign_in(browser: requests.Session, address: str, name: str) -> requests.Response:
    """Open a guarded page as a browser does, pick a user, and come back."""
    page = browser.get(f"{address}/access", headers={"Accept": "text/html"}, timeout=10)
    fields = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    people = dict(re.findall(r'value="([^"]*)">\s*<span class="name">([^<]+)</span>', page.text))
    fields["username"] = next(key for key, value in people.items() if value == name)
    fields["scope"] = fields["scope"].replace("+", " ")
    return browser.post(
        urljoin(page.url, "/login"),
        data=fields,
        headers={"Origin": "/".join(page.url.split("/")[:3])},
        timeout=10,
    )


@pytest.fixture
def dev(copy: Path) -> Iterator[Dev]:
    run = Dev(copy)
    yield run
    if run.process.poll() is None:
        run.process.kill()
        run.process.wait()


def test_a_person_signs_in_sees_her_access_and_signs_out(dev: Dev):
    address = dev.address
    with requests.Session() as browser:
        page = sign_in(browser, address, "editors@example.org")

        assert page.status_code == 200
        assert page.url == f"{address}/access"
        assert "editors@example.org" in page.text
        assert page.text.count("open to me") > 1

        left = browser.post(
            f"{address}/logout", headers={"Origin": address, "Accept": "text/html"}, timeout=10
        )
        again = browser.get(f"{address}/access", headers={"Accept": "text/html"}, timeout=10)

    assert left.url == f"{address}/"
    assert "Sign in as" in again.text
    assert status(f"{address}/access") == 401


def test_a_program_gets_a_token_by_a_short_command(dev: Dev):
    address = dev.address
    asked = token(dev, "viewers")

    assert asked.returncode == 0, asked.stderr
    assert status(f"{address}/data", asked.stdout.strip()) == 200
    assert status(f"{address}/admin", asked.stdout.strip()) == 403
    stranger = token(dev, "stranger")
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "stranger" in stranger.stderr
    assert "eyJ" not in dev.output

    dev.stop()

    gone = token(dev, "viewers")
    assert gone.returncode == 1
    assert "make dev" in gone.stderr


def test_edits_of_the_manifest_and_of_the_code_are_picked_up(dev: Dev):
    address = dev.address
    viewer = token(dev, "viewers").stdout.strip()
    manifest = dev.folder / "groups.json"
    good = manifest.read_text()
    groups = json.loads(good)
    groups[2]["allowed_functions"].remove("view_data")
    groups.append({**groups[2], "group_name": "auditors", "precedence": 9})
    manifest.write_text(json.dumps(groups))
    wait_for(lambda: status(f"{address}/data", viewer) == 403)

    assert "changed: groups.json" in dev.output
    auditor = token(dev, "auditors").stdout.strip()
    assert status(f"{address}/protected", auditor) == 200

    manifest.write_text("[{]")
    wait_for(lambda: "cannot start" in dev.output)
    assert status(f"{address}/health") is None
    assert "Traceback" not in dev.output

    manifest.write_text(good)
    pages = dev.folder / "app" / "pages.py"
    pages.write_text(
        pages.read_text() + '\n\n@bp.get("/new")\n@public\ndef new():\n    return "x"\n'
    )
    wait_for(lambda: status(f"{address}/new") == 200)

    assert status(f"{address}/data", viewer) == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_stops_everything(dev: Dev, number: signal.Signals):
    address = dev.address

    assert dev.stop(number) == 0
    assert dev.output.rstrip().endswith("Stopped.")
    assert status(f"{address}/health") is None


def test_the_service_ends_with_what_started_it_even_if_that_was_killed(dev: Dev):
    address = dev.address
    dev.stop(signal.SIGKILL)

    wait_for(lambda: status(f"{address}/health") is None)


def test_it_does_not_start_where_other_peoples_requests_arrive(copy: Path):
    dev = Dev(copy, KUBERNETES_SERVICE_HOST="10.0.0.1")

    assert dev.process.wait(PATIENCE) == 1
    assert "KUBERNETES_SERVICE_HOST" in dev.output
    assert "Traceback" not in dev.output
