"""The environment of local runs: nothing in it can reach, or even name, a real account."""

import os
from collections.abc import MutableMapping

from cognises.errors import SettingsError
from cognises.settings.sources import NAMES, PROJECT_FOLDER, read_values
from cognises.user_pool import REGION, partition_of

_DEFAULT_REGION = "us-east-1"
_DROPPED = ("AWS_", "BOTO_", "COGNITO_", "COGNISES_", "FLASK_", "MOTO_")
# Settings that name neither an account, nor a trust root, nor an address of this service.
_KEPT = {
    "COGNISES_CORS_ORIGINS",
    "COGNISES_GROUPS_FILE",
    "COGNISES_LOG_FORMAT",
    "COGNISES_LOG_LEVEL",
    "COGNISES_MAX_BODY_BYTES",
    "COGNISES_REALM",
    "COGNISES_ROLE_PATH",
    "COGNISES_ROLE_PREFIX",
    "COGNISES_TOKEN_CACHE_SIZE",
    "COGNITO_TOKEN_USE",
}


def _is_dropped(name: str) -> bool:
    """Names of ours and of AWS; and of proxies, which would get what is meant for loopback."""
    return name.lower().endswith("_proxy") or (name.startswith(_DROPPED) and name not in _KEPT)


def isolate(environ: MutableMapping[str, str] = os.environ) -> None:
    """Drop what points at AWS, and put in its place what points nowhere.

    A setting left out would be looked up in `.env`; an empty one counts as unset.
    """
    for name in [name for name in environ if _is_dropped(name)]:
        del environ[name]
    region = _project_region()
    environ.update(
        {name: "" for name in NAMES if name not in _KEPT},
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false",  # `.env` may say true: to AWS, then
        FLASK_SKIP_DOTENV="1",
        MOTO_ALLOW_NONEXISTENT_REGION="true",
        MOTO_DISABLE_GLOBAL_CORS="true",
        MOTO_COGNITO_IDP_USER_POOL_ID_STRATEGY="HASH",
        MOTO_COGNITO_IDP_USER_POOL_CLIENT_ID_STRATEGY="HASH",
    )
    del environ["AWS_ENDPOINT_URL"]  # botocore reads this one itself, and takes "" for an address


def _project_region() -> str:
    """The project's region. Those outside of amazonaws.com are not embedded: moto's tokens name it.

    What is wrong with the files is reported where the settings are read.
    """
    try:
        region = read_values(PROJECT_FOLDER, names=["AWS_REGION"]).get("AWS_REGION", "")
    except SettingsError:
        return _DEFAULT_REGION
    is_known = REGION.fullmatch(region) and partition_of(region)[1] == "amazonaws.com"
    return region if is_known else _DEFAULT_REGION
