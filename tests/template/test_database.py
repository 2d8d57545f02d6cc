"""docs/database.md, followed in a new project, against a real PostgreSQL.

The code is that of the page: a copied file is a block under its name.
"""

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path

import boto3
import pytest
from baking import PARSERS, ROOT, borrow_packages, owners_environment, run
from botocore.stub import ANY, Stubber

STACK = "shelf-service"
TASK = "arn:aws:ecs:us-east-1:123456789012:task-definition/shelf-service:7"
IMAGES = "123456789012.dkr.ecr.us-east-1.amazonaws.com/images"


def page(project):
    return (project / "docs" / "database.md").read_text()


def files(project):
    """The files of the page by name."""
    found = re.findall(r"(?ms)^\*\*`([^`]+)`\*\*[^\n]*\n\n```\w+\n(.*?)^```", page(project))
    return dict(found)


def block(project, heading, number=0):
    section = page(project).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"(?ms)^ *```\w+\n(.*?)^ *```", section)[number]


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def project(bakes, tmp_path_factory):
    """A project that has taken every step of the page up to its tests."""
    folder = tmp_path_factory.mktemp("database") / "shelf"
    project = shutil.copytree(bakes["container", ""], folder)
    borrow_packages(project, Path(sys.prefix))  # which has those of the page
    heading = "Packages and settings"
    edit(project / "pyproject.toml", '    "flask>=', block(project, heading) + '    "flask>=')
    last = '    "PROJECT_CONTACT": "",\n'
    edit(project / "app/settings.py", last, last + block(project, heading, 1))
    last = "    app.register_blueprint(data.bp)\n"
    edit(project / "app/__init__.py", last, last + block(project, heading, 2))
    edit(
        project / "app/__init__.py",
        "account, data, error_pages,",
        "account, data, database, error_pages, notes,",
    )
    groups = json.loads((project / "groups.json").read_text())
    for group in groups[:2]:
        group["allowed_functions"].append("notes.*")
    (project / "groups.json").write_text(json.dumps(groups))
    copy_files(project)
    return project


def copy_files(project):
    """The files of the page, where it names them."""
    for name, text in files(project).items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_tests_of_the_page_and_of_every_route_pass_on_postgresql(project):
    command = [".venv/bin/python", "-m", "pytest", "-q", "-p", "no:dash", "tests/app"]
    only = ["-k", "notes or routes or intent"]
    done = run([*command, *only], cwd=project, env=owners_environment())
    assert re.search(r"\d+ passed", done.stdout), done.stdout[-4000:]
    assert done.returncode == 0, done.stdout[-4000:]


SECURED = 'op.execute("ALTER TABLE note ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")'


@pytest.mark.parametrize("secured", [True, False], ids=["row-level security", "without it"])
def test_row_level_security_stops_every_way_around_the_session(project, tmp_path, secured):
    copy = shutil.copytree(project, tmp_path / "shelf", symlinks=True)
    shutil.copy(Path(__file__).with_name("database_attacks.py"), copy / "tests/app/test_attacks.py")
    if not secured:
        edit(copy / "app/migrations/versions/0001_notes.py", SECURED, "")
    command = [
        ".venv/bin/python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:dash",
        "tests/app/test_attacks.py",
    ]
    done = run(command, cwd=copy, env=owners_environment())
    attacks = "20 passed" if secured else "17 failed, 3 passed"
    assert attacks in done.stdout, done.stdout[-4000:]


@pytest.mark.parametrize("deployment", ["container", "lambda"])
def test_the_code_of_the_page_passes_the_projects_own_lint(bakes, deployment, tmp_path):
    project = shutil.copytree(bakes[deployment, ""], tmp_path / "shelf")
    copy_files(project)
    for options in (["check"], ["format", "--check"]):
        command = [f"{sys.prefix}/bin/ruff", *options, "--no-cache", "app", "tests", "migrate.py"]
        done = run(command, cwd=project)
        assert done.returncode == 0, done.stdout


