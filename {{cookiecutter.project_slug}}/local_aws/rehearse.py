"""`make rehearse`: an operator's whole sequence, by the commands of the pages, on an emulator.

`production.env` and the other files of the commands are in a temporary folder: yours stay as they
are. Each command has a terminal of its own, on which its question is answered.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from dotenv import dotenv_values

from cognises.manifest import Group, load_groups
from cognises.provisioning.names import DEFAULT_ROLE_PREFIX
from cognises.provisioning.target import OF_A_STAGE
from cognises.settings.sources import PROJECT_FOLDER, read_values
from infra.stack_state import stack_name
from local_aws.embedded import NotRehearsed
from local_aws.service import HOST, listen

USER = "you@example.org"
ENV = "--env-file production.env"
BOOTSTRAP = f'.venv/bin/python provision.py bootstrap {ENV} --public-url "https://$HOST"'
PLAN, APPLY = f'make plan ARGS="{ENV}"', f'make apply ARGS="{ENV}"'
CERTIFICATE = "--parameter CertificateArn=$CERTIFICATE"
NETWORK = " --parameter ".join(
    ("", "VpcId=vpc-...", "LoadBalancerSubnetIds=subnet-...,subnet-...",
     "ServiceSubnetIds=subnet-...,subnet-...")
)  # fmt: skip
DEPLOY = {
    "container": f'make deploy TAG=v1 ARGS="{ENV} {CERTIFICATE}{NETWORK} --dry-run"',
    "lambda": f'make deploy ARGS="{ENV} {CERTIFICATE} --dry-run"',
}
UNPROVEN = """
Every command above did what the pages say. The emulator cannot prove:

- permissions: it checks no IAM policy, trust policy or quota
- the role that a user gets: `verify` named the right role, but the emulator has one for all users
- `bootstrap --revert-drift`: it does not see what was changed by hand in a stack
- the service in AWS: certificate, DNS, e-mail, network, alarms. `deploy` was a dry run
- sign-in with a browser (`make dev` shows that), and the pages' commands of aws, docker and gh
"""


class Step(NamedTuple):
    """A command as the pages print it, and what it must print and return."""

    command: str
    prints: str
    typed: str = ""  # the answer to its question; the name of a setting stands for its value
    code: int = 0
    before: str = ""  # the method of Account that is called first


def steps(deployment: str, group: Group, stack: str) -> Iterator[Step]:
    """The sequence of docs/production.md; `deployment` is `container`, `lambda` or empty."""
    provision, has_role = ".venv/bin/python provision.py", group.policy is not None
    yield Step(BOOTSTRAP, "wrote COGNITO_USER_POOL_ID", "y")
    yield Step(BOOTSTRAP, "nothing to change")
    yield Step(PLAN, "to create")
    yield Step(APPLY, "applied: ", "y")
    yield Step(PLAN, "nothing to do")
    create = f"{provision} users create {USER} --group {shlex.quote(group.name)} {ENV}"
    yield Step(create, "created user")
    yield Step(f"{provision} users import people.csv {ENV}", "created user")
    if has_role:  # the emulator gives every user the same role: `verify` exits with 1
        verify = f"{provision} verify {ENV} --token-file token.txt"
        yield Step(verify, f"(group {group.name})", code=1, before="sign_in")
    if deployment:
        yield Step(f"{provision} deploy delivery {ENV}", "ServiceBoundaryArn: ", "y")
        image = "push_image" if deployment == "container" else ""
        yield Step(DEPLOY[deployment], "will be created with", before=image)
    if has_role:
        yield Step(PLAN, "; 1 drifted", before="change_role")
        yield Step(APPLY, "applied: ", "y")
        yield Step(PLAN, "nothing to do")
    destroy = f"{provision} destroy {ENV} --stack {stack} --force"
    yield Step(destroy, f"stack {stack} is deleted", "COGNITO_USER_POOL_ID")


class Account:
    """The emulated account: what is done in it besides the commands, and the files they use."""

    def __init__(self, endpoint: str, folder: Path, group: Group, role: str) -> None:
        self._endpoint, self._folder, self._role = endpoint, folder, role
        (folder / "production.env").touch()
        (folder / "people.csv").write_text(f"name,groups\nada@example.org,{group.name}\n", "utf-8")

    @property
    def settings(self) -> dict[str, str]:
        """What bootstrap has written."""
        return {k: v or "" for k, v in dotenv_values(self._folder / "production.env").items()}

    def take(self, step: Step) -> None:
        """Run and print a step. Raises NotRehearsed if it does something else than it must."""
        if step.before:
            print(f"\n# {getattr(self, step.before)()}")
        print(f"\n$ {step.command}", flush=True)
        here, there = os.openpty()
        os.write(here, f"{self.settings.get(step.typed, step.typed)}\n".encode() * bool(step.typed))
        done = subprocess.run(
            self._words(step.command), cwd=PROJECT_FOLDER, env=self._environment(), stdin=there,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        os.close(here)
        os.close(there)
        print(done.stdout, flush=True)
        if done.returncode != step.code or step.prints not in done.stdout:
            wanted = f"exit code {step.code} and {step.prints!r} were expected"
            raise NotRehearsed(f"exit code {done.returncode}; {wanted}:\n$ {step.command}")

    def _words(self, command: str) -> list[str]:
        arn = "arn:aws:acm:us-east-1:123456789012:certificate/rehearsal"
        command = command.replace("$HOST", "service.example.org").replace("$CERTIFICATE", arn)
        files, folder = r"\b(production\.env|people\.csv|token\.txt)\b", self._folder
        first, *rest = shlex.split(re.sub(files, rf"{os.path.relpath(folder)}/\1", command))
        return [sys.executable if first == ".venv/bin/python" else first, *rest]

    def _environment(self) -> dict[str, str]:
        """`isolate` has dropped what is real. The stage's own settings come from its file."""
        environ = {name: text for name, text in os.environ.items() if name not in OF_A_STAGE}
        environ |= {"AWS_ENDPOINT_URL": self._endpoint, "COGNISES_LOCAL": "1"}
        environ["GNUMAKEFLAGS"] = "--no-print-directory"  # as the verbs print it by themselves
        if pool := self.settings.get("COGNITO_USER_POOL_ID"):
            environ["COGNITO_JWKS_URL"] = f"{self._endpoint}/{pool}/.well-known/jwks.json"
        elif dotenv_values(PROJECT_FOLDER / ".flaskenv").get("COGNITO_USER_POOL_ID"):
            environ["COGNITO_USER_POOL_ID"] = ""  # that pool is not in the emulator
        return environ

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, os.environ["AWS_REGION"], endpoint_url=self._endpoint)

    def sign_in(self) -> str:
        cognito, pool = self._client("cognito-idp"), self.settings["COGNITO_USER_POOL_ID"]
        user = {"USERNAME": USER, "PASSWORD": f"{os.urandom(12).hex()}aA1!"}
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=USER, Password=user["PASSWORD"], Permanent=True
        )
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool, ClientId=self.settings["COGNITO_CLIENT_ID"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=user,
        )  # fmt: skip
        token = answer["AuthenticationResult"]["IdToken"]
        (self._folder / "token.txt").write_text(token, "utf-8")
        return f"{USER} signs in; token.txt holds the ID token"

    def push_image(self) -> str:
        ecr = self._client("ecr")
        (images,) = ecr.describe_repositories()["repositories"]
        name = images["repositoryName"]
        ecr.put_image(repositoryName=name, imageManifest="{}", imageTag="v1")
        return "an empty image stands for `docker push ADDRESS:v1`"

    def change_role(self) -> str:
        allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self._client("iam").put_role_policy(
            RoleName=self._role, PolicyName="by-hand", PolicyDocument=policy
        )
        return f"role {self._role} is changed by hand: one more policy"


