"""The public routes of app/pages.py."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_the_front_page_shows_the_name_of_the_project_as_text(browser: FlaskClient) -> None:
    browser.application.config["PROJECT_NAME"] = "<b>Name</b>"

    page = browser.get("/").text

    assert "&lt;b&gt;Name&lt;/b&gt;" in page
    assert "<b>Name" not in page


def test_the_health_check_needs_no_token(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "ok"}
