"""AWS with the rights of the signed-in user.

    @bp.get("/files")
    @permission_required
    def view_files():
        return {"files": user_client("s3").list_objects_v2(Bucket="…")["Contents"]}

The request's own ID token is exchanged for credentials of the IAM role of the user's group, so AWS
itself refuses what the group may not do. boto3 is imported on first use.
"""

from __future__ import annotations

from cognises.aws.user_session import user_client as user_client
from cognises.aws.user_session import user_session as user_session

__all__ = ["user_client", "user_session"]
