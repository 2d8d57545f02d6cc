"""The list of scanners' findings in docs/security.md, which `make check` compares with a run."""

import re

from tools.audit import PAGE, ROW, compare


def test_every_row_of_the_page_is_read_with_its_reason():
    section = PAGE.read_text().partition("## What scanners report")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| [^-]", line)][1:]
    assert len(ROW.findall(section)) == len(rows) > 0
    assert all(len(reason) > 10 or reason == "the same" for *_, reason in ROW.findall(section))


def test_a_finding_that_is_not_listed_and_a_listed_one_that_is_not_found_are_problems():
    listed, found = ("CKV_1", "a.yaml", "Old"), ("DL3006", "Dockerfile", "3")
    both = ("CKV_2", "a.yaml", "Kept")
    assert compare({both}, {both}) == []
    assert compare({both, found}, {both, listed}) == [
        "CKV_1 a.yaml Old: is no longer found; remove it from security.md",
        "DL3006 Dockerfile 3: is not listed in security.md; fix it",
    ]
