"""A single-page app on a port of its own: its page and oidc-client-ts."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
      `${user.profile.email} ${answer.status} ${(await answer.json()).folder}`;
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

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
