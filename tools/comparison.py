"""Faults of other ways to check a Cognito token, and the test that covers the same case here.

The findings were measured in November 2026 with the versions of that month.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """What a library does, what cognises does, and the name of its test in tests/cognises/."""

    peer: str
    finding: str
    here: str
    test: str


ROWS = (
    Row(
        "published recipes, fastapi-cloudauth, pycognito",
        "accept an access token issued to another app of the pool",
        "the client id is required and checked",
        "test_several_clients_are_accepted_and_no_other",
    ),
    Row(
        "Flask-Cognito, Flask-AWSCognito",
        "check neither `iss` nor `token_use`; answer 500 to a token without `kid`",
        "both are checked; every bad token is 401 with its reason",
        "test_a_forged_token_is_refused_for_its_own_reason",
    ),
    Row(
        "Flask-AWSCognito",
        "does not import on Flask 3",
        "Flask 3.1 and newer, Python 3.10 and newer",
        "test_every_shape_of_view_answers_alike",
    ),
    Row(
        "flask-cognito-lib",
        "fetches the key set at every request; answers 403 to a bad token",
        "one fetch serves many tokens; a bad token is 401",
        "test_many_tokens_cost_one_fetch",
    ),
    Row(
        "Flask-JWT-Extended",
        "answers 422 to a bad token; its CSRF scheme needs a claim that Cognito never issues",
        "an unsafe request with a cookie must come from the same origin",
        "test_a_cookie_on_an_unsafe_method_must_come_from_the_site_itself",
    ),
    Row(
        "PyJWT's key client",
        "a request with a known key waits while another key is fetched; during an outage every "
        "request is refused once its cache has expired",
        "known keys never wait, and keep working during an outage",
        "test_known_kids_do_not_wait_while_a_fetch_for_an_unknown_one_is_in_flight",
    ),
    Row(
        "aws-jwt-verify (JavaScript)",
        "trusts a key that the pool has removed until the process ends",
        "a removed key is refused after the next refresh",
        "test_a_removed_key_is_refused_after_the_next_refresh",
    ),
    Row(
        "aws-jwt-verify (JavaScript)",
        "accepts a token without `exp`, with `crit`, with duplicate members, of any size",
        "each is refused, before or without a signature",
        "test_what_is_not_one_strict_json_object_is_refused",
    ),
    Row(
        "the `cognises` package of 2018",
        "takes the audience from the unverified token, and runs the view after a refusal",
        "a refusal never runs the view",
        "test_every_forgery_is_refused_before_the_view_runs",
    ),
    Row(
        "your own decorators",
        "a route without one is open, and a cache above one answers without asking it",
        "the app decides first: a route without a guard is denied, "
        "and a cache cannot answer before the guard",
        "test_a_cache_above_a_guard_cannot_serve_past_it",
    ),
)
