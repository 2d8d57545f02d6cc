"""An AWS on loopback whose credentials name the user they were made for."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections import Counter
from typing import Any

from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

CALLER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>{}</Arn><UserId>u</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"""


class Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        """Requests are counted, not printed."""


class FakeAws:
    """Cognito's GetId and GetCredentialsForIdentity, STS's GetCallerIdentity, S3's ListBuckets."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.errors: dict[str, tuple[int, str]] = {}
        self.lifetime = 3600.0
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        target = request.headers.get("X-Amz-Target", "")
        operation = target.rpartition(".")[2] or request.form.get("Action") or "ListBuckets"
        self.calls[operation] += 1
        if operation in self.errors:
            status, code = self.errors[operation]
            return self._error(operation, status, code)
        if operation in ("GetId", "GetCredentialsForIdentity"):
            return self._identity(operation, request)
        key = re.search(r"Credential=([^/]+)/", request.headers.get("Authorization", ""))
        caller = f"arn:aws:sts::123456789012:assumed-role/group/{key[1] if key else 'unsigned'}"
        return Response(CALLER.format(caller), mimetype="text/xml")

    def _identity(self, operation: str, request: Request) -> Response:
        ((provider, token),) = request.get_json(force=True)["Logins"].items()
        assert provider.startswith("cognito-idp.")
        payload = token.split(".")[1]
        subject = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        found: dict[str, Any] = {"IdentityId": f"us-east-1:{subject}"}
        if operation == "GetCredentialsForIdentity":
            found["Credentials"] = {
                "AccessKeyId": f"AK{subject}", "SecretKey": "secret-of-the-role",
                "SessionToken": "session-of-the-role", "Expiration": time.time() + self.lifetime,
            }  # fmt: skip
        return Response(json.dumps(found), mimetype="application/x-amz-json-1.1")

    def _error(self, operation: str, status: int, code: str) -> Response:
        if operation in ("GetId", "GetCredentialsForIdentity"):
            body = json.dumps({"__type": code, "message": "no"})
            return Response(body, status, mimetype="application/x-amz-json-1.1")
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error>"
        return Response(f"{text}</ErrorResponse>", status, mimetype="text/xml")
