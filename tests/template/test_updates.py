"""A project made by cruft, edited by its owner, and brought to a later version of the template."""

import io
import json
import shutil
import subprocess
import sys
import tarfile

import pytest
from baking import ROOT, TEMPLATE_FOLDER, borrow_packages, contents, cookiecutter, make, run
from renaming import rename_private_modules

CRUFT = f"{sys.prefix}/bin/cruft"
IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.org"]


def commit(folder):
    for command in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "As it is now"]):
        assert (done := run(["git", *command], cwd=folder)).returncode == 0, done.stdout


def append(path, text):
    path.write_text(path.read_text() + text)


@pytest.fixture
def repository(template, tmp_path):
    """The template as a git repository with one commit, as cruft wants it."""
    folder = tmp_path / "repository"
    shutil.copytree(template, folder)
    commit(folder)
    return folder


@pytest.fixture
def cruft(environment, tmp_path):
    """The command line; temporary files, cruft's own clones included, go where we can look."""
    (tmp_path / "temporary").mkdir()
    env = {**environment, "TMPDIR": str(tmp_path / "temporary")}
    env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}

    def cruft_with(*arguments, cwd, typed=()):
        return run([CRUFT, *arguments], cwd=cwd, env=env, typed=typed)

    return cruft_with


@pytest.fixture
def project(repository, cruft, tmp_path):
    """Made by `cruft create`, then committed."""
    made = cruft("create", str(repository), "--no-input", cwd=tmp_path)
    assert made.returncode == 0, made.stdout
    assert made.stdout.count("NOT VERIFIED") == 1
    folder = tmp_path / "cognises-service"
    commit(folder)
    return folder


def edit_what_is_the_owners(project):
    """The files that the generated README calls yours, and files of one's own."""
    groups = json.loads((project / "groups.json").read_text())
    groups[0]["allowed_functions"].append("report")
    (project / "groups.json").write_text(json.dumps(groups))
    append(project / "app/data.py", "\n\n# Our own code.\n")
    (project / "app/pages.py").write_text("# Rewritten.\n")
    (project / "app/reports.py").write_text("# New.\n")
    (project / "tests/app/test_reports.py").write_text("# New.\n")
    (project / "README.md").write_text("# Our own manual\n")
    (project / "app/templates/home.html").unlink()
    makefile = project / "Makefile"  # not the owner's alone: both changes have to be in it
    makefile.write_text("# ours\n" + makefile.read_text())


def release_a_later_version(repository):
    """Changes everywhere, in what is the owner's too; a module more, a module less."""
    inner = repository / TEMPLATE_FOLDER
    for name in ("groups.json", "app/data.py", "app/pages.py", "README.md", "app/settings.py"):
        path = inner / name
        path.write_text(path.read_text().replace("\n", "\n\n", 1))
    append(inner / "app/templates/home.html", "<!-- later -->\n")
    append(inner / "cognises/errors.py", "# later\n")
    append(inner / "tests/conftest.py", "# later\n")
    append(inner / "Makefile", "# later\n")
    (inner / "cognises/later.py").write_text("# new\n")
    (inner / "app/later.py").write_text("# new\n")
    (inner / "docs/testing.md").unlink()
    commit(repository)


def test_an_update_refreshes_what_is_vendored_and_leaves_what_is_the_owners(
    repository, project, cruft
):
    edit_what_is_the_owners(project)
    commit(project)
    before = contents(project)
    assert cruft("check", cwd=project).returncode == 0
    release_a_later_version(repository)
    assert cruft("check", cwd=project).returncode == 1

    updated = cruft("update", "--skip-apply-ask", cwd=project)

    assert updated.returncode == 0, updated.stdout
    assert "NOT VERIFIED" not in updated.stdout
    assert "Next:" not in updated.stdout
    after = contents(project)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert {name for name in changed if not name.startswith(".git/")} == {
        ".cruft.json",
        "Makefile",
        "cognises/errors.py",
        "cognises/later.py",
        "docs/testing.md",
        "tests/conftest.py",
    }
    assert "docs/testing.md" not in after
    assert after["cognises/errors.py"].endswith(b"# later\n")
    assert after["Makefile"].startswith(b"# ours\n")
    assert after["Makefile"].endswith(b"# later\n")
    assert not [name for name in after if name.endswith((".rej", ".orig"))]
    assert not [name for name, data in after.items() if b"\n<<<<<<< " in data]
    assert cruft("check", cwd=project).returncode == 0


def test_nothing_differs_right_after_creating_and_updating(repository, project, cruft):
    compared = cruft("diff", "--exit-code", cwd=project)
    assert compared.returncode == 0, compared.stdout
    assert "NOT VERIFIED" not in compared.stdout
    assert "Next:" not in compared.stdout
    release_a_later_version(repository)
    assert cruft("update", "--skip-apply-ask", cwd=project).returncode == 0
    compared = cruft("diff", "--exit-code", cwd=project)
    assert compared.returncode == 0, compared.stdout


def test_a_project_of_cookiecutter_is_linked_and_then_updated_alike(
    repository, cruft, environment, tmp_path
):
    """Even late, as long as the commit is told that it was made from."""
    made = cookiecutter(repository, tmp_path, "--no-input", env=environment)
    assert made.code == 0, made.output
    project = tmp_path / "cognises-service"
    commit(project)
    made_from = run(["git", "rev-parse", "HEAD"], cwd=repository).stdout.strip()
    release_a_later_version(repository)
    linked = cruft("link", str(repository), cwd=project, typed=["", "", "", "", "1", made_from])
    assert linked.returncode == 0, linked.stdout
    commit(project)
    updated = cruft("update", "--skip-apply-ask", cwd=project)
    assert updated.returncode == 0, updated.stdout
    assert (project / "cognises/later.py").is_file()


