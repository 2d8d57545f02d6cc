"""A refusal at the Flask edge: a werkzeug HTTPException that carries the CognisesError."""

from __future__ import annotations

import json

from flask import Response
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    ServiceUnavailable,
    Unauthorized,
)

from cognises.errors import CognisesError


class Refusal(HTTPException):
    """Carries the error as `error`; an app's handlers see it by status code or by class."""

    error: CognisesError


class BadRequestRefusal(Refusal, BadRequest):
    """400"""


class UnauthorizedRefusal(Refusal, Unauthorized):
    """401"""


class ForbiddenRefusal(Refusal, Forbidden):
    """403"""


class ServiceUnavailableRefusal(Refusal, ServiceUnavailable):
    """503"""


_CLASSES: dict[int, type[Refusal]] = {
    400: BadRequestRefusal,
    401: UnauthorizedRefusal,
    403: ForbiddenRefusal,
    503: ServiceUnavailableRefusal,
}


def refusal(error: CognisesError, realm: str) -> Refusal:
    """The HTTP answer to a refusal: its status, its challenge, one JSON shape."""
    body = {"status": error.status, "message": error.message, "reason": error.reason}
    response = Response(json.dumps(body), error.status, mimetype="application/json")
    response.headers.update(error.headers_for(realm))
    exception = _CLASSES[error.status](description=error.message, response=response)
    exception.error = error
    return exception
