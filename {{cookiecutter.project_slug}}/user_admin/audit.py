"""The record of changes: one JSON object for each in a bucket, written as the administrator.

An object is written before its change and again with the outcome; the bucket keeps both versions.
It is a record for people. What cannot be forged is CloudTrail's.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from secrets import token_hex
from typing import Any

from flask import current_app
from werkzeug.exceptions import HTTPException

from cognises.errors import printable
from cognises.users import User
from cognises.web.authorize import current_user
from cognises.web.responses import Refusal
from cognises.web.state import state_of
from user_admin.changes import call

KEY = re.compile(r"audit/[!-~]{1,200}")
_A_PAGE, _MAX_BYTES, _LATEST = 20, 4096, 10**13
_FIELDS = ("time", "who", "action", "whom", "groups", "outcome")
log = logging.getLogger("cognises.admin")


def recorded(action: str, user: User, groups: Iterable[str], make: Callable[[], User]) -> User:
    """Make a change, with an entry before and after it; without the first there is no change."""
    now = time.time()
    moment = datetime.fromtimestamp(now, timezone.utc)
    # S3 lists keys in ascending order: the time that is left puts the newest first.
    key = f"audit/{_LATEST - int(now * 1000):013d}-{moment:%Y%m%dT%H%M%SZ}-{token_hex(4)}.json"
    who = current_user.email or current_user.username
    entry = {"time": moment.isoformat(timespec="seconds"), "who": f"{who} ({current_user.sub})",
             "action": action, "whom": str(user), "groups": ", ".join(groups)}  # fmt: skip
    outcome = "unknown: not finished"
    _put(key, {**entry, "outcome": outcome})
    try:
        user = make()
        outcome = "done"
        return user
    except HTTPException as error:
        outcome = error.error.reason if isinstance(error, Refusal) else str(error.description)
        raise
    except Exception as error:
        outcome = f"unknown: {type(error).__name__}"  # AWS may have made the change
        raise
    finally:
        log.info("%s by %s: %s", action, current_user.sub, outcome.partition(":")[0])
        try:
            _put(key, {**entry, "whom": str(user), "outcome": outcome})
        except HTTPException:
            log.exception("the outcome of %s is not in the record", key)


def entries(after: str) -> tuple[list[dict[str, str]], str | None]:
    """A page of entries behind a key, the newest first, and the key that the next page is behind.

    Any writer of the bucket can have written anything: all is text of bounded length.
    """
    start = {"StartAfter": after} if after else {}
    found = call("list_objects_v2", "s3", **_bucket(), Prefix="audit/", MaxKeys=_A_PAGE, **start)
    keys = [str(each["Key"]) for each in found.get("Contents", ())]
    more = bool(found.get("IsTruncated")) and bool(KEY.fullmatch(keys[-1]))
    return list(map(_read, keys)), keys[-1] if more else None


def _read(key: str) -> dict[str, str]:
    content = call("get_object", "s3", **_bucket(), Key=key)["Body"].read(_MAX_BYTES)
    try:
        entry: Any = json.loads(content)
        return {name: printable(str(entry.get(name, "")))[:400] for name in _FIELDS}
    except (ValueError, AttributeError, RecursionError):
        return {**dict.fromkeys(_FIELDS, ""), "outcome": f"{key} is no entry of this service"}


def _put(key: str, entry: dict[str, str]) -> None:
    body = json.dumps(entry).encode()
    call("put_object", "s3", **_bucket(), Key=key, Body=body, ContentType="application/json")


def _bucket() -> dict[str, str]:
    return {"Bucket": str(state_of(current_app).settings.files_bucket)}
