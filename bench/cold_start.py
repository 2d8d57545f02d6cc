"""What sign-in and guards add to a cold start: `make cold-start`, or `python -m bench.cold_start`.

Import of `lambda_entry` and a first request with a token, against the same for a bare Flask app
behind the same adapter. Each round is two fresh processes, in turn; the medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from cognises.settings.sources import PROJECT_FOLDER
from cognises.testing import FakePool

ROUNDS = 15
EVENT = {
    "version": "2.0",
    "rawPath": "/protected",
    "rawQueryString": "",
    "headers": {"host": "api.example.org", "x-forwarded-proto": "https"},
    "requestContext": {
        "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
    },
    "isBase64Encoded": False,
}
RUN = """
import time
began = time.perf_counter()
{prepare}
import json, os, sys
answer = handler(json.loads(os.environ["EVENT"]), None)
took = time.perf_counter() - began
assert answer["statusCode"] == 200, answer
print(json.dumps([took, sorted(sys.modules)]))
"""
BARE = """
from flask import Flask, jsonify
from apig_wsgi import make_lambda_handler
app = Flask("bare")
app.add_url_rule("/protected", "protected", lambda: jsonify(message="hello"))
handler = make_lambda_handler(app)
"""
OURS = "from lambda_entry import handler\n"


def start(prepare: str, environ: dict[str, str]) -> tuple[float, list[str]]:
    """Seconds from nothing imported to the first answer, and what was imported."""
    command = [sys.executable, "-c", RUN.format(prepare=prepare)]
    done = subprocess.run(
        command, cwd=PROJECT_FOLDER, env=environ, stdout=subprocess.PIPE, check=True
    )
    took, modules = json.loads(done.stdout.splitlines()[-1])  # log lines come before
    return took, modules


def environment(folder: Path) -> dict[str, str]:
    """Settings of a deployed function, its keys in a file, and a token in the event."""
    pool = FakePool()
    keys = folder / "jwks.json"
    keys.write_text(json.dumps(pool.jwks))
    groups = json.loads((PROJECT_FOLDER / "groups.json").read_text(encoding="utf-8"))
    token = pool.token(groups=[group["group_name"] for group in groups])
    headers = {**EVENT["headers"], "authorization": f"Bearer {token}"}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "COGNITO_USER_POOL_ID": pool.id,
        "COGNITO_CLIENT_ID": pool.client_id,
        "COGNITO_JWKS_FILE": str(keys),
        "COGNITO_TOKEN_USE": "id",
        # No key endpoint is asked: where there is a network, a proxy that is not there.
        "https_proxy": "http://127.0.0.1:9",
        "EVENT": json.dumps({**EVENT, "headers": headers}),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environ = environment(Path(folder))
        _, modules = start(OURS, environ)  # these two write the bytecode
        start(BARE, environ)
        times: dict[str, list[float]] = {BARE: [], OURS: []}
        for _ in range(ROUNDS):
            for prepare, taken in times.items():
                taken.append(start(prepare, environ)[0])
    bare, ours = (statistics.median(taken) * 1000 for taken in times.values())
    aws = [name for name in modules if name.partition(".")[0] in ("boto3", "botocore")]
    print(f"bare Flask handler        {bare:7.1f} ms")
    print(f"lambda_entry, guarded     {ours:7.1f} ms   {ours / bare:.2f}x")
    print(f"modules of boto imported  {len(aws):5d}")


if __name__ == "__main__":
    main()