def test_the_page_is_tried_with_the_versions_that_it_names(project):
    asked = re.findall(r'"(.*)"', block(project, "Packages and settings"))
    own = PARSERS[".toml"]((ROOT / "pyproject.toml").read_bytes())["dependency-groups"]["dev"]
    assert len(asked) == 3
    assert [each for each in asked if each not in own] == []


def test_the_secret_and_the_egress_fit_service_json(project):
    text = block(project, "In AWS", 2)
    known = {"REGION": "us-east-1", "ACCOUNT": "123456789012"}
    for name, value in known.items():
        text = text.replace(name, value)
    (project / "service.json").write_text(text)
    infra = map(str, (project / "infra").glob("*.yaml"))
    check = [".venv/bin/python", "-m", "infra.service_file", *infra, "build/infra"]
    done = run(check, cwd=project)
    assert done.returncode == 0, done.stdout
    merged = (project / "build/infra/service.yaml").read_text()
    assert '{"Name": "DATABASE_URL", "ValueFrom": ' in merged
    assert '"FromPort": 5432' in merged


def test_migrations_without_a_database_name_the_setting(project):
    done = run([".venv/bin/python", "-m", "app.migrate"], cwd=project, env=owners_environment())
    assert done.returncode == 1
    assert "DATABASE_URL is empty" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_migration_without_credentials_of_aws_says_so(project, tmp_path):
    away = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "HOME": str(tmp_path)}
    command = [".venv/bin/python", "migrate.py", "v2", "none.env"]
    done = run(command, cwd=project, env={**owners_environment(), **away})
    assert done.returncode == 1
    assert "AWS: Unable to locate credentials; " in done.stdout
    assert "Traceback" not in done.stdout


CHANGE = """
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    for statement in {!r}:
        op.execute(statement)
"""
UPDATE = "UPDATE note SET text = upper(text)"
FORCE = "ALTER TABLE note {}FORCE ROW LEVEL SECURITY"


@pytest.mark.parametrize(
    ("statements", "answer"),
    [
        ([UPDATE], "query would be affected by row-level security policy"),
        ([FORCE.format("NO "), UPDATE, FORCE.format("")], "1 passed"),
    ],
    ids=["in force", "not in force"],
)
def test_a_migration_changes_rows_only_where_no_policy_hides_them(
    project, tmp_path, statements, answer
):
    copy = shutil.copytree(project, tmp_path / "shelf", symlinks=True)
    (copy / "app/migrations/versions/0002_change.py").write_text(CHANGE.format(statements))
    command = [".venv/bin/python", "-m", "pytest", "-q", "-p", "no:dash", "tests/app/test_notes.py"]
    done = run([*command, "-k", "table_has_a_policy"], cwd=copy, env=owners_environment())
    assert answer in done.stdout, done.stdout[-4000:]


class Calls:
    """boto3 clients that answer what a test expects, and check every call against its API."""

    def __init__(self):
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        names = ("cloudformation", "ecs", "lambda")
        self.clients = {name: session.client(name) for name in names}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def expect(self, service, operation, answer, **asked):
        self.stubs[service].add_response(operation, answer, asked)

    def client(self, service, **_):
        return self.clients[service]

    def __enter__(self):
        for stub in self.stubs.values():
            stub.activate()
        return self

    def __exit__(self, *_):
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()


