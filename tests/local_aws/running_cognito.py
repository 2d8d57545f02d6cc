"""What the tests of the embedded Cognito share."""

from __future__ import annotations

from typing import NamedTuple

from local_aws.cognito import DemoUser, LocalCognito

PUBLIC_URL = "http://127.0.0.1:5000"


class Running(NamedTuple):
    """What a test needs of it: where it is, what it has."""

    address: str
    cognito: LocalCognito
    users: dict[str, DemoUser]


class Client(NamedTuple):
    """An app client that has a secret."""

    id: str
    secret: str
