"""What differs by deployment: stacks, package, workflows, and that `none` keeps none of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from baking import borrow_packages, contents, make, owners_environment, run

DEPLOYED = ("container", "lambda")
STACKS = ["cognito", "delivery", "network", "service"]

# What speaks of a way to deploy. Lambda with a capital: Python has a keyword, too.
SPEAKS = re.compile(
    r"docker|gunicorn|fargate|apig.wsgi|lambda_entry|service\.yaml|delivery\.yaml|deploy\.(mk|yml)|deploying\.md"
    r"|make (image|package|deploy|load|cold-start)\b|cold.start",
    re.IGNORECASE,
)
NAMED = re.compile(r"\b(Lambda|ECS|ECR)\b")
# The vendored module and the pages about it are the same files in every project. Lock files name
# what other packages require.
SAME_EVERYWHERE = (
    "cognises/",
    "docs/make-it-yours.md",
    "docs/operating.md",
    "docs/security.md",
    "docs/sign-in.md",
    "docs/testing.md",
    "infra/deploy.py",
    "infra/package.py",
    "infra/service_file.py",
    "local_aws/rehearse.py",
    "server/",
)


def test_a_service_that_brings_its_own_deployment_hears_nothing_of_ours(bakes):
    for pool_id in ("", "us-east-1_AbCdEfGhI"):
        files = contents(bakes["none", pool_id])
        names = (name for name in files if not name.startswith(SAME_EVERYWHERE))
        assert [name for name in names if SPEAKS.search(name)] == []
        found = {
            f"{name}: {line.strip()}"
            for name, data in files.items()
            if not name.startswith(SAME_EVERYWHERE) and not re.match(r"requirements.*\.txt", name)
            for line in data.decode(errors="replace").splitlines()
            if SPEAKS.search(line) or NAMED.search(line)
        }
        assert found == set()


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_a_deployment_hears_nothing_of_the_other(bakes, deployment):
    other = {"container": "lambda_entry|apig.wsgi|cold.start", "lambda": "dockerfile|fargate"}
    for name, data in contents(bakes[deployment, ""]).items():
        if not name.startswith(SAME_EVERYWHERE):
            assert not re.search(other[deployment].encode(), data, re.IGNORECASE), name


def lint(files):
    """What cfn-lint says, information included; it starts for all of them once."""
    command = [Path(sys.prefix, "bin", "cfn-lint"), "--include-checks", "I", "--"]
    done = run([*command, *map(str, files)])
    return done.returncode, done.stdout


def test_the_stacks_give_cfn_lint_nothing_to_say(bakes):
    found = [path for each in DEPLOYED for path in (bakes[each, ""] / "infra").glob("*.yaml")]
    assert sorted(path.stem for path in found) == sorted(2 * STACKS)
    assert lint(found) == (0, "")


class Tagged(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are applied to."""


Tagged.add_multi_constructor(
    "!",
    lambda loader, suffix, node: (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
    ),
)


def stack(bakes, deployment, name):
    text = (bakes[deployment, ""] / "infra" / f"{name}.yaml").read_text()
    return yaml.load(text, Tagged)


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_setting_of_the_running_service_has_its_parameter(bakes, deployment):
    """And none that only local mode or provisioning reads: a stage sets all that it may."""
    service = stack(bakes, deployment, "service")["Resources"]
    if deployment == "container":
        variables = service["Task"]["Properties"]["ContainerDefinitions"][0]["Environment"]
        names = {each["Name"] for each in variables}
    else:
        names = set(service["Function"]["Properties"]["Environment"]["Variables"])
    wanted = {"COGNITO_USER_POOL_ID", "COGNITO_CLIENT_ID", "COGNITO_TOKEN_USE", "COGNITO_AUDIENCE",
              "COGNITO_ADDITIONAL_REGIONS", "COGNITO_DOMAIN", "COGNITO_COOKIE_NAME",
              "COGNISES_PUBLIC_URL", "COGNISES_CORS_ORIGINS", "COGNISES_MAX_BODY_BYTES",
              "COGNISES_LOG_LEVEL", "PROJECT_NAME"}  # fmt: skip
    assert wanted <= names
    never = ("COGNISES_LOCAL", "COGNITO_JWKS_URL", "COGNITO_ISSUER", "AWS_ENDPOINT_URL", "FLASK_")
    assert not [name for name in names if name.startswith(never)]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_no_role_of_a_stack_may_do_everything_and_none_trusts_everybody(bakes, deployment):
    for name in ("service", "delivery"):
        for resource in stack(bakes, deployment, name)["Resources"].values():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            properties = resource["Properties"]
            assert properties.get("ManagedPolicyArns", ["PlanPolicy"]) == ["PlanPolicy"]
            for statement in properties["AssumeRolePolicyDocument"]["Statement"]:
                assert statement["Principal"] != "*"
                if "Federated" in statement["Principal"]:
                    claims = statement["Condition"]["StringEquals"]
                    assert set(claims) >= {"token.actions.githubusercontent.com:aud",
                                           "token.actions.githubusercontent.com:sub"}  # fmt: skip
            for policy in properties.get("Policies", ()):
                for statement in flattened(policy["PolicyDocument"]["Statement"]):
                    actions = statement["Action"]
                    actions = [actions] if isinstance(actions, str) else actions
                    assert not [action for action in actions if action.endswith(":*")]


