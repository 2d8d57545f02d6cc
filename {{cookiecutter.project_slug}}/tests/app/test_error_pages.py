"""The error pages of app/error_pages.py."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_an_error_is_a_page_for_browsers_and_json_for_programs(client: FlaskClient) -> None:
    page = client.get("/nowhere", headers={"Accept": "text/html"})
    answer = client.get("/nowhere")

    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert (answer.status_code, answer.json["status"]) == (404, 404)


def test_an_error_keeps_the_headers_of_its_kind(client: FlaskClient) -> None:
    answer = client.delete("/access", headers={"Accept": "application/json"})

    assert answer.json["status"] == 405
    assert "GET" in answer.headers["Allow"]
