"""Requests straight into a WSGI app, and the tokens that they carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from cognises.testing import FakePool

from . import apps

Call = Callable[[], object]


def requests_to(app: Flask, credentials: Iterator[str], path: str = "/") -> Call:
    """Requests straight into the WSGI app, each with the next credential."""
    environ = EnvironBuilder(path).get_environ()

    def start_response(status: str, headers: object, exc_info: object = None) -> Any:
        if not status.startswith("200"):
            raise SystemExit(f"{app.name}: answered {status}")

    def call() -> None:
        answer = app.wsgi_app({**environ, "HTTP_AUTHORIZATION": next(credentials)}, start_response)
        b"".join(answer)
        close = getattr(answer, "close", None)
        if close:
            close()

    return call


def fresh(pool: FakePool, group: str = apps.GROUP) -> Iterator[str]:
    """Tokens that differ."""
    return (pool.token([group], jti=str(number)) for number in count())


def repeated(pool: FakePool, group: str = apps.GROUP) -> Iterator[str]:
    """One token, again and again."""
    return repeat(pool.token([group]))
