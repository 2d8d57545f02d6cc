"""Every page: readable by everybody, on a phone and a desktop, light and dark, under its policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from steps import can_be_read_by_everybody, pick, press, sign_in


def front(page: Any, service: str) -> None:
    page.goto(service)


def signing_in(page: Any, service: str) -> None:
    page.goto(f"{service}/access")


def access(page: Any, service: str) -> None:
    sign_in(page, service, "admins")
    press(page, "GET", "/protected")
    page.evaluate("scrollTo(0, 0)")


def question(page: Any, service: str) -> None:
    sign_in(page, service, "editors")
    page.locator('form.try[data-method="PUT"]').get_by_role("button").click()
    page.get_by_role("dialog").wait_for()


def closed(page: Any, service: str) -> None:
    sign_in(page, service, "viewers")
    page.goto(f"{service}/admin")


def denied(page: Any, service: str) -> None:
    page.goto(f"{service}/access")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(f"{service}/callback*")


def unsaved(page: Any, service: str) -> None:
    sign_in(page, service, "viewers")
    page.goto(f"{service}/form")
    page.get_by_role("textbox").fill("what I wrote")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Nothing was saved yet").wait_for()


def missing(page: Any, service: str) -> None:
    page.goto(f"{service}/nowhere")


def newcomer(page: Any, service: str) -> None:
    page.goto(f"{service}/access")
    pick(page, None)
    page.wait_for_url(f"{service}/access")


PAGES: dict[str, Callable[[Any, str], None]] = {
    "front": front,
    "sign-in": signing_in,
    "access": access,
    "question": question,
    "closed": closed,
    "denied": denied,
    "unsaved": unsaved,
    "not-found": missing,
    "newcomer": newcomer,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_and_used_by_everybody(
    page: Any, service: str, screenshots: Path, name: str
):
    PAGES[name](page, service)
    can_be_read_by_everybody(page, screenshots, name)


def test_the_matrix_fits_a_phone_with_ten_groups(page: Any, service: str):
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, service, "admins")
    page.evaluate("""() => {
        for (const row of document.querySelectorAll(".matrix tr")) {
            for (let number = 0; number < 10; number += 1) {
                const cell = row.lastElementChild.cloneNode(true);
                cell.className = row.closest("thead") ? "" : "yes";
                row.append(cell);
            }
        }
    }""")

    widths = "[box.scrollWidth, box.clientWidth]"
    needed, there = page.evaluate(f"(box => {widths})(document.querySelector('.scroll'))")
    assert needed <= there


def test_routes_and_matrix_can_be_filtered(page: Any, service: str):
    sign_in(page, service, "admins")
    rows = page.locator(".matrix tbody tr")
    everything = rows.count()

    page.get_by_label("Filter the matrix").fill("put data")
    assert page.locator(".matrix tbody tr:visible").count() == 1
    page.get_by_label("Filter the matrix").fill("viewers")
    assert 1 < page.locator(".matrix tbody tr:visible").count() < everything
    page.get_by_label("Filter the matrix").fill("")
    assert page.locator(".matrix tbody tr:visible").count() == everything

    page.get_by_label("Filter routes").fill("/access/matrix")
    assert page.locator("li.route:visible").count() == 1


def test_the_header_is_the_same_on_every_page(page: Any, service: str):
    sign_in(page, service, "viewers")
    headers = set()
    for path in ("/", "/access", "/admin", "/nowhere"):
        page.goto(service + path)
        headers.add(page.get_by_role("banner").inner_text())

    assert len(headers) == 1


def test_a_closed_page_shows_the_account_its_groups_and_what_to_do(page: Any, service: str):
    sign_in(page, service, "viewers")
    page.goto(f"{service}/admin")

    shown = page.get_by_role("main").inner_text()
    assert "viewers@example.org" in shown
    assert "viewers" in shown.replace("viewers@example.org", "")
    assert "Ask for access" in shown
    assert "admins" not in shown


def test_every_answer_carries_the_headers_that_narrow_a_browser(page: Any, service: str):
    sign_in(page, service, "editors")
    for path in ("/", "/access", "/nowhere", "/static/style.css", "/health"):
        headers = page.goto(service + path).headers

        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe-inline" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin", path


def test_the_keyboard_alone_is_enough(page: Any, service: str):
    page.goto(service)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to the content"

    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"

    page.get_by_role("link", name="My access").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Sign in"

    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Sign in as").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{service}/")
    assert page.get_by_role("button", name="Sign out").is_visible()
