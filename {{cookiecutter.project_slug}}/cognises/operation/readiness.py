"""`/ready`: whether this process can verify tokens. `/health` only says that it runs."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from cognises.errors import CognisesError
from cognises.web.decorators import public
from cognises.web.responses import refusal
from cognises.web.route_metadata import DEFAULT_LOGIN
from cognises.web.state import state_of

bp = Blueprint("operation", __name__)


@bp.get("/ready")
@public
def ready() -> Response:
    """For load balancers: 200 if tokens can be verified, else 503 with Retry-After.

    It fetches the keys itself if none are there. Many requests at once cost one fetch and one
    waiting thread; the back-off of the key set applies.
    """
    state = state_of(current_app._get_current_object())  # type: ignore[attr-defined]
    try:
        state.verifier(DEFAULT_LOGIN).keys.require_usable()
        answer = jsonify(status="ready")
    except CognisesError as error:
        answer = refusal(error, state.settings.realm).get_response()  # type: ignore[assignment]
    answer.headers["Cache-Control"] = "no-store"
    return answer
