"""What a user sees after generating, on every kind of machine: cookiecutter's own command line."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from baking import TEMPLATE_FOLDER, Bake, contents, cookiecutter, is_running, run, without_uv

DEAD = "http://127.0.0.1:9"
NO_NETWORK = {"HTTPS_PROXY": DEAD, "HTTP_PROXY": DEAD, "ALL_PROXY": DEAD, "NO_PROXY": ""}
NO_NETWORK |= {"UV_HTTP_RETRIES": "0"}  # each attempt would wait longer than the one before
NO_PIP = {"PIP_INDEX_URL": f"{DEAD}/simple", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
NO_PIP |= {"PIP_CONFIG_FILE": os.devnull}
PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "exceptiongroup", "tomli")
PYTEST += ("colorama", "typing-extensions")
PASSES = "def test_one():\n    pass\n"
FAILS = "def test_one():\n    assert 'this' == 'that'\n"


@pytest.fixture
def small(template, tmp_path):
    """The template with one test left in the project's suite, and pytest alone to install."""
    folder = tmp_path / "small"
    shutil.copytree(template, folder)
    project = folder / TEMPLATE_FOLDER
    shutil.rmtree(project / "tests")
    (project / "tests").mkdir()
    (project / "tests" / "test_one.py").write_text(PASSES)
    locks = [project / f"{name}.txt" for name in ("requirements", "requirements-test")]
    packages = re.sub(r"(?m)^(#|-r).*\n", "", "".join(lock.read_text() for lock in locks))
    entries = re.split(r"(?m)^(?=[a-z0-9])", packages)
    wanted = [entry for entry in entries if entry.split("==")[0] in PYTEST]
    (project / "requirements-test.txt").write_text("".join(wanted))
    return folder


@pytest.fixture
def generate(small, environment, tmp_path):
    """Generates from the small template, with nothing but the hook's own files in TMPDIR."""
    (tmp_path / "temporary").mkdir()

    def generate_with(*options, suite=PASSES, without=(), verify="auto", python=None, **env):
        (small / TEMPLATE_FOLDER / "tests" / "test_one.py").write_text(suite)
        env = {
            **environment,
            "TMPDIR": str(tmp_path / "temporary"),
            "COGNISES_VERIFY": verify,
            "PIP_NO_COMPILE": "0",  # it compiles nothing: pip reads its negative options so
        } | env
        env = without_uv(env) if "uv" in without else env
        folder = tmp_path / "out"
        return cookiecutter(small, folder, "--no-input", *options, env=env, python=python)

    return generate_with


def left_by_the_hook(tmp_path):
    """cookiecutter itself leaves its rendered hooks; the rest would be ours."""
    return [path for path in (tmp_path / "temporary").iterdir() if path.suffix != ".py"]


def assert_whole(result, small, environment, tmp_path):
    """The project is there, as it would be without any hook, and nothing is left elsewhere."""
    bare = cookiecutter(
        small, tmp_path / "bare", "--no-input", "--accept-hooks", "no", env=environment
    )
    assert contents(result.project) == contents(bare.project)
    assert left_by_the_hook(tmp_path) == []


@pytest.mark.parametrize(
    ("verify", "without"),
    [("auto", ()), ("require", ()), ("auto", ("uv",))],
    ids=["auto", "require", "pip only"],
)
def test_a_suite_that_passes_is_reported(generate, small, environment, tmp_path, without, verify):
    result = generate(without=without, verify=verify)
    assert result.code == 0, result.output
    assert "\n1 passed in " in result.output
    assert re.search(r"\nNext:  cd \S+/cognises-service && make demo\n", result.output)
    assert_whole(result, small, environment, tmp_path)


KEEP = "--keep-project-on-failure"


@pytest.mark.parametrize(
    ("verify", "options", "kept"), [("auto", (), []), ("require", (KEEP,), ["cognises-service"])]
)
def test_a_suite_that_fails_is_a_verdict(generate, tmp_path, options, kept, verify):
    result = generate(*options, suite=FAILS, verify=verify)
    assert result.code == 1
    told = re.search(r"^FAILED: the test suite does not pass \(log: (.+)\)$", result.output, re.M)
    assert told, result.output
    (log,) = left_by_the_hook(tmp_path)
    assert str(log) == told[1]
    assert "assert 'this' == 'that'" in log.read_text()
    assert "Next:" not in result.output
    assert [path.name for path in result.folder.iterdir()] == kept


@pytest.mark.parametrize(
    ("verify", "options", "kept"),
    [("auto", (), []), ("skip", (KEEP,), ["cognises-service"]), ("require", (), [])],
)
def test_an_invalid_manifest_is_a_verdict_whatever_is_set(
    generate, small, tmp_path, options, kept, verify
):
    (small / TEMPLATE_FOLDER / "groups.json").write_text("[]]")
    result = generate(*options, verify=verify)
    assert result.code == 1
    assert "FAILED: groups.json is not valid" in result.output
    assert "error: " in result.output
    assert [path.name for path in result.folder.iterdir()] == kept


def test_a_suite_that_is_not_wanted_is_not_run(generate, small, environment, tmp_path):
    result = generate(suite=FAILS, verify="skip")
    assert_not_verified(result, "COGNISES_VERIFY is skip")
    assert_whole(result, small, environment, tmp_path)