def flattened(statements):
    """Every statement, those that stand under a condition (`!If`) included."""
    for statement in statements:
        if isinstance(statement, list):
            yield from flattened(statement)
        elif isinstance(statement, dict):
            yield statement


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_role_for_pull_requests_changes_nothing(bakes, deployment):
    delivery = stack(bakes, deployment, "delivery")["Resources"]
    assert delivery["PlanRole"]["Properties"]["ManagedPolicyArns"] == ["PlanPolicy"]
    actions = set()
    for statement in delivery["PlanPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        found = statement["Action"]
        actions |= {found} if isinstance(found, str) else set(found)
    verbs = {action.partition(":")[2] for action in actions}
    assert verbs - {"CreateChangeSet", "DeleteChangeSet", "TagResource"} == {
        verb for verb in verbs if re.match("Describe|Get|List", verb)
    }


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_workflows_hold_no_key_and_give_their_identity_to_three_jobs(bakes, deployment):
    text = (bakes[deployment, ""] / ".github/workflows/deploy.yml").read_text()
    workflow = yaml.safe_load(text)
    assert "secrets." not in text
    assert not re.search(r"aws.access.key|aws.secret", text, re.IGNORECASE)
    assert workflow["permissions"] == {"contents": "read"}
    writing = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}
    assert {name for name, may in writing.items() if "id-token" in may} == {
        "plan", "staging", "deploy"}  # fmt: skip
    allowed = {("contents", "read"), ("id-token", "write"), ("actions", "read")}
    assert all(set(may.items()) <= allowed for may in writing.values())
    assert workflow["jobs"]["deploy"]["environment"] == "production"
    assert workflow["jobs"]["staging"]["environment"] == "staging"
    assert "github.event_name == 'push'" in workflow["jobs"]["staging"]["if"]
    assert "github.event_name == 'push'" in workflow["jobs"]["deploy"]["if"]
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["plan"]["if"]
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    # Text from outside reaches a script through its environment alone.
    assert not [step for step in steps if "${{" in step.get("run", "")]
    checkouts = [step for step in steps if "checkout" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert "--expect" in text


def test_alarms_on_5xx_look_at_a_share_of_enough_requests(bakes):
    """A deployment is rolled back by one of them: a client alone must not bring that about."""
    for deployment, names in {
        "container": ("Errors", "BalancerErrors"),
        "lambda": ("Errors",),
    }.items():
        resources = stack(bakes, deployment, "service")["Resources"]
        for name in names:
            alarm = resources[name]["Properties"]
            ratio, errors, requests = alarm["Metrics"]
            assert "100 * FILL(errors, 0) / " in ratio["Expression"]
            assert ">= ${AlarmMinimumRequests}" in ratio["Expression"]
            assert alarm["Threshold"] == "AlarmErrorPercent"
            assert "5" in errors["MetricStat"]["Metric"]["MetricName"]
            assert requests["MetricStat"]["Metric"]["MetricName"] in ("RequestCount", "Count")
    listener = stack(bakes, "container", "service")["Resources"]["HttpsListener"]["Properties"]
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"  # no CBC ciphers


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_a_key_and_a_web_acl_are_there_only_where_they_are_given(bakes, deployment):
    service, delivery = (stack(bakes, deployment, name) for name in ("service", "delivery"))
    optional = {"KmsKeyArn": "", "WebAclArn": "", "RequestsPerAddress": "0"}
    for name, parameter in (*service["Parameters"].items(), *delivery["Parameters"].items()):
        if name in optional:
            assert parameter["Default"] == optional[name]
    logs = [
        each["Properties"]["KmsKeyId"]
        for each in service["Resources"].values()
        if each["Type"] == "AWS::Logs::LogGroup"
    ]
    assert logs == len(logs) * [["HasKey", "KmsKeyArn", "AWS::NoValue"]] != []
    assert delivery["Outputs"]["KmsKeyArn"]["Condition"] == "HasKey"  # the service takes it
    if deployment == "container":
        acl = delivery["Resources"]["WebAcl"]
        assert acl["Condition"] == delivery["Outputs"]["WebAclArn"]["Condition"] == "HasRateLimit"
        assert service["Resources"]["WebAclOfBalancer"]["Condition"] == "HasWebAcl"
        limit = delivery["Parameters"]["RequestsPerAddress"]["AllowedPattern"]
        taken = {"0": 1, "1": 0, "9": 0, "10": 1, "010": 0, "-1": 0, "2000": 1, "10.5": 0}
        assert {text: bool(re.fullmatch(limit, text)) for text in taken} == taken
        # AWS WAF's samples are whole requests, tokens included.
        views = [acl["Properties"], *acl["Properties"]["Rules"]]
        assert not any(each["VisibilityConfig"]["SampledRequestsEnabled"] for each in views)


def test_make_help_lists_the_verbs_of_a_deployment(bakes):
    verbs = {
        "container": {"image", "deploy"},
        "lambda": {"package", "deploy"},
        "none": set(),
    }
    every = set().union(*verbs.values())
    for deployment, own in verbs.items():
        listed = set(re.findall(r"(?m)^  make ([a-z-]+) +\S", make(bakes[deployment, ""], "help")))
        assert {"help", "test", "check"} <= listed
        assert listed & every == own


COMMANDS = """
import re, shlex, sys
from cognises.provisioning.cli import cli
for line in sys.stdin:
    name, *words = shlex.split(line.partition(" > ")[0])
    command = cli.get_command(None, name)
    command.make_context(name, words, resilient_parsing=False)
"""


@pytest.mark.parametrize("name", ["deploying", "production"])
@pytest.mark.parametrize("deployment", DEPLOYED)
def test_every_command_of_the_page_can_be_typed(bakes, deployment, name):
    """Verbs, options and parameters exist, and so does every file that the page names."""
    project = bakes[deployment, ""]
    page = (project / "docs" / f"{name}.md").read_text()
    blocks = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    inline = [text for text in re.findall(r"`([^`\n]+)`", page) if " " in text]
    lines = [line.strip().removeprefix("$ ") for line in (*blocks.splitlines(), *inline)]

    verbs = {word for line in lines for word in re.findall(r"^make ([a-z-]+)", line)}
    for verb in verbs:
        assert run(["make", "--dry-run", verb], cwd=project).returncode == 0, verb
    assert {"deploy", "apply"} <= verbs

    typed = [line.partition("provision.py ")[2] for line in lines if "provision.py " in line]
    assert len(typed) >= 4
    done = subprocess.run(
        [sys.executable, "-B", "-c", COMMANDS],
        cwd=project,
        input="\n".join(typed),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    stacks = [stack(bakes, deployment, path.stem) for path in (project / "infra").glob("*.yaml")]
    known = {parameter for each in stacks for parameter in each["Parameters"]}
    given = set(re.findall(r"--parameter (\w+)=", page))
    assert given
    assert given <= known
    outputs = {output for each in stacks for output in each["Outputs"]}
    told = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", page))
    assert told <= known | outputs
    for name in re.findall(r"`((?:infra|docs|\.github|build)/[\w./-]+)`", page):
        assert name.startswith("build/") or (project / name).exists(), name


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_page_makes_the_environment_before_the_role_that_trusts_it(bakes, deployment):
    """GitHub makes one that is missing for whoever names it first, and without rules."""
    page = (bakes[deployment, ""] / "docs" / "deploying.md").read_text()
    steps = re.findall(r"(?m)^\d\. .*(?:\n(?!\d\. ).*)*", page[page.index("## From GitHub") :])
    assert "make an environment `production`" in steps[0]
    assert "deploy delivery --parameter GitHubRepository=" in steps[1]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_pipeline_gets_every_setting_that_bootstrap_writes(bakes, deployment):
    """One that is missing goes back to its default: without a bucket no file and no audit."""
    page = (bakes[deployment, ""] / "docs" / "production.md").read_text()
    (pattern,) = re.findall(r"grep -E '([^']+)' production\.env \| gh variable set", page)
    bootstrap = (bakes[deployment, ""] / "docs" / "bootstrap.md").read_text()
    (written,) = re.findall(r"## What it writes\n\n(.*?)\. ", bootstrap)
    settings = re.findall(r"`([A-Z_]+)`", written)

    assert len(settings) == 7
    assert [each for each in settings if not re.match(pattern, f"{each}=value")] == []


# The function's package


def python_313():
    """A Python as Lambda's, if there is one: on the path, or of pyenv."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = next(iter(folder.glob("3.13.*/bin/python3.13")), None)
    return shutil.which("python3.13", path="/usr/bin:/usr/local/bin") or (found and str(found))


@pytest.fixture(scope="module")
def package(bakes, tmp_path_factory):
    """A copy of the project, its package, and what building it said."""
    project = tmp_path_factory.mktemp("package") / "cognises-service"
    shutil.copytree(bakes["lambda", "us-east-1_AbCdEfGhI"], project)
    borrow_packages(project)
    said = make(project, "package", env=environment())
    return project, project / "build" / "function.zip", said


def environment():
    """As make() would have it, with Lambda's Python on the path."""
    clean = owners_environment()
    python = python_313()
    before = f"{Path(python).parent}{os.pathsep}" if python else ""
    return {**clean, "PATH": before + clean["PATH"]}


def test_the_package_comes_out_the_same_twice(package):
    project, built, _ = package
    first = built.read_bytes()
    os.utime(project / "wsgi.py", (0, 1_000_000_000))
    (project / "app/__pycache__").mkdir()
    (project / "app/__pycache__/stray.pyc").write_bytes(b"stray")
    try:
        make(project, "package", env=environment())
    finally:
        shutil.rmtree(project / "app/__pycache__")
    assert built.read_bytes() == first


def test_the_package_says_nothing_of_when_and_by_whom_it_was_built(package):
    project, built, _ = package
    with zipfile.ZipFile(built) as archive:
        entries = archive.infolist()
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
        names = [entry.filename for entry in entries]
        assert str(project).encode() not in b"".join(map(archive.read, names))
    assert not [name for name in names if re.search(r"/(RECORD|INSTALLER|direct_url)", name)]


def test_the_package_holds_the_service_and_no_test_keys(package):
    _, built, said = package
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    assert {"lambda_entry.py", "wsgi.py", "groups.json", "apig_wsgi/__init__.py"} <= names
    unwanted = ("cognises/testing", "cognises/provisioning", "moto", "pytest", "tests",
                "local_aws", "infra", "server/", "load/", "bench/", "bin/", ".")  # fmt: skip
    assert not [name for name in names if name.startswith(unwanted)]
    assert not [name for name in names if re.search(r"\.pyi$|\.dist-info/RECORD", name)]
    has_bytecode = any(name.endswith(".cpython-313.pyc") for name in names)
    assert has_bytecode != ("the package holds no bytecode" in said)
    assert has_bytecode or not python_313()


def test_other_sources_make_another_package(package, tmp_path):
    project, built, _ = package
    copy = tmp_path / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("build", ".venv"))
    borrow_packages(copy)
    (copy / "app" / "__init__.py").open("a").write("# a change\n")
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    make(copy, "package", f"KEYS={keys}", env=environment())
    with zipfile.ZipFile(copy / "build/function.zip") as archive:
        assert archive.read("jwks.json") == b'{"keys": []}'
    assert (copy / "build/function.zip").read_bytes() != built.read_bytes()


EVENT = {
    "version": "2.0",
    "rawPath": "/health",
    "rawQueryString": "",
    "headers": {"host": "api.example.org"},
    "requestContext": {
        "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
    },
    "isBase64Encoded": False,
}


def test_the_unpacked_package_answers_on_lambdas_own_python(package, tmp_path):
    python = python_313()
    if python is None:
        pytest.skip("there is no Python 3.13 here")
    with zipfile.ZipFile(package[1]) as archive:
        archive.extractall(tmp_path)
    ask = (
        "import json, sys, lambda_entry\n"
        f"events = [{EVENT!r}, {dict(EVENT, rawPath='/protected')!r}]\n"
        "codes = [lambda_entry.handler(event, None)['statusCode'] for event in events]\n"
        "import cognises.tokens.verifier, flask\n"
        "boto = [name for name in sys.modules if name.startswith('boto')]\n"
        "print('answered', json.dumps([codes, boto, cognises.tokens.verifier.__cached__]))\n"
    )
    env = {"COGNITO_USER_POOL_ID": "us-east-1_AbCdEfGhI", "COGNITO_CLIENT_ID": "abc"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [python, "-S", "-c", ask],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    *logged, said = done.stdout.splitlines() or [""]
    assert said.startswith("answered [[200, 401], [], "), done.stdout + done.stderr
    # The rest is the function's log: one JSON object a line, as CloudWatch reads them.
    lines = [json.loads(line) for line in logged]
    requests = [line for line in lines if line["message"] == "request"]
    assert [(line["path"], line["status"]) for line in requests] == [
        ("/health", 200),
        ("/protected", 401),
    ]
    assert requests[1]["reason"] == "missing_token"
    assert any("signing keys cannot be read yet" in line["message"] for line in lines)
