"""Where other ways of checking a Cognito token fall short, and the test that holds us to better.

What is said of others was measured in November 2026 with the versions of that month.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """What somebody else does, what cognises does, and its test in the generated project."""

    peer: str
    finding: str
    here: str
    test: str


ROWS = (
    Row(
        "plain recipes, fastapi-cloudauth, pycognito",
        "accept an access token that another app of the pool got",
        "the client id is required and checked",
        "test_several_clients_are_accepted_and_no_other",
    ),
    Row(
        "Flask-Cognito, Flask-AWSCognito",
        "check neither `iss` nor `token_use`; answer 500 to a token without `kid`",
        "both checked; every bad token is 401 with its reason",
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
        "fetches the key set on every request; answers 403 to a bad token",
        "one fetch for many tokens",
        "test_many_tokens_cost_one_fetch",
    ),
    Row(
        "Flask-JWT-Extended",
        "answers 422 to a bad token; its CSRF scheme needs a claim that Cognito never issues",
        "cookies on unsafe methods must come from the site itself",
        "test_a_cookie_on_an_unsafe_method_must_come_from_the_site_itself",
    ),
    Row(
        "PyJWT's key client",
        "a known key waits while another is fetched; an outage refuses everybody "
        "once its cache has expired",
        "known keys never wait, and service goes on through an outage",
        "test_known_kids_do_not_wait_while_a_fetch_for_an_unknown_one_is_in_flight",
    ),
    Row(
        "aws-jwt-verify (JavaScript)",
        "trusts a key that the pool has withdrawn for as long as the process lives",
        "a withdrawn key is refused after the next refresh",
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
        "takes the audience from the token it is about to check, and runs the view on a refusal",
        "a refusal never runs the view",
        "test_every_forgery_is_refused_at_the_door_and_runs_no_view",
    ),
    Row(
        "decorators of one's own",
        "a route without one is open, and a cache above one serves past it",
        "the app guards: a forgotten route is denied, a cache cannot serve past the guard",
        "test_a_cache_above_a_guard_cannot_serve_past_it",
    ),
)