def assert_not_verified(result, reason):
    """A reason, the command to run, and what to do next: but no failure."""
    assert result.code == 0, result.output
    run_it = f"run: cd {result.project} && make test\nNext:"
    assert re.search(f"^NOT VERIFIED: {reason}, {run_it}", result.output, re.M | re.S), (
        result.output
    )


@pytest.fixture
def bare_python(tmp_path):
    """A Python that has cookiecutter, but like Debian's without python3-venv makes no venv."""
    folder = tmp_path / "bare-python"
    done = run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    assert done.returncode == 0, done.stdout
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "sitecustomize.py").write_text("import sys\nsys.modules['venv'] = None\n")
    return folder / "bin" / "python"


UNABLE = {
    "no installer": {"reason": "its packages could not be installed:\n.*venv.*"},
    "no network": {"reason": "its packages could not be installed:\n.*"},
    "no network and no uv": {"reason": "its packages could not be installed:\n.*"},
    "too slow": {"reason": "not done in 120 seconds"},
}


@pytest.mark.parametrize(
    ("machine", "verify"), [*((machine, "auto") for machine in UNABLE), ("no network", "require")]
)
def test_a_suite_that_could_not_run_is_no_verdict_unless_required(
    request, generate, small, environment, tmp_path, machine, verify
):
    """Generated all the same, and said so; with COGNISES_VERIFY=require it is a failure."""
    env = {"verify": verify, "UV_CACHE_DIR": str(tmp_path / "uv")}
    env |= {"without": ("uv",)} if machine in ("no installer", "no network and no uv") else {}
    env |= {**NO_NETWORK, **NO_PIP} if "network" in machine else {}
    if machine == "no installer":
        env["python"] = request.getfixturevalue("bare_python")
    if machine == "too slow":
        env["suite"] = "import time\ndef test_one():\n    time.sleep(600)\n"
        shorten_the_time_limit(small)
        del env["UV_CACHE_DIR"]
    result = generate(**env)
    if verify == "auto":
        assert_not_verified(result, UNABLE[machine]["reason"])
        assert_whole(result, small, environment, tmp_path)
    else:
        assert result.code == 1
        assert re.search(f"^NOT VERIFIED: {UNABLE[machine]['reason']}", result.output, re.M | re.S)
        assert list(result.folder.iterdir()) == []
        assert left_by_the_hook(tmp_path) == []


def shorten_the_time_limit(small):
    hook = small / "hooks" / "post_gen_project.py"
    text = hook.read_text()
    assert text.count("time.monotonic() + 120") == 1
    hook.write_text(text.replace("time.monotonic() + 120", "time.monotonic() + 6"))


def test_without_network_what_uv_has_in_its_cache_is_enough(generate, tmp_path):
    env = {"verify": "require", "UV_CACHE_DIR": str(tmp_path / "uv")}
    shutil.rmtree(generate(**env).project)
    result = generate(**env, **NO_NETWORK)
    assert result.code == 0, result.output
    assert "1 passed" in result.output


def test_a_reason_that_the_terminal_cannot_show_loses_no_project(generate):
    unreadable = {**NO_PIP, "PIP_FIND_LINKS": "/größe", "PYTHONIOENCODING": "ascii"}
    result = generate(without=("uv",), **NO_NETWORK, **unreadable)
    assert_not_verified(result, r"its packages could not be installed:\n.*/gr\?\?e.*")
    assert result.project.is_dir()


@pytest.mark.parametrize(
    ("sent", "code", "word"), [(signal.SIGINT, 1, "Aborted!"), (signal.SIGTERM, -15, "")]
)
def test_ctrl_c_and_a_stop_from_outside_end_all_that_runs_and_leave_nothing_of_ours(
    small, environment, tmp_path, sent, code, word
):
    """cookiecutter gets the signal too, has its own word for Ctrl-C, and keeps the files."""
    (tmp_path / "temporary").mkdir()
    running = tmp_path / "running"
    (small / TEMPLATE_FOLDER / "tests" / "test_one.py").write_text(
        "import os, pathlib, time\n"
        "def test_one():\n"
        f"    part, whole = {str(running)!r} + '.part', {str(running)!r}\n"
        "    pathlib.Path(part).write_text(str(os.getpid()))\n"
        "    os.rename(part, whole)\n"
        "    time.sleep(600)\n"
    )
    env = {**environment, "TMPDIR": str(tmp_path / "temporary"), "COGNISES_VERIFY": "auto"}
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "cookiecutter", str(small), "-o", str(out), "--no-input"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    wait_for(running)
    os.killpg(process.pid, sent)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert word in output
    place = f"{out}/cognises-service"
    assert f"NOT VERIFIED: interrupted, run: cd {place} && make test\nNext:" in output
    assert not is_running(int(running.read_text()))
    assert_whole(Bake(0, output, out), small, environment, tmp_path)


def wait_for(file):
    """Until a test of the generated project runs."""
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{file} is not there after a minute")


def test_pip_alone_installs_the_whole_lock(small, template, generate):
    lock = Path(TEMPLATE_FOLDER, "requirements-test.txt")
    shutil.copy(template / lock, small / lock)
    result = generate(without=("uv",), verify="require")
    assert result.code == 0, result.output
    assert "1 passed" in result.output
