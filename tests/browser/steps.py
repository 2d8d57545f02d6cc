"""What a person does in the browser, step by step."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from local_aws.demo import expectation

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
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


def can_be_read_by_everybody(page: Any, screenshots: Path, name: str) -> None:
    """The open page has no grave accessibility problem and fits, in each size and scheme."""
    from axe_playwright_python.sync_playwright import Axe

    assert page.title()
    assert page.locator("h1").count() == 1
    for size, scheme in product(SIZES, ("light", "dark")):
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)

        report = Axe().run(page).response
        grave = [each for each in report["violations"] if each["impact"] != "minor"]
        found = [(each["id"], [node["html"] for node in each["nodes"]]) for each in grave]
        assert report["passes"]
        assert found == [], f"{size}, {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{size}, {scheme}"


__all__ = ["PEOPLE", "can_be_read_by_everybody", "expectation", "pick", "press", "sign_in"]
