"""What a person does in the browser, step by step."""

from __future__ import annotations

from typing import Any

from local_aws.demo import expectation

PEOPLE = {
    "admins": "admins@example.org",
    "editors": "editors@example.org",
    "viewers": "viewers@example.org",
    None: "newcomer@example.org",
}


def sign_in(page: Any, address: str, group: str | None) -> None:
    """Open the access page, sign in, and come back to it."""
    page.goto(f"{address}/access")
    pick(page, group)
    page.wait_for_url(f"{address}/access")


def pick(page: Any, group: str | None) -> None:
    page.get_by_role("button", name=PEOPLE[group]).click()


def press(page: Any, method: str, path: str) -> int:
    """Press a route's button on the access page; the status that it shows."""
    route = page.locator(f'form.try[data-method="{method}"][data-path="{path}"]')
    if not route.is_visible():
        page.locator("details.everybody > summary").click()
    route.get_by_role("button").click()
    if method not in {"GET", "HEAD"}:
        page.get_by_role("dialog").get_by_role("button", name="Send it").click()
    shown = route.locator("output[data-status]")
    shown.wait_for()
    return int(shown.get_attribute("data-status"))


__all__ = ["PEOPLE", "expectation", "pick", "press", "sign_in"]