def program(path):
    spec = importlib.util.spec_from_file_location("migrate_of_the_page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expect_resource(calls, name, physical):
    told = {"ResourceType": "T", "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": 0}
    detail = {"LogicalResourceId": name, "PhysicalResourceId": physical, **told}
    asked = {"StackName": STACK, "LogicalResourceId": name}
    calls.expect(
        "cloudformation", "describe_stack_resource", {"StackResourceDetail": detail}, **asked
    )


ENDS = [(0, None), (1, "the migration failed"), (None, "the migration failed")]


@pytest.mark.parametrize(("exit_code", "problem"), ENDS)
@pytest.mark.parametrize(("image", "named"), [("v2", ":v2"), ("sha256:0a", "@sha256:0a")])
def test_a_task_runs_the_migrations_of_an_image(project, image, named, exit_code, problem):
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    container = {
        "name": "service",
        "image": f"{IMAGES}@sha256:00",
        "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn"}],
    }
    known = {"family": STACK, "networkMode": "awsvpc", "cpu": "512", "memory": "1024"}
    before = {
        **known,
        "taskDefinitionArn": f"{TASK[:-1]}6",
        "containerDefinitions": [{**container, "healthCheck": {"command": ["CMD"]}}],
    }
    after = {**container, "image": IMAGES + named, "command": ["python", "-m", "app.migrate"]}
    ran = {"cluster": "c", "tasks": ["t"]}
    ended = [
        {
            "lastStatus": "STOPPED",
            "containers": [{} if exit_code is None else {"exitCode": exit_code}],
        }
    ]
    with Calls() as calls:
        expect_resource(calls, "Cluster", "c")
        expect_resource(calls, "Service", "s")
        service = {"taskDefinition": before["taskDefinitionArn"], "networkConfiguration": network}
        calls.expect(
            "ecs", "describe_services", {"services": [service]}, cluster="c", services=["s"]
        )
        calls.expect(
            "ecs",
            "describe_task_definition",
            {"taskDefinition": before},
            taskDefinition=before["taskDefinitionArn"],
        )
        calls.expect(
            "ecs",
            "register_task_definition",
            {"taskDefinition": {"taskDefinitionArn": TASK}},
            **known,
            containerDefinitions=[after],
        )
        calls.expect(
            "ecs",
            "run_task",
            {"tasks": [{"taskArn": "t"}], "failures": []},
            cluster="c",
            taskDefinition=TASK,
            launchType="FARGATE",
            networkConfiguration=network,
        )
        calls.expect("ecs", "describe_tasks", {"tasks": ended}, **ran)  # the waiter
        calls.expect("ecs", "describe_tasks", {"tasks": ended}, **ran)
        calls.expect("ecs", "deregister_task_definition", {}, taskDefinition=TASK)
        assert_ends(problem, program(project / "migrate.py").main, image, calls)


@pytest.mark.parametrize(
    ("answer", "problem"), [({}, None), ({"FunctionError": "Unhandled"}, "the migration failed")]
)
def test_a_function_of_its_own_runs_the_migrations_of_a_package(bakes, tmp_path, answer, problem):
    code = files(bakes["lambda", ""])
    assert "import lambda_entry" in code["app/migrate_function.py"]
    (tmp_path / "migrate.py").write_text(code["migrate.py"])
    package = tmp_path / "function.zip"
    package.write_bytes(b"zip")
    same = {
        "Role": "arn:aws:iam::123456789012:role/shelf-service-Role",
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "Environment": {"Variables": {"SERVICE_SECRETS": "{}"}},
        "LoggingConfig": {"LogGroup": "g"},
    }
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    name = {"FunctionName": f"{STACK}-migrate"}
    with Calls() as calls:
        expect_resource(calls, "Function", "f")
        calls.expect(
            "lambda",
            "get_function_configuration",
            {**same, "VpcConfig": {**network, "VpcId": "vpc-1"}},
            FunctionName="f",
        )
        calls.expect(
            "lambda",
            "create_function",
            {},
            **name,
            **same,
            VpcConfig=network,
            Handler="app.migrate_function.handler",
            Code={"ZipFile": b"zip"},
            MemorySize=512,
            Timeout=ANY,
        )
        calls.expect("lambda", "get_function", {"Configuration": {"State": "Active"}}, **name)
        calls.expect("lambda", "invoke", answer, **name)
        calls.expect("lambda", "delete_function", {}, **name)
        assert_ends(problem, program(tmp_path / "migrate.py").main, str(package), calls)


def assert_ends(problem, main, built, calls):
    if problem is None:
        main(built, STACK, calls)
    else:
        with pytest.raises(SystemExit, match=problem):
            main(built, STACK, calls)