@pytest.mark.parametrize("place", ["tmp.Zx81KqWm2A", "tmpab12cd34"], ids=["mktemp", "tempfile"])
def test_a_project_made_in_a_temporary_folder_is_checked_like_any_other(
    repository, cruft, tmp_path, place
):
    """Only cruft itself, which has such a folder to itself when it compares, is told nothing."""
    folder = tmp_path / "temporary" / place
    folder.mkdir()
    (folder / "notes").touch()
    create = ("create", str(repository), "--no-input")
    bad = cruft(*create, "--extra-context", '{"aws_region": "x; evil"}', cwd=folder)
    assert bad.returncode == 1
    assert "aws_region: needs the name of a region" in bad.stdout
    assert [path.name for path in folder.iterdir()] == ["notes"]
    assert cruft(*create, cwd=folder).stdout.count("NOT VERIFIED") == 1


def test_an_update_to_bad_answers_is_refused_and_changes_nothing(project, cruft):
    before = contents(project)
    answers = {"project_name": "two\nlines", "aws_region": "us-east-1\nCOGNISES_LOCAL=1"}
    options = ("--skip-apply-ask", "--variables-to-update", json.dumps(answers))
    updated = cruft("update", *options, cwd=project)
    assert updated.returncode == 1
    for key in answers:
        assert f"{key}: needs" in updated.stdout
    assert contents(project) == before


def test_a_slug_of_several_folders_leaves_none_of_them(repository, cruft, tmp_path):
    slug = json.dumps({"project_slug": "a/b/c"})
    made = cruft("create", str(repository), "--no-input", "--extra-context", slug, cwd=tmp_path)
    assert made.returncode == 1
    assert "project_slug: needs" in made.stdout
    assert not (tmp_path / "a").exists()


def test_hooks_leave_nothing_in_temporary_folders(project, cruft, tmp_path):
    """cookiecutter leaves its rendered hooks, and nothing is ours."""
    cruft("diff", cwd=project)
    left = (tmp_path / "temporary").iterdir()
    assert not [path.name for path in left if path.name.startswith("cognises-")]


def update(project, cruft):
    """`cruft update`, and what has to be true after each: no reject, no conflict marker."""
    updated = cruft("update", "--skip-apply-ask", cwd=project)
    assert updated.returncode == 0, updated.stdout
    after = contents(project)
    assert [name for name in after if name.endswith((".rej", ".orig"))] == []
    assert [name for name, data in after.items() if b"\n<<<<<<< " in data] == []


ANALYSTS = {
    "group_name": "analysts",
    "description": "Read reports.",
    "allowed_functions": ["report"],
    "group_policy": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reports/*"}
        ],
    },
}
REPORT = """

@bp.get("/report")
@permission_required
def report(response: Principal) -> dict[str, object]:
    \"\"\"A report of our own.\"\"\"
    return {"for": response["user_email"]}
"""


def add_a_route_and_a_group(project):
    append(project / "app/data.py", REPORT)
    groups = json.loads((project / "groups.json").read_text())
    (project / "groups.json").write_text(json.dumps([*groups, ANALYSTS], indent=2))
    append(project / "README.md", "\nOur own chapter.\n")


def test_an_update_that_renames_every_private_module_breaks_nothing_of_the_owners(
    repository, project, cruft
):
    add_a_route_and_a_group(project)
    commit(project)
    renamed = rename_private_modules(
        repository / TEMPLATE_FOLDER, repository / "hooks/post_gen_project.py"
    )
    assert renamed > 60
    commit(repository)

    update(project, cruft)

    assert not (project / "cognises/web/state.py").exists()
    borrow_packages(project)
    assert " passed" in make(project, "test")


# The last version whose tests of the module, and whose access page, were in the project.
BEFORE_THE_PUBLIC_SURFACE = "a377cee"


@pytest.fixture
def old_repository(tmp_path):
    """The template as it was then."""
    folder = tmp_path / "repository"
    archive = ["git", "archive", "--format=tar", BEFORE_THE_PUBLIC_SURFACE]
    done = subprocess.run(archive, cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
    commit(folder)
    return folder


def test_a_project_of_the_first_version_is_updated_without_a_step_by_hand(
    old_repository, template, cruft, tmp_path
):
    """Its app/ and tests/app/ import what was not public then, and stay as they are."""
    made = cruft("create", str(old_repository), "--no-input", cwd=tmp_path)
    assert made.returncode == 0, made.stdout
    project = tmp_path / "cognises-service"
    add_a_route_and_a_group(project)
    table = project / "tests/app/test_who_may_call_what.py"
    row = '    ("GET", "/report", ("analysts",), False),'
    table.write_text(table.read_text().replace("ROUTES = [\n", f"ROUTES = [\n{row}\n"))
    commit(project)
    for path in old_repository.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(template, old_repository, dirs_exist_ok=True)
    commit(old_repository)

    update(project, cruft)

    assert "analysts" in (project / "groups.json").read_text()
    assert (project / "app/access.py").is_file()
    assert not (project / "tests/cognises").exists()
    borrow_packages(project)
    assert " passed" in make(project, "test")
    make(project, "docs", "check")
