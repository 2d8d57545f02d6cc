"""Where the running `make dev` is, for `python -m local_aws token`. Holds no secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import requests

from cognises.settings import PROJECT_FOLDER

_FILE = PROJECT_FOLDER / "build" / "local_aws.json"


class NotRunning(Exception):
    """No local service answers."""


def keep_address(client_id: str) -> None:
    """Write down the embedded Cognito's address and client."""
    _FILE.parent.mkdir(exist_ok=True)
    where = {"endpoint": os.environ["AWS_ENDPOINT_URL"], "client_id": client_id}
    _FILE.write_text(json.dumps(where), encoding="utf-8")


def forget_address() -> None:
    _FILE.unlink(missing_ok=True)


def fetch_token(who: str, file: Path = _FILE) -> str:
    """A token of the user of that group or name. Raises NotRunning, LookupError."""
    try:
        where = json.loads(file.read_text(encoding="utf-8"))
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"{where['endpoint']}/local/token",
                data={"client_id": where["client_id"], "who": who},
                timeout=10,
            )
    except (OSError, ValueError, KeyError):
        raise NotRunning("no local service answers: start it with `make dev`") from None
    if answer.status_code != 200:
        raise LookupError(answer.text)
    return answer.text
