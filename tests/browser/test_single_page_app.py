"""A single-page app on a port of its own signs in with oidc-client-ts and calls the service."""

from __future__ import annotations

import json
import re
from typing import Any

from dev_process import Dev
from single_page import PAGE, Site
from steps import PEOPLE, pick


def test_a_single_page_app_signs_in_at_the_stand_in_and_calls_the_service(
    page: Any, site: Site, dev: Dev
):
    service = dev.address
    found = re.search(r"authority=(\S+) client_id=(\S+)", dev.output)
    assert found, dev.output
    site.page = PAGE % json.dumps([found[1], found[2], service])
    page.goto(site.origin)
    page.get_by_role("button", name="Sign in").click()
    pick(page, "viewers")
    page.wait_for_url(f"{site.origin}/signed-in*")
    page.wait_for_function("document.querySelector('output').textContent")

    assert page.inner_text("output") == f"{PEOPLE['viewers']} 200 shared"
