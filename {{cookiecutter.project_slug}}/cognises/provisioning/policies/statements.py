"""One statement of an IAM policy, written short."""

from __future__ import annotations

from typing import Any


def allow(sid: str, service: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    """Actions of one service, allowed on one resource."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resource,
    }


def deny(sid: str, service: str, actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    """The same, denied."""
    return {**allow(sid, service, actions, resource), "Effect": "Deny"}
