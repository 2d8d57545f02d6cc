"""The container image without a container engine: the Dockerfile's own steps, one by one.

The same locked wheels in a fresh environment, the files that .dockerignore lets through, compiled
and made read-only, run by another user with the Dockerfile's own command and health check.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from baking import contents, run

IMAGE = {"wsgi.py", "gunicorn.conf.py", "groups.json", "requirements.txt"}
USER = 10001


def is_ignored(project, name):
    """Docker's rule: the last pattern that matches the path, or a folder above it, decides."""
    ignored = False
    for line in (project / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and matches(pattern, name):
            ignored = not line.startswith("!")
    return ignored


def matches(pattern, name):
    expression = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return re.match(rf"{expression}(/|$)", name) is not None


def taken(project):
    return {name for name in contents(project) if not is_ignored(project, name)}


def test_the_image_takes_the_service_and_nothing_else(bakes):
    project = bakes["container", ""]
    strays = ("app/__pycache__/x.pyc", ".env", "app/x.pyc", "app/.env", "app/static/.env.local")
    for stray in strays:
        (project / stray).parent.mkdir(exist_ok=True)
        (project / stray).touch()
    names = taken(project)
    for stray in strays:
        (project / stray).unlink()
    (project / "app/__pycache__").rmdir()

    assert {name for name in names if "/" not in name} == IMAGE
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {"app", "cognises", "server", "user_admin"}
    unwanted = ("cognises/testing", "cognises/provisioning")
    assert not [name for name in names if name.startswith(unwanted) or name.endswith(".pyc")]
    assert not [name for name in names if "/." in f"/{name}"]


class Dockerfile:
    """The instructions of a Dockerfile, continued lines joined, by stage."""

    def __init__(self, text):
        lines = re.sub(r"(?m)^ *#.*\n", "", text).replace("\\\n", " ").splitlines()
        self.instructions = [tuple(line.split(None, 1)) for line in lines if line.strip()]

    def all(self, name):
        return [value for word, value in self.instructions if word == name]


@pytest.fixture(scope="module")
def dockerfile(bakes):
    return Dockerfile((bakes["container", ""] / "Dockerfile").read_text())


def command_of(dockerfile, name):
    value = dockerfile.all(name)[-1]
    return json.loads(value[value.index("[") :])


def test_the_image_is_made_of_locked_wheels_and_runs_without_root(dockerfile):
    bases = [value.split()[0] for value in dockerfile.all("FROM")]
    assert set(bases) == {"python:3.13-slim"}
    (install,) = [step for step in dockerfile.all("RUN") if " install " in step]
    assert {"--require-hashes", "--only-binary"} <= set(install.split())
    assert dockerfile.all("USER") == [str(USER)]
    assert dockerfile.all("VOLUME") == ["/tmp"]
    assert not [step for step in dockerfile.all("RUN") if re.search("apt|gcc|curl", step)]
    assert "ADD" not in dict(dockerfile.instructions)
    assert "pip uninstall" in dockerfile.all("RUN")[-1]  # of the last stage: nothing installs there


def test_the_task_checks_its_health_as_the_image_does(dockerfile, bakes):
    service = (bakes["container", ""] / "infra" / "service.yaml").read_text()
    *words, script = command_of(dockerfile, "HEALTHCHECK")
    assert words == ["python", "-IS", "-c"]
    assert f'              - "{script}"\n' in service
    assert f'User: "{USER}"' in service


def test_the_task_is_killed_only_after_gunicorn_has_given_up(bakes):
    project = bakes["container", ""]
    service = (project / "infra" / "service.yaml").read_text()
    stop = int(re.search(r"StopTimeout: (\d+)", service)[1])
    graceful = int(re.search(r'GUNICORN_GRACEFUL_TIMEOUT, Value: "(\d+)"', service)[1])
    idle = int(re.search(r'idle_timeout.timeout_seconds, Value: "(\d+)"', service)[1])
    gunicorn = (project / "gunicorn.conf.py").read_text()
    assert stop > graceful
    assert int(re.search(r'GUNICORN_KEEPALIVE", "(\d+)"', gunicorn)[1]) > idle


def test_make_image_says_plainly_that_docker_is_missing(bakes, tmp_path):
    for tool in ("make", "git", "sh", "echo"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = run(["make", "image"], cwd=bakes["container", ""], env={"PATH": str(tmp_path)})
    assert done.returncode != 0
    assert "needs docker" in done.stdout


def python_of_the_image():
    """A Python of the image's version, if there is one: pyenv's, or on the path."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = next(iter(folder.glob("3.13.*/bin/python3.13")), None) or shutil.which("python3.13")
    return found and str(found)


def another():
    """How a process is started as another user, where we may; else we are one already."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}


def may_run(python):
    command = [python, "-c", "import sys, ssl, venv; sys.exit(sys.version_info < (3, 10))"]
    try:
        done = subprocess.run(command, **another(), check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def python_and_user(wanted):
    """The interpreter to build with, and who runs it. Root's own Pythons are root's alone."""
    if wanted == "the image's Python":
        python = python_of_the_image()
        if python is None:
            pytest.skip("there is no Python 3.13 here")
        return python, another() if may_run(python) else {}
    python = next(filter(may_run, (sys.executable, "/usr/bin/python3")), None)
    if python is None:
        pytest.skip("there is no Python here that another user may run")
    return python, another()


@dataclass
class Image:
    """A folder that holds what the image holds, and who runs it."""

    folder: Path
    user: dict

    def __truediv__(self, name):
        return self.folder / name


@pytest.fixture(scope="module", params=["another user", "the image's Python"])
def image(request, bakes, dockerfile):
    """The image, read-only."""
    python, user = python_and_user(request.param)
    # Not below pytest's folder, which is its owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    project, service, venv = bakes["container", ""], folder / "service", folder / "venv"
    for name in taken(project):
        (service / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / name, service / name)
    install = ["uv", "pip", "install", "-q", "-p", str(venv), "--only-binary", ":all:"]
    install += ["--require-hashes", "-r", "requirements.txt"]
    for command in (["uv", "venv", "-q", "-p", python, str(venv)], install):
        done = run(command, cwd=service)
        assert done.returncode == 0, done.stdout
    (service / "requirements.txt").unlink()
    (step,) = [step for step in dockerfile.all("RUN") if "compileall" in step]
    for part in step.replace("/venv", str(venv)).replace("/service", str(service)).split("&&"):
        words = shlex.split(part)
        words[0] = str(venv / "bin/python") if words[0] == "python" else words[0]
        done = run(words, cwd=service, env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0, done.stdout
    run(["chmod", "-R", "a-w", str(service), str(venv)])
    yield Image(folder, user)
    run(["chmod", "-R", "u+w", str(folder)])
    shutil.rmtree(folder)


def test_the_environment_holds_no_installer_and_bytecode_for_everything(image):
    names = {path.name for path in (image / "venv").glob("lib/python*/site-packages/*")}
    assert {"flask", "gunicorn", "boto3"} <= names
    assert not names & {"pip", "setuptools", "wheel", "moto", "pytest"}
    for source in ("service/wsgi.py", "service/cognises/tokens/verifier.py"):
        path = image / source
        assert list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")), source


KEYS = """
import json, sys
from cognises.testing import FakePool
pool = FakePool()
print(json.dumps([pool.id, pool.client_id, pool.jwks, pool.token(groups=["admins"])]))
"""


class Service:
    """The image's process, run as its own user on a free port."""

    def __init__(self, image, dockerfile, project):
        self.image, self.dockerfile = image, dockerfile
        made = run([str(image / "venv/bin/python"), "-B", "-c", KEYS], cwd=project)
        pool_id, client_id, jwks, self.token = json.loads(made.stdout)
        self.tmp = image / "tmp"
        self.tmp.mkdir(exist_ok=True)
        self.tmp.chmod(0o1777)
        (image / "jwks.json").write_text(json.dumps(jwks))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.env = {
            "PATH": f"{image / 'venv/bin'}:/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.tmp),
            "GUNICORN_BIND": f"127.0.0.1:{self.port}",
            "COGNITO_USER_POOL_ID": pool_id,
            "COGNITO_CLIENT_ID": client_id,
            "COGNITO_JWKS_FILE": str(image / "jwks.json"),
            "https_proxy": "http://127.0.0.1:9",
        }
        self.log = (image / "log").open("w+")
        self.process = subprocess.Popen(
            command_of(dockerfile, "CMD"),
            cwd=image / "service",
            env=self.env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            **image.user,
        )

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def get(self, path, **headers):
        request = Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status
        except HTTPError as answer:
            return answer.code

    def is_healthy(self):
        """The Dockerfile's own HEALTHCHECK, on our port."""
        check = command_of(self.dockerfile, "HEALTHCHECK")
        words = [word.replace("8000", str(self.port)) for word in check]
        done = subprocess.run(
            words, env=self.env, capture_output=True, check=False, timeout=10, **self.image.user
        )
        return done.returncode == 0


@pytest.fixture
def service(image, dockerfile, bakes):
    before = set(contents(image / "service"))
    started = Service(image, dockerfile, bakes["container", ""])
    try:
        ends = time.monotonic() + 30
        while not started.is_healthy():
            assert started.process.poll() is None, started.said()
            assert time.monotonic() < ends, started.said()
            time.sleep(0.2)
        yield started
        assert set(contents(image / "service")) == before
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(timeout=30)
        started.log.close()


def test_the_image_serves_from_a_read_only_folder_as_another_user_and_ends_at_sigterm(service):
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    if service.image.user:
        assert re.search(rf"^Uid:\s+{USER}\s+{USER}", status, re.MULTILINE)
    bearer = {"Authorization": f"Bearer {service.token}"}
    assert service.get("/health") == 200
    assert service.get("/ready") == 200
    assert service.get("/protected") == 401
    assert service.get("/protected", **bearer) == 200, service.said()
    assert service.get("/protected", Authorization=f"Bearer {service.token[:-8]}AAAAAAAA") == 401

    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=20) == 0, service.said()
    assert not service.is_healthy()
    assert "Traceback" not in service.said()


SLOW_START = """
import time
exec(open("gunicorn.conf.py").read())
ours = post_fork

def post_fork(server, worker):
    if {before}:
        print("not up yet", flush=True)
        time.sleep(2)
    ours(server, worker)
    print("not up yet", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("before", [True, False], ids=["just forked", "starting"])
def test_sigterm_while_workers_start_ends_the_image_at_once(image, dockerfile, before):
    slow = image / "slow.conf.py"
    slow.write_text(SLOW_START.format(before=before))
    env = {
        "PATH": f"{image / 'venv/bin'}:/usr/bin:/bin",
        "GUNICORN_BIND": "127.0.0.1:0",
        "GUNICORN_CMD_ARGS": f"--config {slow}",
        "COGNITO_USER_POOL_ID": "us-east-1_Abc123456",
        "COGNITO_CLIENT_ID": "abc",
        "https_proxy": "http://127.0.0.1:9",
    }
    process = subprocess.Popen(
        command_of(dockerfile, "CMD"),
        cwd=image / "service",
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **image.user,
    )
    try:
        assert any("not up yet" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.communicate()


def test_an_image_without_settings_says_so_and_stops(image, dockerfile):
    env = {"PATH": f"{image / 'venv/bin'}:/usr/bin:/bin", "GUNICORN_BIND": "127.0.0.1:0"}
    done = subprocess.run(
        command_of(dockerfile, "CMD"),
        cwd=image / "service",
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **image.user,
    )
    assert done.returncode != 0
    assert "COGNITO_USER_POOL_ID" in done.stderr
    assert "Traceback" not in done.stderr
