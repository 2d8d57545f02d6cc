"""What the tests of the request side share: a refusal as a value, and manifests by keyword."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cognises import CognisesError

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}],
}


def refused(call: Callable[..., object], *arguments: object) -> CognisesError:
    """The error of a call that must be refused; any other exception fails the test."""
    with pytest.raises(CognisesError) as caught:
        call(*arguments)
    return caught.value


def manifest(**allowed: list[str]) -> list[dict[str, Any]]:
    """A manifest by keyword: `manifest(editors=["update_data"])`."""
    return [
        {"group_name": name, "group_policy": POLICY, "allowed_functions": functions}
        for name, functions in allowed.items()
    ]
