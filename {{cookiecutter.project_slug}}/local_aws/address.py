"""Where the running `make dev` is, for `python -m local_aws token`. Holds no secret."""

import json
import os
import sys
from pathlib import Path

import requests

from cognises.settings.sources import PROJECT_FOLDER

_FILE = PROJECT_FOLDER / "build" / "local_aws.json"


class NotRunning(Exception):
    """No local service answers."""


def keep_address(client_id: str, file: Path = _FILE) -> str:
    """Write down the embedded Cognito's address and client; returns what was written.

    Where that cannot be done, only the short command for tokens is missed.
    """
    text = json.dumps({"endpoint": os.environ["AWS_ENDPOINT_URL"], "client_id": client_id})
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"warning: {file.name}: {error.strerror}; no tokens by command", file=sys.stderr)
    return text


def forget_address(kept: str, file: Path = _FILE) -> None:
    """Remove what `keep_address` wrote, unless another run has written since."""
    try:
        if file.read_text(encoding="utf-8") == kept:
            file.unlink()
    except OSError:
        return


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
    except (OSError, ValueError, KeyError, TypeError):
        raise NotRunning("no local service answers: start it with `make dev`") from None
    if answer.status_code != 200:
        raise LookupError(answer.text)
    return answer.text