def run() -> int:
    """Take every step. Raises NotRehearsed, CognisesError."""
    values = read_values(PROJECT_FOLDER)
    groups = load_groups(PROJECT_FOLDER / values.get("COGNISES_GROUPS_FILE", "groups.json"))
    if not groups:
        raise NotRehearsed("groups.json has no group; add one, then run `make rehearse` again")
    group = next((each for each in groups if each.policy is not None), groups[0])
    prefix = values.get("COGNISES_ROLE_PREFIX", DEFAULT_ROLE_PREFIX)
    deployment = "container" if (PROJECT_FOLDER / "Dockerfile").is_file() else "lambda"
    if not (PROJECT_FOLDER / "infra" / "service.yaml").is_file():
        deployment = ""
    (PROJECT_FOLDER / "build").mkdir(exist_ok=True)
    with (
        emulated() as endpoint,
        TemporaryDirectory(prefix="rehearsal-", dir=PROJECT_FOLDER / "build") as folder,
    ):
        account = Account(endpoint, Path(folder), group, f"{prefix}{group.name}")
        for step in steps(deployment, group, stack_name(prefix, "cognito")):
            account.take(step)
    print(UNPROVEN)
    return 0


@contextmanager
def emulated() -> Iterator[str]:
    """An emulated AWS on a loopback port, without the environment of this process; its address.

    Raises NotRehearsed where it is not installed.
    """
    python = Path(sys.prefix) / "emulator" / "bin" / "python"
    if not python.is_file():
        raise NotRehearsed("no emulator is installed; run `make rehearse`, which installs it")
    with TemporaryDirectory() as home:
        listener = listen(0)
        number, port = listener.fileno(), listener.getsockname()[1]
        environ = {
            "PATH": os.defpath, "HOME": home, "TMPDIR": home, "LOG_LEVEL": "ERROR",
            "GATEWAY_PORT": str(port), "MINISTACK_ACCOUNT_ID": "123456789012",
            "MINISTACK_REGION": os.environ["AWS_REGION"], "PYTHONDONTWRITEBYTECODE": "1",
            "SERVICES": "cloudformation,cognito-idp,cognito-identity,ecr,iam,s3,sts",
        }  # fmt: skip
        command = [str(python), str(PROJECT_FOLDER / "local_aws" / "emulator.py"), str(number)]
        with (
            listener,
            subprocess.Popen(
                command, pass_fds=[number], stdin=subprocess.PIPE, cwd=home, env=environ
            ) as process,
        ):
            try:
                listener.close()  # only the emulator holds it: calls fail as soon as that ends
                yield f"http://{HOST}:{port}"
            finally:
                process.terminate()
