"""The page of app/account.py, and the first of those for administrators."""

from __future__ import annotations

from cognises.testing import AsGroup, AsUserOf


def test_the_protected_page_shows_the_user_and_the_groups(as_user_of: AsUserOf) -> None:
    answer = as_user_of("protected").get("/protected").json

    assert answer["user"] == "ada@example.org"
    assert len(answer["groups"]) == 1


def test_the_page_for_administrators_names_the_settings_that_are_missing(
    as_user_of: AsUserOf,
) -> None:
    answer = as_user_of("admin_panel").get("/admin")

    assert answer.mimetype == "text/html"
    assert "COGNISES_FILES_BUCKET is not set" in answer.text


def test_a_group_that_does_not_exist_opens_nothing(as_group: AsGroup) -> None:
    assert as_group("no-such-group").get("/protected").status_code == 403
