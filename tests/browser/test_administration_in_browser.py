"""An administrator invites a person and adds her to a group; she signs in and sees what she may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from steps import can_be_read_by_everybody, sign_in

INVITED = "eve@example.org"


def people(page: Any, service: str) -> None:
    page.goto(f"{service}/admin")


def confirmation(page: Any, service: str) -> None:
    people(page, service)
    page.get_by_role("link", name="viewers@example.org").click()
    page.get_by_label("Add to").select_option("admins")
    page.get_by_role("button", name="Add", exact=True).click()


def person(page: Any, service: str) -> None:
    people(page, service)
    page.get_by_role("link", name="editors@example.org").click()
    page.get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("status").wait_for()


def changes(page: Any, service: str) -> None:
    person(page, service)
    page.get_by_role("link", name="Changes").click()


PAGES: dict[str, Callable[[Any, str], None]] = {
    "people": people,
    "person": person,
    "confirmation": confirmation,
    "changes": changes,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_for_administrators_can_be_read_and_used_by_everybody(
    page: Any, service: str, screenshots: Path, name: str
):
    sign_in(page, service, "admins")
    PAGES[name](page, service)
    can_be_read_by_everybody(page, screenshots, name)


def test_an_invited_person_signs_in_and_sees_what_her_group_may_do(
    page: Any, service: str, chrome: Any
):
    sign_in(page, service, "admins")
    page.get_by_role("link", name="People").click()
    page.get_by_label("E-mail", exact=True).last.fill(INVITED)
    page.get_by_role("button", name="Invite").click()
    assert INVITED in page.get_by_role("main").inner_text()
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Add to").select_option("editors")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Add to group").click()
    assert "gets the rights of the group" in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Changes").click()
    shown = page.get_by_role("listitem").all_inner_texts()
    assert ["Add to group" in shown[0], "Invite" in shown[1]] == [True, True]
    assert all(INVITED in each and "admins@example.org" in each for each in shown[:2])

    hers = chrome.new_context().new_page()
    hers.goto(f"{service}/access")
    hers.get_by_role("button", name=INVITED).click()
    hers.wait_for_url(f"{service}/access")
    facts = hers.get_by_role("main").inner_text()
    assert "editors" in facts
    open_to_her = hers.locator("li.route.open code.path").all_inner_texts()
    assert "/data" in open_to_her
    assert "/admin" not in open_to_her
    assert hers.goto(f"{service}/admin").status == 403
    hers.context.close()
