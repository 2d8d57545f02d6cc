"""The pages under docs/ say what the code does."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from cognises.errors import ANSWERS
from cognises.settings.sources import NAMES, NEVER_COMMITTED, PROJECT_FOLDER


def names_in_table(page: str) -> set[str]:
    text = (PROJECT_FOLDER / "docs" / page).read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([A-Z_]+)`", text, re.MULTILINE))


def test_the_settings_page_lists_every_setting_and_no_other():
    assert names_in_table("settings.md") == set(NAMES)


def test_the_security_page_names_what_must_not_be_committed():
    text = (PROJECT_FOLDER / "docs" / "security.md").read_text(encoding="utf-8")

    assert [name for name in NEVER_COMMITTED if f"`{name}`" not in text] == []


@pytest.mark.parametrize(("page", "number"), [("testing.md", 2), ("acting-in-aws.md", 1)])
def test_the_examples_of_a_page_run(page, number, tmp_path):
    """In a suite of their own, beside the service's own tests' `conftest.py`."""
    page = (PROJECT_FOLDER / "docs" / page).read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    plugin = 'pytest_plugins = ["cognises.testing.fixtures"]\n'
    fixtures = (PROJECT_FOLDER / "tests" / "app" / "conftest.py").read_text(encoding="utf-8")
    future, _, rest = fixtures.partition("import pytest\n")
    (tmp_path / "conftest.py").write_text(f"{future}import pytest\n\n{plugin}{rest}")
    for place, example in enumerate(examples):
        (tmp_path / f"test_{place}.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    own = {"PYTHONPATH": str(PROJECT_FOLDER), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert len(examples) == number


def test_no_answer_names_a_group_or_a_claim():
    words = " ".join(answer.message for answer in ANSWERS.values())

    assert re.findall(r"[{}%]|cognito:", words) == []
