"""The post hook as a module, on small stand-ins for a generated project."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from baking import ROOT, contents, is_running, run

HOOK = ROOT / "hooks" / "post_gen_project.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A stand-in for a project: a checker that accepts, and one test that passes."""
    folder = tmp_path / "my-service"
    (folder / "cognises").mkdir(parents=True)
    (folder / "cognises" / "manifest.py").write_text("")
    (folder / "test_it.py").write_text("def test_it():\n    pass\n")
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['slow']\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, so that a test sees what is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def load_hook():
    """The hook as a module; its throw-away environment is the one these tests run in."""
    spec = importlib.util.spec_from_file_location("post_gen_project", HOOK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install = lambda folder: sys.executable
    return module


@pytest.fixture
def hook(monkeypatch):
    monkeypatch.delenv("COGNISES_VERIFY", raising=False)
    return load_hook()


def test_a_passing_suite_is_reported_with_what_to_do_next(hook, project, temporary, capsys):
    with (project / "test_it.py").open("a") as file:
        file.write("def test_that_writes():\n    open('left-behind', 'w').close()\n")
    before = contents(project)
    hook.main({}, project)
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("2 passed")
    assert [line.split()[0] for line in said[2:]] == ["Next:", "README.md"]
    assert "/my-service && make demo" in said[2]
    assert contents(project) == before
    assert list(temporary.iterdir()) == []


def test_a_failing_suite_is_a_verdict_and_its_log_is_kept_outside(hook, project, temporary):
    (project / "test_it.py").write_text("def test_it():\n    assert 1 == 2\n")
    before = contents(project)
    with pytest.raises(SystemExit, match=r"^FAILED: the test suite does not pass") as stopped:
        hook.main({}, project)
    (log,) = temporary.iterdir()
    assert str(log) in str(stopped.value)
    assert "assert 1 == 2" in log.read_text()
    assert contents(project) == before


def test_a_suite_without_tests_is_a_failure(hook, project, temporary):
    (project / "test_it.py").unlink()
    with pytest.raises(SystemExit, match="the test suite does not pass"):
        hook.main({}, project)


@pytest.mark.parametrize("verify", ["auto", "skip", "require"])
def test_an_invalid_manifest_is_a_verdict_whatever_is_set(
    hook, project, temporary, monkeypatch, verify
):
    monkeypatch.setenv("COGNISES_VERIFY", verify)
    (project / "cognises" / "manifest.py").write_text("raise SystemExit('error: [0]: bad')")
    with pytest.raises(SystemExit, match=r"groups.json is not valid[^!]*error: \[0\]: bad"):
        hook.main({}, project)


def unable_to_install(folder):
    raise RuntimeError("no installer")


def test_a_suite_that_cannot_run_is_no_verdict(hook, project, temporary, monkeypatch, capsys):
    monkeypatch.setattr(hook, "install", unable_to_install)
    hook.main({}, project)
    said = capsys.readouterr().out
    run_it = r"run: cd \S+/my-service && make test\nNext:"
    assert re.search(f"NOT VERIFIED: no installer, {run_it}", said)
    assert list(temporary.iterdir()) == []


def test_a_suite_that_cannot_run_is_a_failure_where_it_is_required(
    hook, project, temporary, monkeypatch
):
    monkeypatch.setenv("COGNISES_VERIFY", "require")
    monkeypatch.setattr(hook, "install", unable_to_install)
    with pytest.raises(SystemExit, match=r"^NOT VERIFIED: no installer"):
        hook.main({}, project)


def test_a_suite_that_is_not_wanted_is_not_run(hook, project, temporary, monkeypatch, capsys):
    monkeypatch.setenv("COGNISES_VERIFY", "skip")
    (project / "test_it.py").write_text("assert False")
    hook.main({}, project)
    assert "NOT VERIFIED: COGNISES_VERIFY is skip" in capsys.readouterr().out


def test_a_suite_that_takes_too_long_is_stopped_with_all_it_started(
    hook, project, temporary, monkeypatch, capsys
):
    (project / "test_it.py").write_text(
        "import pathlib, subprocess, sys\n"
        "def test_it():\n"
        "    sleeper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"    new = pathlib.Path({str(project.parent)!r}, 'new')\n"
        "    new.write_text(str(sleeper.pid))\n"
        "    new.rename(new.with_name('pid'))\n"
        "    sleeper.wait()\n"
    )
    pid = project.parent / "pid"

    class Suite(subprocess.Popen):
        def communicate(self, timeout):
            """The time is over as soon as the suite has started a process."""
            assert 0 < timeout <= 120
            while "pytest" in self.args and self.poll() is None and not pid.exists():
                time.sleep(0.05)
            return super().communicate(timeout=0 if "pytest" in self.args else timeout)

    monkeypatch.setattr(hook, "Popen", Suite)
    hook.main({}, project)
    assert "NOT VERIFIED: not done in 120 seconds" in capsys.readouterr().out
    assert not is_running(int(pid.read_text()))
    assert list(temporary.iterdir()) == []


def test_an_interrupted_suite_is_no_verdict(project, temporary):
    """In a process of its own: the stand-in's test sends the signal to the hook."""
    (project / "test_it.py").write_text(
        "import os, signal\ndef test_it():\n    os.kill(os.getppid(), signal.SIGINT)\n"
        "    signal.pause()\n"
    )
    program = (
        "import runpy, sys, pathlib\n"
        f"hook = runpy.run_path({str(HOOK)!r}, run_name='hook')\n"
        "hook['verify'].__globals__['install'] = lambda folder: sys.executable\n"
        "hook['main']({}, pathlib.Path.cwd())\n"
    )
    env = {**os.environ, "TMPDIR": str(temporary), "COGNISES_VERIFY": "auto"}
    done = run([sys.executable, "-c", program], env=env)
    assert done.returncode == 0, done.stdout
    assert "NOT VERIFIED: interrupted" in done.stdout
    assert list(temporary.iterdir()) == []


def test_a_suite_that_is_killed_is_no_verdict(hook, project, temporary, capsys):
    (project / "test_it.py").write_text(
        f"import os\ndef test_it():\n    os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    hook.main({}, project)
    assert "NOT VERIFIED: stopped by signal 9" in capsys.readouterr().out


def test_the_suite_can_reach_no_real_account(project, temporary, monkeypatch, capsys):
    settings = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "REAL",
        "AWS_SESSION_TOKEN": "REAL",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/real",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
        "AWS_ENDPOINT_URL": "https://real.example.org",
        "BOTO_CONFIG": "/real",
        "COGNITO_CLIENT_ID": "REAL",
        "COGNISES_LOCAL": "1",
        "FLASK_DEBUG": "1",
        "PYTEST_ADDOPTS": "--collect-only",
        "PYTHONPATH": "/real",
        "HTTPS_PROXY": "http://proxy.example.org",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (project / "test_it.py").write_text(
        "import json, os, pathlib, urllib.request\n"
        "def test_it():\n"
        "    seen = {'env': dict(os.environ), 'proxies': urllib.request.getproxies()}\n"
        f"    pathlib.Path({str(project.parent)!r}, 'seen.json').write_text(json.dumps(seen))\n"
    )
    load_hook().main({}, project)
    seen = json.loads((project.parent / "seen.json").read_text())
    assert not {"REAL", "/real", "production"} & set(seen["env"].values())
    assert seen["env"]["AWS_ACCESS_KEY_ID"] == "testing"
    assert seen["env"]["AWS_CONFIG_FILE"] == os.devnull
    assert seen["env"]["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert seen["env"]["AWS_EC2_METADATA_DISABLED"] == "true"
    assert seen["proxies"]["https"] == "http://127.0.0.1:9"
    assert "AWS_ENDPOINT_URL" not in seen["env"]
    assert not [
        name for name in seen["env"] if name.startswith(("COGNITO_", "COGNISES_", "FLASK_"))
    ]
