"""`make dev` in a copy of the project, as a process: signed in to by hand, edited, stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from dev_process import PATIENCE, Dev, status, wait_for


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


@pytest.fixture(scope="module")
def running(shared: Path) -> Iterator[Dev]:
    """One run, for the tests that leave its files as they were."""
    run = Dev(shared)
    yield run
    run.stop()


def test_a_person_signs_in_sees_her_access_and_signs_out(running: Dev):
    address = running.address
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


def test_a_program_gets_a_token_by_a_short_command(running: Dev):
    address = running.address
    asked = token(running, "viewers")

    assert asked.returncode == 0, asked.stderr
    assert status(f"{address}/data", asked.stdout.strip()) == 200
    assert status(f"{address}/admin", asked.stdout.strip()) == 403
    stranger = token(running, "stranger")
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "stranger" in stranger.stderr
    assert "eyJ" not in running.output


def test_edits_of_the_manifest_and_of_the_code_are_picked_up(running: Dev):
    address = running.address
    viewer = token(running, "viewers").stdout.strip()
    manifest = running.folder / "groups.json"
    good = manifest.read_text()
    groups = json.loads(good)
    groups[2]["allowed_functions"].remove("view_data")
    groups[2]["allowed_functions"].append("veiw_data")
    groups.append({**groups[2], "group_name": "auditors", "precedence": 9})
    manifest.write_text(json.dumps(groups))
    wait_for(lambda: status(f"{address}/data", viewer) == 403)

    assert "changed: groups.json" in running.output
    assert "problem: veiw_data: no route has this name" in running.output
    auditor = token(running, "auditors").stdout.strip()
    assert status(f"{address}/protected", auditor) == 200

    manifest.write_text("[{]")
    wait_for(lambda: "could not be applied" in running.output)
    wait_for(lambda: status(f"{address}/data", viewer) == 403)
    assert "Traceback" not in running.output

    manifest.write_text(good)
    pages = running.folder / "app" / "pages.py"
    code = pages.read_text()
    pages.write_text(code + '\n\n@bp.get("/new")\n@public\ndef new():\n    return "x"\n')
    wait_for(lambda: status(f"{address}/new") == 200)

    wait_for(lambda: status(f"{address}/data", viewer) == 200)
    # The role of the viewers records the access again, and that of the auditors, that it has none.
    assert "applied: 0 to create, 2 to change, 0 to delete" in running.output
    assert "plan: nothing to do" not in running.output
    manifest.write_text(f"{good}\n")
    wait_for(lambda: "plan: nothing to do" in running.output)
    assert "digest: " not in running.output

    manifest.write_text(good)
    pages.write_text(code)
    wait_for(lambda: status(f"{address}/new") == 404)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_stops_everything(dev: Dev, number: signal.Signals):
    address = dev.address

    assert dev.stop(number) == 0
    assert dev.output.rstrip().endswith("Stopped.")
    assert status(f"{address}/health") is None
    gone = token(dev, "viewers")
    assert gone.returncode == 1
    assert "make dev" in gone.stderr


def test_the_service_ends_with_what_started_it_even_if_that_was_killed(dev: Dev):
    address = dev.address
    dev.stop(signal.SIGKILL)

    wait_for(lambda: status(f"{address}/health") is None)


def test_it_does_not_start_where_other_peoples_requests_arrive(copy: Path):
    dev = Dev(copy, KUBERNETES_SERVICE_HOST="10.0.0.1")

    assert dev.process.wait(PATIENCE) == 1
    assert "KUBERNETES_SERVICE_HOST" in dev.output
    assert "Traceback" not in dev.output


def test_a_signal_while_groups_are_applied_is_not_lost(dev: Dev):
    assert dev.address
    manifest = dev.folder / "groups.json"
    manifest.write_text(manifest.read_text().replace("Read what is shared", "Read this"))
    wait_for(lambda: "changed: groups.json" in dev.output)

    assert dev.stop(signal.SIGINT) == 0
    assert "error" not in dev.output


def _interrupted(dev: Dev) -> bool:
    """Send Ctrl-C; whether the process has ended."""
    dev.process.send_signal(signal.SIGINT)
    return dev.process.poll() is not None


def test_a_signal_while_it_starts_is_no_error(copy: Path):
    for pause in (0.2, 0.7, 1.2):
        # Python itself, which would print a traceback until it runs our first line, ignores it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            dev = Dev(copy)
        finally:
            signal.signal(signal.SIGINT, before)
        time.sleep(pause)
        wait_for(partial(_interrupted, dev))
        assert "Traceback" not in dev.output
        assert "error" not in dev.output


def test_two_groups_whose_names_make_one_address_get_a_user_each(running: Dev):
    address = running.address
    manifest = running.folder / "groups.json"
    good = manifest.read_text()
    groups = json.loads(good)
    groups.append({**groups[2], "group_name": "viewers_", "precedence": 9})
    manifest.write_text(json.dumps(groups))
    wait_for(lambda: "new user: viewers-2@example.org" in running.output)

    second = token(running, "viewers_").stdout.strip()
    wait_for(lambda: status(f"{address}/protected", second) == 200)
    manifest.write_text(good)
    wait_for(lambda: status(f"{address}/protected", second) == 403)


def test_a_mistake_in_the_code_is_shown_as_it_is_and_fixed_without_a_new_start(running: Dev):
    address = running.address
    pages = running.folder / "app" / "pages.py"
    good = pages.read_text()
    pages.write_text(good + "\ndef (:\n")
    wait_for(lambda: "starts again when a file changes" in running.output)

    assert "SyntaxError" in running.output
    assert "Fatal" not in running.output
    assert status(f"{address}/health") is None

    pages.write_text(good)
    wait_for(lambda: status(f"{address}/health") == 200)


def test_two_at_once_have_an_address_each_and_the_token_command_goes_to_the_last(
    dev: Dev, tmp_path: Path
):
    first = dev.address
    second = Dev(dev.folder)
    try:
        assert second.address != first
        viewer = token(second, "viewers").stdout.strip()
        assert status(f"{second.address}/data", viewer) == 200
        dev.stop()
        assert token(second, "viewers").returncode == 0
    finally:
        second.stop()


def test_programs_get_access_tokens_where_the_service_takes_them_and_a_proxy_is_sent_nothing(
    copy: Path,
):
    (copy / ".env").write_text("COGNITO_TOKEN_USE=access\n")
    dev = Dev(copy, http_proxy="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9")
    try:
        assert status(f"{dev.address}/health") == 200
        assert status(f"{dev.address}/protected", token(dev, "viewers").stdout.strip()) == 200
    finally:
        dev.stop()
