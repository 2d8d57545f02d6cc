"""The template's pages and the generated ones: what they link to, name and promise is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from baking import DEPLOYMENTS, ROOT, TEMPLATE_FOLDER, contents, files_of_a_clone, run

sys.path.insert(0, str(ROOT / "tools"))
import audit
from comparison import ROWS

PROJECT = ROOT / TEMPLATE_FOLDER
PAGES = [
    name
    for name in files_of_a_clone()
    if name.endswith(".md") and not name.startswith(TEMPLATE_FOLDER)
]
FENCED = re.compile(r"(?ms)^ *```.*?^ *```")


def links(text):
    """Addresses of links and pictures, those in code left out."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text))


def anchors(text):
    """The headings as GitHub names them."""
    headings = re.findall(r"(?m)^#+ (.+)$", FENCED.sub("", text))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page, text):
    """Links of a page to files and headings that are not there."""
    for address in links(text):
        file, _, anchor = unquote(address).partition("#")
        if re.match(r"https?:", address):
            continue
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield address


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_the_templates_pages_leads_somewhere(name):
    assert list(broken(ROOT / name, (ROOT / name).read_text())) == []


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_every_link_of_the_generated_pages_leads_somewhere(bakes, deployment):
    project = bakes[deployment, ""]
    found = {
        name: list(broken(project / name, data.decode()))
        for name, data in contents(project).items()
        if name.endswith(".md")
    }
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_every_file_that_a_generated_page_names_is_there(bakes, deployment):
    """Or is on that page, for the reader to copy."""
    project = bakes[deployment, ""]
    named = re.compile(r"`((?:app|cognises|local_aws|tests|tools)/[\w./-]+)`")
    missing = []
    for page in project.rglob("*.md"):
        text = page.read_text()
        copied = re.findall(r"(?m)^\*\*`([^`]+)`\*\*.*\n\n```", text)
        for path in named.findall(text):
            if not (project / path).exists() and not any(each.startswith(path) for each in copied):
                missing.append((page.name, path))
    assert missing == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.test)
def test_what_the_comparison_says_of_us_has_its_test(row):
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "cognises").rglob("test_*.py"))
    assert f"def {row.test}(" in tests


def test_the_comparison_says_nothing_of_anybody_twice():
    assert len({row.finding for row in ROWS}) == len(ROWS)


def table(page, head):
    """First cells of the table that begins with that head, without their back-ticks."""
    text = (ROOT / page).read_text().partition(f"| {head} |")[2].partition("\n\n")[0]
    rows = text.splitlines()[2:]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in rows], rows


def test_the_architecture_page_justifies_every_dependency_and_no_other():
    text = (PROJECT / "pyproject.toml").read_text()
    named = re.findall(r'(?m)^    "([a-z][^">]+)>=', text.partition("\ntest = [")[0])
    justified, _ = table("docs/architecture.md", "dependency")
    assert sorted(name for row in justified for name in row) == sorted(set(named))


def test_the_architecture_page_names_packages_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    _, rows = table("docs/architecture.md", "step")
    named = re.findall(r"`(cognises/\w+)`", "".join(rows))
    assert len(named) == 5
    assert [path for path in named if not (PROJECT / path / "__init__.py").is_file()] == []
    modules = re.findall(
        r"`((?:\w+\.)+\w+)`", text.partition("Further contracts")[2].partition("\n")[0]
    )
    paths = [PROJECT / "cognises" / f"{name.replace('.', '/')}.py" for name in modules]
    assert len(paths) == 3
    assert [path for path in paths if not path.is_file()] == []


def test_the_table_of_verdicts_quotes_the_hook():
    """And cookiecutter's own word; test_verdicts.py runs it."""
    text = (ROOT / "README.md").read_text().partition("## After generating")[2]
    text = text.partition("\n## ")[0]
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text()
    quoted = {word for word in re.findall(r"`([A-Z]\w+[^`]*)`", text) if "=" not in word}
    assert quoted == {"FAILED:", "NOT VERIFIED:", "NOT VERIFIED", "NOT VERIFIED: interrupted"} | {
        "Aborted!"
    }
    for word in ("FAILED:", "NOT VERIFIED:", '"interrupted"', "COGNISES_VERIFY"):
        assert word in hook


