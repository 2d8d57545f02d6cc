"""An ID token on its way in: read from a file or standard input, and verified as the app does."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cognises.errors import CognisesError, ProblemsError
from cognises.settings.model import Settings
from cognises.tokens.key_source import own_key_set
from cognises.tokens.verifier import Verifier
from cognises.user_pool import UserPool

LARGEST = 64 * 1024  # bytes; four times what any verifier here takes
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*)*")


class VerifyFailed(ProblemsError):
    """A token that shows nothing, or an exchange that was refused; one line each."""


def read_token(file: Path | None) -> str:
    """The token: from a file, from standard input, or typed unseen on a terminal.

    Raises UsageError where the option holds the token itself, without repeating it.
    """
    if file is not None and (_TOKEN.match(str(file)) or len(str(file)) > 1024):
        raise click.UsageError("--token-file takes the name of a file, and never the token")
    if file is not None:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    elif sys.stdin.isatty():
        data = click.prompt("ID token", hide_input=True, err=True).encode()
    else:
        data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise VerifyFailed(["what was read is no token: it is too large"])
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise VerifyFailed(["nothing was read; give the ID token in a file or on standard input"])
    return token


def verified_claims(token: str, settings: Settings, pool: UserPool) -> Mapping[str, Any]:
    """The claims of a good ID token of the pool and its app clients. Raises VerifyFailed.

    `COGNITO_TOKEN_USE` says what the app takes; an identity pool takes ID tokens and no other.
    """
    verifier = Verifier(
        pool.id,
        settings.client_ids,
        token_use="id",
        additional_regions=settings.additional_regions,
        issuers=[settings.issuer] if settings.issuer else None,
        key_set=own_key_set(settings, pool),
    )
    try:
        return verifier.verify(token)
    except CognisesError as error:
        raise VerifyFailed([_why(error, pool)]) from None


def without_tokens(text: str) -> str:
    """The text, with whatever looks like a token blotted out."""
    return _TOKEN.sub("<token>", text)


def _why(error: CognisesError, pool: UserPool) -> str:
    known = {
        "token_expired": "the token has expired; sign in again and take the new ID token",
        "wrong_token_use": "this is no ID token, and the identity pool takes no other; an access "
        "token, perhaps?",
        "wrong_client": "the token was issued to an app client that COGNITO_CLIENT_ID does not "
        "name",
        "unknown_key": f"no key of user pool {pool.id} signed the token; is it another pool's?",
        "keys_unavailable": f"the keys of user pool {pool.id} cannot be fetched now, so nothing "
        "can be said of the token; try again",
    }
    return known.get(error.reason, f"the token is not valid: {error.detail or error.message}")
