"""A boto3 client whose answers are made here: every call is checked by botocore's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Refused(Exception):
    """What an answer raises for AWS to refuse the call."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def answering(service: str, answers: object, region: str = "eu-west-1", endpoint: str = "") -> Any:
    """A client that asks `answers.<operation>(params)`, in snake case, and never the network.

    An operation without an answer fails the test.
    """
    session = boto3.session.Session("testing", "testing", region_name=region)
    client = session.client(service, endpoint_url=endpoint or None)
    asked: dict[str, Any] = {}
    event = client.meta.service_model.service_id.hyphenize()

    def remember(params: dict[str, Any], **_: Any) -> None:
        asked.clear()
        asked.update(params)

    def answer(model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        reply: Answer = getattr(answers, xform_name(model.name))
        try:
            return SimpleNamespace(status_code=200), {"ResponseMetadata": {}, **reply(dict(asked))}
        except Refused as refused:
            error = {"Code": refused.code, "Message": refused.message}
            return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {}}

    client.meta.events.register(f"provide-client-params.{event}", remember)
    client.meta.events.register(f"before-call.{event}", answer)
    return client