def test_the_contributing_page_names_every_file_of_the_templates_tests():
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert named == {path.name for path in (ROOT / "tests" / "template").glob("test_*.py")}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_generated_readme_leads_to_every_page(bakes, deployment):
    project = bakes[deployment, ""]
    linked = set(links((project / "README.md").read_text()))
    assert {f"docs/{path.name}" for path in project.glob("docs/*.md")} <= linked


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_generated_readme_says_what_is_where(bakes, deployment):
    """Every path of its table is there, and every folder is in it."""
    project = bakes[deployment, ""]
    table = (project / "README.md").read_text().partition("| path | what it is |")[2]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    told = {path for row in rows for path in re.findall(r"`([^`]+)`", row.split("|")[1])}
    files = [path.rstrip("/") for path in told if path != ".txt"]  # stands for the locks
    assert [path for path in files if not list(project.glob(path))] == []
    folders = {path.name for path in project.iterdir() if path.is_dir()}
    mentioned = {path.split("/")[0] for path in told}
    assert {name for name in folders if not name.startswith(".")} <= mentioned


def test_a_service_of_ones_own_is_closed_as_the_migrating_page_says(tmp_path):
    for name in ("cognises", "groups.json", "groups.schema.json", "provision.py"):
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "wsgi.py").write_text(
        "from flask import Flask\n"
        "from cognises import Cognises, public\n"
        "app = Flask(__name__)\n"
        "app.add_url_rule('/open', 'open', public(lambda: 'open'))\n"
        "app.add_url_rule('/old', 'old', lambda: 'old')\n"
        "Cognises(app)\n"
    )
    command = [sys.executable, "-Bm", "flask", "--app", "wsgi", "cognises", "access", "--check"]
    done = run(command, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"(?m)^GET +/open .*everybody$", done.stdout), done.stdout
    assert re.search(r"(?m)^GET +/old .*nobody$", done.stdout), done.stdout


def test_no_page_is_longer_than_its_reader_is_patient():
    """The README says what, why and how on its first screen."""
    first = (ROOT / "README.md").read_text().splitlines()[:16]
    assert any("docs/demo.svg" in line for line in first)
    assert any(line.startswith("make demo") for line in first)


def test_make_check_notices_a_page_that_is_not_what_programs_print(template, tmp_path):
    page = tmp_path / "README.md"
    text = (template / "README.md").read_text()
    page.write_text(text.replace("| `user_pool_id` |", "| `pool` |"))
    cog = [sys.executable, "-m", "cogapp", "--check", "-I", str(template / "tools"), str(page)]
    assert subprocess.run(cog, check=False, capture_output=True).returncode == 5
    assert Path(template, "docs", "demo.svg").is_file()


def test_each_scanners_finding_on_the_security_page_has_its_reason():
    section = audit.PAGE.read_text().partition("## What scanners report")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| [^-]", line)][1:]
    assert len(audit.ROW.findall(section)) == len(rows) > 0
    assert all(
        len(reason) > 10 or reason == "the same" for *_, reason in audit.ROW.findall(section)
    )


def test_a_finding_that_is_not_listed_and_a_listed_one_that_is_not_found_are_problems():
    listed, found = ("CKV_1", "a.yaml", "Old"), ("DL3006", "Dockerfile", "3")
    both = ("CKV_2", "a.yaml", "Kept")
    assert audit.compare({both}, {both}) == []
    assert audit.compare({both, found}, {both, listed}) == [
        "CKV_1 a.yaml Old: is no longer found; remove it from security.md",
        "DL3006 Dockerfile 3: is not listed in security.md; fix it",
    ]
