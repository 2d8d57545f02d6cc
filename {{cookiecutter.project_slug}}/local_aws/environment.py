"""The environment of local runs: nothing in it can reach, or even name, a real account."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from cognises.settings.sources import NAMES

REGION = "us-east-1"
_DROPPED = ("AWS_", "BOTO_", "COGNITO_", "COGNISES_", "FLASK_", "MOTO_")
_KEPT = {"COGNISES_GROUPS_FILE", "COGNITO_TOKEN_USE"}


def _is_dropped(name: str) -> bool:
    """Names of ours and of AWS; and of proxies, which would be sent what is meant for loopback."""
    return name.lower().endswith("_proxy") or (name.startswith(_DROPPED) and name not in _KEPT)


def isolate(environ: MutableMapping[str, str] = os.environ) -> None:
    """Drop what points at AWS, and put in its place what points nowhere.

    A setting left out would be looked up in `.env`; an empty one counts as unset.
    """
    for name in [name for name in environ if _is_dropped(name)]:
        del environ[name]
    environ.update(
        {name: "" for name in NAMES if name not in _KEPT},
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        FLASK_SKIP_DOTENV="1",
        MOTO_DISABLE_GLOBAL_CORS="true",
        MOTO_COGNITO_IDP_USER_POOL_ID_STRATEGY="HASH",
        MOTO_COGNITO_IDP_USER_POOL_CLIENT_ID_STRATEGY="HASH",
    )
    del environ["AWS_ENDPOINT_URL"]  # botocore reads this one itself, and takes "" for an address
