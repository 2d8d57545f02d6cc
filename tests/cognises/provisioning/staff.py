"""Words of the users tests: who is in a pool, somebody at a terminal, calls that fail."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import pytest
from accounts import Account

from cognises.provisioning.users.directory import Directory

PASSWORD = "Tr0ub4dor&3x"
ADA = "ada@example.org"


def people(on: Account) -> dict[str, Any]:
    """Everybody in the pool, with their groups and password, as moto keeps them."""
    from moto.cognitoidp.models import cognitoidp_backends

    kept = cognitoidp_backends["123456789012"]["us-east-1"].user_pools[on.pool_id].users
    return {
        name: {
            "email": next((a["Value"] for a in user.attributes if a["Name"] == "email"), None),
            "enabled": user.enabled,
            "status": user.status.value if hasattr(user.status, "value") else user.status,
            "password": user.password,
            "groups": {each.group_name for each in user.groups},
        }
        for name, user in kept.items()
    }


def give_authenticator(on: Account, name: str) -> None:
    """The user signs in with an authenticator app, as moto keeps it."""
    from moto.cognitoidp.models import cognitoidp_backends

    kept = cognitoidp_backends["123456789012"]["us-east-1"].user_pools[on.pool_id].users[name]
    kept.token_verified = kept.software_token_mfa_enabled = True


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Standard input that is no terminal and holds this."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@dataclass
class Terminal:
    """Somebody types, and sees what goes to standard error."""

    monkeypatch: pytest.MonkeyPatch
    asked: list[str] = field(default_factory=list)

    def types(self, *texts: str) -> None:
        given = iter(texts)

        def answer(prompt: str = "") -> str:
            self.asked.append(prompt)
            return next(given)

        self.monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        for prompt in ("visible_prompt_func", "hidden_prompt_func"):
            self.monkeypatch.setattr(f"click.termui.{prompt}", answer)

    def sees(self) -> None:
        self.monkeypatch.setattr(
            "cognises.provisioning.users.passwords.sys.stderr.isatty",
            lambda: True,
            raising=False,
        )


def failing(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, *, after: bool) -> None:
    """That operation fails: before it reached the pool, or its answer is lost and it is resent."""
    opened = Directory.open

    def tapped(options: Any) -> Directory:
        found = opened(options)
        call = found.cognito._make_api_call

        def fail(operation_name: str, arguments: Any) -> Any:
            if operation_name != operation:
                return call(operation_name, arguments)
            if after:
                call(operation_name, arguments)
            kind = found.cognito.exceptions.from_code(code)
            raise kind({"Error": {"Code": code, "Message": "no\x1b[2J"}}, operation)

        monkeypatch.setattr(found.cognito, "_make_api_call", fail)
        return found

    monkeypatch.setattr(Directory, "open", tapped)
