"""A single-page app on a port of its own signs in with oidc-client-ts and calls the service."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dev_process import Dev, copy_project
from steps import PEOPLE, pick

LIBRARY = Path(__file__).with_name("vendor") / "oidc-client-ts-3.5.0.min.js"
PAGE = """<!doctype html><html lang="en"><title>A single-page app</title>
<button>Sign in</button><output></output>
<script src="/oidc-client-ts.js"></script>
<script>
const [authority, client, service] = %s;
const manager = new oidc.UserManager({
  authority,
  client_id: client,
  redirect_uri: `${location.origin}/signed-in`,
  scope: "openid email profile",
  loadUserInfo: true,
});
document.querySelector("button").addEventListener("click", () => manager.signinRedirect());
if (location.pathname === "/signed-in") {
  manager.signinCallback().then(async (user) => {
    const headers = { Authorization: `Bearer ${user.id_token}` };
    const answer = await fetch(`${service}/data`, { headers });
    document.querySelector("output").textContent =
      `${user.profile.email} ${answer.status} ${(await answer.json()).greeting}`;
  });
}
</script></html>
"""


class Site:
    """The single-page app's own server."""

    def __init__(self) -> None:
        self.page = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_library = self.path == "/oidc-client-ts.js"
                data = LIBRARY.read_bytes() if is_library else site.page.encode()
                self.send_response(200)
                self.send_header("Content-Type", f"text/{'javascript' if is_library else 'html'}")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.origin = f"http://localhost:{self.server.server_port}"


@pytest.fixture
def site(tmp_path: Path, chrome: Any) -> Iterator[Site]:
    site = Site()
    copy_project(tmp_path)
    dev = Dev(tmp_path, COGNISES_CORS_ORIGINS=site.origin)
    try:
        service = dev.address
        found = re.search(r"authority=(\S+) client_id=(\S+)", dev.output)
        assert found, dev.output
        site.page = PAGE % json.dumps([found[1], found[2], service])
        yield site
    finally:
        dev.stop()
        site.server.shutdown()
        site.server.server_close()


def test_a_single_page_app_signs_in_at_the_stand_in_and_calls_the_service(page: Any, site: Site):
    page.goto(site.origin)
    page.get_by_role("button", name="Sign in").click()
    pick(page, "viewers")
    page.wait_for_url(f"{site.origin}/signed-in*")
    page.wait_for_function("document.querySelector('output').textContent")

    assert page.inner_text("output") == f"{PEOPLE['viewers']} 200 hello"
