"""Files in S3, read and written with the rights of the user who calls: AWS decides by groups.json.

One path, two permissions: `view_data` lists and reads, `update_data` writes. `folder` is `shared`,
`own`, or the id of an identity, whose folder AWS gives to that user alone.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import quote

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from cognises import Principal, permission_required, settings_of
from cognises.aws import user_client, user_identity_id
from cognises.web import prefers_html

bp = Blueprint("data", __name__)

PAGE = 100
_IDENTITY = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}:[0-9a-f-]{36}")
_CHUNK = 64 * 1024


@bp.get("/data")
@permission_required
def view_data(response: Principal) -> ResponseReturnValue:
    """List the files of `folder`, a page at a time, or read the one of that `name`."""
    folder = request.args.get("folder", "shared")
    if "name" in request.args:
        return _download(_key(folder, request.args["name"]))
    after, prefix = request.args.get("after", ""), _prefix(folder)
    if len((prefix + after).encode()) > 1024 or not _is_clean(after):
        abort(400, "Take the value of `after` from the page before.")
    found = user_client("s3").list_objects_v2(
        Bucket=_bucket(), Prefix=prefix, MaxKeys=PAGE, StartAfter=prefix + after
    )
    keys = [item["Key"].removeprefix(prefix) for item in found.get("Contents", [])]
    files = [
        {"name": name, "size": item["Size"], "modified": item["LastModified"].isoformat("T")}
        for name, item in zip(keys, found.get("Contents", []), strict=True)
        if _is_name(name)
    ]
    last = next(filter(_is_clean, reversed(keys)), None)  # others are refused as `after`
    page = {"folder": folder, "files": files, "next": last if found["IsTruncated"] else None}
    return render_template("files.html", **page) if prefers_html(request) else page


@bp.route("/data", methods=["PUT", "POST"])
@permission_required
def update_data(response: Principal) -> ResponseReturnValue:
    """Write a file: PUT the content to `?name=`, or POST a form with `file` and `folder`."""
    if request.method == "POST":
        upload = request.files.get("file")
        if upload is None:
            abort(400, "Choose a file.")
        folder = request.form.get("folder", "own")
        _store(_key(folder, upload.filename or ""), upload.stream)
        return redirect(url_for(".view_data", folder=folder), 303)
    folder, name = request.args.get("folder", "own"), request.args.get("name", "")
    key = _key(folder, name)
    with SpooledTemporaryFile(max_size=_CHUNK) as body:  # S3 needs to know the length
        shutil.copyfileobj(request.stream, body, _CHUNK)
        size = body.tell()
        body.seek(0)
        _store(key, body)
    return {"folder": folder, "name": key.rpartition("/")[2], "size": size}


def _bucket() -> str:
    bucket = settings_of(current_app).files_bucket
    if bucket is None:
        abort(404, "This service has no bucket for files: COGNISES_FILES_BUCKET is not set.")
    return bucket


def _key(folder: str, name: str) -> str:
    """Where S3 keeps a file. One name has one key, however its letters are composed."""
    name = unicodedata.normalize("NFC", name)
    if not _is_name(name):
        abort(400, "Name the file by 1 to 200 characters, without slashes and control characters.")
    return _prefix(folder) + name


def _is_clean(text: str) -> bool:
    """Whether it has no control, format or unassigned characters."""
    return all(unicodedata.category(each)[0] != "C" for each in text)


def _is_name(name: str) -> bool:
    is_plain = _is_clean(name) and name == name.strip() and not set(name) & set("/\\\u2028\u2029")
    return is_plain and name not in ("", ".", "..") and len(name) <= 200


def _prefix(folder: str) -> str:
    _bucket()
    if folder == "shared":
        return "shared/"
    if folder != "own" and not _IDENTITY.fullmatch(folder):
        abort(400, "`folder` is shared, own, or the id of an identity.")
    return f"users/{user_identity_id() if folder == 'own' else folder}/"


def _store(key: str, body: IO[bytes]) -> None:
    # Without a content type: that of an uploader could make a browser run the file.
    user_client("s3").put_object(Bucket=_bucket(), Key=key, Body=body)


def _download(key: str) -> Response:
    s3, bucket = user_client("s3"), _bucket()
    try:
        found = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        # S3 answers AccessDenied, not NoSuchKey, where the caller may not list the whole bucket.
        is_denied = error.response["Error"]["Code"] == "AccessDenied"
        is_missing = isinstance(error, s3.exceptions.NoSuchKey)
        if is_missing or (is_denied and not _exists(s3, bucket, key)):
            abort(404, "There is no file of this name.")
        raise
    answer = Response(found["Body"].iter_chunks(_CHUNK), mimetype="application/octet-stream")
    answer.content_length = found["ContentLength"]
    name = quote(key.rpartition("/")[2], safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"  # RFC 8187
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.call_on_close(found["Body"].close)
    return answer


def _exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether the folder lists the key. Raises ClientError where AWS refuses that, too."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(item["Key"] == key for item in found.get("Contents", []))
