"""The pages under docs/ say what the code does."""

from __future__ import annotations

import re

from cognises.errors import ANSWERS
from cognises.settings import NAMES, NEVER_COMMITTED, PROJECT_FOLDER


def names_in_table(page: str) -> set[str]:
    text = (PROJECT_FOLDER / "docs" / page).read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([A-Z_]+)`", text, re.MULTILINE))


def test_the_settings_page_lists_every_setting_and_no_other():
    assert names_in_table("settings.md") == set(NAMES)


def test_the_security_page_names_what_must_not_be_committed():
    text = (PROJECT_FOLDER / "docs" / "security.md").read_text(encoding="utf-8")

    assert [name for name in NEVER_COMMITTED if f"`{name}`" not in text] == []


def test_no_answer_names_a_group_or_a_claim():
    words = " ".join(answer.message for answer in ANSWERS.values())

    assert re.findall(r"[{}%]|cognito:", words) == []
