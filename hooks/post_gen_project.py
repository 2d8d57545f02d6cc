"""Checks the new project without writing into it; the verdict is passed, FAILED or NOT VERIFIED."""

import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired

DEADLINE = time.monotonic() + 120
DROPPED = ("AWS_", "BOTO", "COGNITO_", "COGNISES_", "FLASK_", "MOTO_", "PYTEST_", "PYTHON")
ENV = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
ENV |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
ENV |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
# The suite needs loopback only: a call to AWS goes to a proxy that does not exist.
NO_NETWORK = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost,::1"}
NO_NETWORK |= {"AWS_EC2_METADATA_DISABLED": "true"}
NEXT = """Next:  cd {} && make demo
       README.md says how to add routes and groups, and how to deploy"""


def run(*command, cwd=None, **extra):
    """Runs a command until it ends, or stops it and all its children at the deadline."""
    pipes = {"stdin": DEVNULL, "stdout": PIPE, "stderr": STDOUT, "start_new_session": True}
    try:
        process = Popen(command, cwd=cwd, env=ENV | extra, **pipes)
        output, _ = process.communicate(timeout=max(DEADLINE - time.monotonic(), 0))
    except OSError as error:
        return 127, [str(error)]
    except (TimeoutExpired, KeyboardInterrupt) as stop:
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
        reasons = {TimeoutExpired: "not done in 120 seconds", KeyboardInterrupt: "interrupted"}
        raise RuntimeError(reasons[type(stop)]) from stop
    if process.returncode < 0:
        raise RuntimeError(f"stopped by signal {-process.returncode}")
    return process.returncode, output.decode(errors="replace").strip().splitlines()


def install(folder):
    """The packages of the suite: by uv from its cache, by uv from the index, or by pip."""
    env, uv = f"{folder}/venv", os.environ.get("UV") or shutil.which("uv")
    python = f"{env}/{'Scripts' if os.name == 'nt' else 'bin'}/python"
    locked = ["-q", "--require-hashes", "-rrequirements-test.txt"]
    for offline in ("true", "false") if uv else ():
        run(uv, "venv", "--quiet", "--clear", "-p", sys.executable, env)
        if run(uv, "pip", "install", "-p", python, *locked, UV_OFFLINE=offline)[0] == 0:
            break
    else:
        if not (done := run(sys.executable, "-m", "venv", "--clear", env))[0]:
            done = run(python, "-m", "pip", "install", "--retries=0", *locked)
        if done[0]:
            raise RuntimeError("\n".join(["its packages could not be installed:", *done[1][-9:]]))
    Path(env, ".test").touch()  # tells the project's Makefile that nothing is missing
    return python


def fail(what, lines):
    Path(log := tempfile.mkstemp(".log", "cognises-")[1]).write_text("\n".join(lines), "utf-8")
    sys.exit("\n".join([f"FAILED: {what} (log: {log})", *lines[-20:]]))


def verify(folder):
    """Checks the manifest, then runs the suite; returns pytest's last line."""
    code, lines = run(sys.executable, "-Bm", "cognises.manifest", "groups.json")
    if code:
        fail("groups.json is not valid", lines)
    if os.environ.get("COGNISES_VERIFY") == "skip":
        raise RuntimeError("COGNISES_VERIFY is skip")
    print("Running the test suite of the new project, 120 seconds at most.", flush=True)
    python = install(os.environ.get("COGNISES_KEEP") or folder)
    copy = shutil.copytree(".", f"{folder}/{Path.cwd().name}")  # tests may leave files behind
    code, lines = run(python, "-m", "pytest", "-q", cwd=copy, TMPDIR=folder, **NO_NETWORK)
    return fail("the test suite does not pass", lines) if code else lines[-1]


def main(answers, here):
    place = shlex.quote(str(here))  # as it can be pasted into any shell
    temporary = here.match(os.path.realpath(tempfile.gettempdir()) + "/tmp????????/*")
    if "_commit" in answers and temporary and os.listdir(here.parent) == [here.name]:
        return  # cruft generates once more to compare: there is nothing to check or to print
    try:
        with tempfile.TemporaryDirectory(prefix="cognises-") as folder:
            summary = verify(folder)
    except (RuntimeError, OSError, KeyboardInterrupt) as reason:  # there is no verdict
        summary = f"NOT VERIFIED: {str(reason) or 'interrupted'}, run: cd {place} && make test"
        if os.environ.get("COGNISES_VERIFY") == "require":
            sys.exit(summary)
    print(summary, NEXT.format(place), sep="\n", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    sys.stdout.reconfigure(errors="replace")  # a reason may hold any character
    main(json.loads(r"""{{ cookiecutter | tojson }}"""), Path.cwd())
