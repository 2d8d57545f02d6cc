"""What importing costs and reaches: no AWS library, no socket, no third-party module unasked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import cognises
from cognises.settings.sources import PROJECT_FOLDER

WATCH = """
import json, socket, sys
touched = []
def no(*arguments, **options):
    touched.append("socket")
    raise OSError("no network in this test")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = no
import threading
before = threading.active_count()
{statement}
print(json.dumps({{"modules": sorted(sys.modules), "touched": touched,
                  "threads": threading.active_count() - before}}))
"""


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, in the project's folder, that leaves nothing behind."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=PROJECT_FOLDER,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def after(statement: str) -> dict[str, list[str]]:
    """What has been loaded and touched once a statement has run in a fresh interpreter."""
    ran = python("-c", WATCH.format(statement=statement))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_importing_wsgi_loads_no_boto_opens_no_socket_and_starts_no_thread():
    seen = after("import wsgi")

    tops = {name.partition(".")[0] for name in seen["modules"]}
    assert {"flask", "cognises", "app"} <= tops
    assert not {"boto3", "botocore", "moto", "local_aws", "pytest"} & tops
    assert "cognises.testing" not in seen["modules"]
    assert not [name for name in seen["modules"] if name.startswith("cognises.provisioning")]
    assert (seen["touched"], seen["threads"]) == ([], 0)


def test_an_app_that_starts_loads_nothing_that_others_alone_need():
    seen = after(
        "import wsgi\nfrom cognises.manifest import load_groups\nload_groups('groups.json')"
    )

    others = {"argparse", "cognises.manifest.iam_warnings", "flask_cors", "oauthlib",
              "prometheus_client", "requests"}  # fmt: skip
    assert not others & set(seen["modules"])


def test_where_there_is_no_env_file_its_reader_is_not_loaded():
    seen = after(
        "from pathlib import Path\nfrom cognises.settings.sources import read_values\n"
        "read_values(Path('docs'))"
    )

    assert "dotenv" not in seen["modules"]


@pytest.mark.parametrize("module", ["cognises", "cognises.manifest", "cognises.errors"])
def test_importing_the_package_or_its_checker_loads_no_third_party_module(module: str):
    ran = python("-S", "-c", f"import {module}, sys; print(*sorted(sys.modules))")

    assert ran.returncode == 0, ran.stderr
    tops = {name.partition(".")[0] for name in ran.stdout.split()}
    assert tops - set(sys.stdlib_module_names) - {"__main__"} <= {"cognises", "__mp_main__"}


def test_the_manifest_is_checked_on_a_bare_python():
    ran = python("-S", "-m", "cognises.manifest", "groups.json")

    assert ran.returncode == 0, ran.stderr
    assert "no errors" in ran.stdout


def test_a_broken_manifest_is_reported_on_a_bare_python_without_a_traceback(tmp_path: Path):
    broken = tmp_path / "groups.json"
    broken.write_text('[{"group_name": ""}]')

    ran = python("-S", "-m", "cognises.manifest", str(broken))

    assert ran.returncode == 1
    assert ran.stderr.startswith("error: [0]")
    assert "Traceback" not in ran.stderr


def test_every_public_name_resolves_and_no_other_does():
    names = ["Cognises", "CognisesError", "ManifestError", "Principal", "ProvisionBlocked",
             "SettingsError", "Verifier", "create_update", "current_user", "load_groups",
             "login_check", "permission_required", "protect", "public",
             "read_settings", "settings_of"]  # fmt: skip
    ran = python("-c", f"import cognises\nfor name in {names}: getattr(cognises, name)\n"
                       "assert set(cognises.__all__) <= set(dir(cognises))\n"
                       "print(set(cognises.__all__) == set(" + repr(names) + "))")  # fmt: skip

    assert (ran.returncode, ran.stdout.strip()) == (0, "True"), ran.stderr + ran.stdout
    with pytest.raises(AttributeError, match="has no attribute 'bypass'"):
        cognises.bypass  # noqa: B018


def test_the_package_says_what_each_of_its_modules_is_for():
    folder = Path(cognises.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    words = set(re.findall(r"[a-z_]+", cognises.__doc__ or ""))
    assert modules | packages <= words


def test_the_request_side_never_imports_what_is_for_tests_or_for_aws():
    modules = after("from cognises.web import extension")["modules"]

    assert not {"boto3", "botocore", "pytest", "moto"} & {m.partition(".")[0] for m in modules}
    assert not [m for m in modules if m.startswith(("cognises.testing", "cognises.provisioning"))]


def test_the_verifier_needs_no_flask():
    modules = after(
        "import cognises\nv = cognises.Verifier('us-east-1_Abc', 'client', token_use='id')"
    )["modules"]

    assert "flask" not in modules
    assert "werkzeug" not in modules


def test_no_dataclass_has_a_default_that_an_older_python_refuses():
    """A dict, list or set, subclasses included: dataclasses of Python 3.10 raise at import."""
    folder = Path(cognises.__file__).parent
    names = [".".join(path.relative_to(folder.parent).with_suffix("").parts)
             for path in folder.rglob("*.py") if path.stem != "__main__"]  # fmt: skip
    classes = {each for name in names for each in vars(import_module(name)).values()
               if isinstance(each, type) and is_dataclass(each)}  # fmt: skip
    assert len(classes) > 20
    every = [(kind, each) for kind in classes for each in fields(kind)]
    refused = [at for *at, each in every if isinstance(each.default, dict | list | set)]
    assert refused == []


def test_flask_run_does_not_start_without_settings(tmp_path: Path):
    environ = {"FLASK_APP": "wsgi", "FLASK_SKIP_DOTENV": "1", "COGNITO_CLIENT_ID": ""}

    ran = python("-m", "flask", "run", "--port", "0", **environ)

    assert ran.returncode != 0
    assert "COGNITO_CLIENT_ID" in ran.stderr
    assert "Traceback" not in ran.stderr


STAGES = """
import json, sys
import wsgi
group, stages = wsgi.app.cli.commands["cognises"], []
def see():
    names = ("cognises.provisioning", "cognises.provisioning.cli", "boto3", "botocore")
    stages.append([name for name in names if name in sys.modules])
offered = group.list_commands(None)
group.get_command(None, "access")
see()
for name in offered:
    group.get_command(None, name)
see()
print(json.dumps([offered, stages]))
"""


def test_provisioning_is_loaded_when_flask_runs_one_of_its_commands_and_boto_not_even_then():
    ran = python("-c", STAGES)

    assert ran.returncode == 0, ran.stderr
    offered, stages = json.loads(ran.stdout)
    assert {"access", "plan", "apply", "users", "bootstrap"} <= set(offered)
    assert stages == [[], ["cognises.provisioning", "cognises.provisioning.cli"]]
