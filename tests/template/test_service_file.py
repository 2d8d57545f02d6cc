"""service.json: a service's own variables, secrets, egress and rights reach both deployments."""

import json
import re
from types import SimpleNamespace

import pytest
from baking import of_deployment
from test_deployments import DEPLOYED, Tagged, lint
from yaml import load

from cognises.errors import SettingsError
from cognises.manifest.iam_policy import policy_size
from infra.service_file import _ROOM, _example, merge, read_service_file

TO_DATABASE = {"port": 5432, "to": "10.0.0.0/16"}
QUEUES = [f"arn:aws:sqs:eu-west-1:123456789012:queue-{number:03}" for number in range(80)]
IN_JSON = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-0123abcd-AbCdEf"
HERE = "${AWS::Region}:${AWS::AccountId}"
SECRET = f"arn:${{AWS::Partition}}:secretsmanager:{HERE}:secret:${{Stage}}-db-AbCdEf"
PARAMETER = f"arn:${{AWS::Partition}}:ssm:{HERE}:parameter/api-key"
OF_STAGE = SECRET.replace("${Stage}", "svc-prod")
TEXT = 'a "quoted": ${text}, # and more \U0001f600'
OWN = {
    "environment": {"BUCKET": "${Stage}-reports", "GREETING": TEXT},
    "secrets": {"DATABASE_URL": f"{SECRET}:url::", "API_KEY": PARAMETER},
    "egress": [
        {"port": 5432, "to": "10.0.0.0/16", "for": "PostgreSQL"},
        {"port": 6379, "to": "sg-0123456789abcdef0"},
    ],
    "statements": [
        {"Sid": "UseData", "Effect": "Allow", "Action": "s3:GetObject",
         "Resource": "arn:${AWS::Partition}:s3:::${Stage}-reports/*",
         "Condition": {"StringEquals": {"s3:prefix": "${aws:PrincipalTag/team}-${AWS::Region}"}}},
    ],
}  # fmt: skip


def template(deployment, name):
    return of_deployment(f"infra/{name}.yaml", deployment).read_text()


def written(folder, data):
    (folder / "service.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return folder


def test_the_stacks_with_the_file_give_cfn_lint_nothing_to_say(tmp_path):
    parts = read_service_file(written(tmp_path, OWN))
    files = []
    for deployment in DEPLOYED:
        for name in ("service", "delivery"):
            files.append(tmp_path / f"{deployment}-{name}.yaml")
            files[-1].write_text(merge(template(deployment, name), parts, "svc-prod"))
            assert "# service.json:" not in files[-1].read_text()
    assert lint(files) == (0, "")


@pytest.mark.parametrize("deployment", DEPLOYED)
@pytest.mark.parametrize("name", ["service", "delivery"])
def test_without_a_file_the_stacks_are_the_templates(deployment, name, tmp_path):
    text = template(deployment, name)
    unchanged = merge(text, read_service_file(written(tmp_path, {})), "svc-prod")
    assert unchanged != text
    assert load(unchanged, Tagged) == load(text, Tagged)


def merged(deployment, name, tmp_path):
    parts = read_service_file(written(tmp_path, OWN))
    return load(merge(template(deployment, name), parts, "svc-prod"), Tagged)["Resources"]


RULES = {
    "CidrIp": "10.0.0.0/16", "FromPort": 5432, "ToPort": 5432, "IpProtocol": "tcp",
    "Description": "PostgreSQL",
}  # fmt: skip


def test_a_task_gets_variables_secrets_rights_and_a_way_to_its_database(tmp_path):
    resources = merged("container", "service", tmp_path)
    container = resources["Task"]["Properties"]["ContainerDefinitions"][0]

    environment = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert environment["BUCKET"] == "svc-prod-reports"
    assert environment["GREETING"] == TEXT
    secrets = {each["Name"]: each["ValueFrom"] for each in container["Secrets"]}
    assert secrets == {
        "DATABASE_URL": {"Fn::Sub": f"{OF_STAGE}:url::"},
        "API_KEY": {"Fn::Sub": PARAMETER},
    }
    assert RULES in resources["ServiceGroup"]["Properties"]["SecurityGroupEgress"]
    (policy,) = resources["TaskRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"s3:prefix": {"Fn::Sub": "${!aws:PrincipalTag/team}-${AWS::Region}"}}
    }
    (start,) = resources["StartRole"]["Properties"]["Policies"]
    assert start["PolicyDocument"]["Statement"][-2:] == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
         "Resource": [{"Fn::Sub": OF_STAGE}]},
        {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": [{"Fn::Sub": PARAMETER}]},
    ]  # fmt: skip


def test_a_function_gets_the_same(tmp_path):
    resources = merged("lambda", "service", tmp_path)
    variables = resources["Function"]["Properties"]["Environment"]["Variables"]

    assert variables["BUCKET"] == "svc-prod-reports"
    assert variables["GREETING"] == TEXT
    assert json.loads(variables["SERVICE_SECRETS"]["Fn::Sub"]) == {
        "DATABASE_URL": f"{OF_STAGE}:url::", "API_KEY": PARAMETER}  # fmt: skip
    assert RULES in resources["FunctionGroup"]["Properties"]["SecurityGroupEgress"]
    (policy,) = resources["Role"]["Properties"]["Policies"]
    actions = [each["Action"] for each in policy["PolicyDocument"]["Statement"] if "Action" in each]
    for action in ("secretsmanager:GetSecretValue", "ssm:GetParameters", "s3:GetObject"):
        assert action in actions


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_boundary_holds_what_the_file_asks_for_before_its_last_denial(deployment, tmp_path):
    boundary = merged(deployment, "delivery", tmp_path)["ServiceBoundary"]["Properties"]
    *_, secret, parameter, own, last = boundary["PolicyDocument"]["Statement"]

    assert secret["Action"] == "secretsmanager:GetSecretValue"
    assert parameter["Action"] == "ssm:GetParameters"
    assert own["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::svc-prod-reports/*"}
    assert (last["Sid"], last["Effect"]) == ("NeverTheAccount", "Deny")


def test_without_the_file_nothing_is_added(tmp_path):
    assert read_service_file(tmp_path) == {
        "environment": {}, "secrets": {}, "egress": [], "statements": []}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ({"env": {}}, "env: is not known; use environment, secrets, egress, statements"),
        ({"environment": []}, "environment: must be a JSON object"),
        ({"environment": {"name": "x"}}, "must be upper-case letters"),
        ({"environment": {"COGNITO_CLIENT_ID": "x"}}, "is set by infra/service.yaml"),
        ({"environment": {"AWS_PROFILE": "x"}}, "is set by infra/service.yaml"),
        ({"environment": {"PORT": 80}}, "must be a text that is not empty"),
        ({"environment": {"A": "x\ny"}}, "must be a text that is not empty"),
        ({"environment": {"A": "x"}, "secrets": {"A": PARAMETER}}, "is in environment too"),
        ({"secrets": {"PASSWORD": "hunter2"}}, "must be the ARN of a secret"),
        ({"secrets": {"A": "arn:aws:ssm:eu-west-1:123456789012:parameter/*"}}, "must be the ARN"),
        ({"secrets": {"A": "arn:aws:s3:::bucket/key"}}, "must be the ARN of a secret"),
        ({"secrets": {"A": f"{IN_JSON}:k:AWSPREVIOUS:"}}, "remove versions: not supported"),
        ({"secrets": {"A": f"{IN_JSON}:::0123"}}, "remove versions: not supported"),
        ({"secrets": {"A": f"{PARAMETER}:3"}}, "remove versions: not supported"),
        ({"secrets": {"A": IN_JSON.replace("db", "d\u00e9")}}, "must be the ARN of a secret"),
        ({"egress": [{"port": 5432}]}, 'egress[0]: must be {"port": 5432'),
        ({"egress": [{"port": "5432", "to": "10.0.0.0/16"}]}, "egress[0].port: must be a number"),
        ({"egress": [{"port": True, "to": "10.0.0.0/16"}]}, "egress[0].port: must be a number"),
        ({"egress": [{"port": 1, "to": "10.0.0.1/16"}]}, "egress[0].to: must be a network"),
        ({"egress": [{"port": 1, "to": "db.example.org"}]}, "egress[0].to: must be a network"),
        ({"egress": [{"port": 1, "to": "10.0.0.0"}]}, "egress[0].to: must be a network"),
        ({"egress": [{"port": 1, "to": "10.0.0.0/255.0.0.0"}]}, "egress[0].to: must be a network"),
        ({"egress": [{"port": 1, "to": "10.0.0.0/0.0.0.255"}]}, "egress[0].to: must be a network"),
        ({"egress": [{"port": 1, "to": ["10.0.0.0/8"]}]}, "egress[0].to: must be a network"),
        ({"egress": [{**TO_DATABASE, "for": ""}]}, "egress[0].for: must be 1 to 255"),
        ({"egress": [{**TO_DATABASE, "for": "x" * 256}]}, "egress[0].for: must be 1 to 255"),
        ({"egress": [{**TO_DATABASE, "for": "the d\u00e9p\u00f4t"}]}, "egress[0].for: must be"),
        ({"egress": [{**TO_DATABASE, "for": "Ada's"}]}, "egress[0].for: must be"),
        ({"egress": [{**TO_DATABASE, "for": {"a": 1}}]}, "egress[0].for: must be"),
        ({"egress": [{**TO_DATABASE, "for": ["a"]}]}, "egress[0].for: must be"),
        ({"egress": [{**TO_DATABASE, "for": 5}]}, "egress[0].for: must be"),
        ({"egress": [TO_DATABASE, TO_DATABASE | {"for": "x"}]}, "egress[1]: port 5432 of 10.0"),
        ({"egress": [{"port": 443, "to": "0.0.0.0/0"}]}, "egress[0]: port 443 of 0.0.0.0/0"),
        ({"statements": [{"Effect": "Allow", "Action": "s3:GetObject"}]}, "statements[0]"),
        ({"statements": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUES}]},
         "characters, IAM's limit"),
        ({"statements": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]},
         "statements[0]: the boundary of infra/delivery.yaml denies iam:*"),
        ({"statements": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "denies *"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named_and_deploys_nothing(data, problem, tmp_path):
    with pytest.raises(SettingsError) as refused:
        read_service_file(written(tmp_path, data))

    assert problem in str(refused.value)
    assert "service.json" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def boundary_of(deployment):
    resources = load(template(deployment, "delivery"), Tagged)["Resources"]
    return resources["ServiceBoundary"]["Properties"]["PolicyDocument"]


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_an_action_that_the_boundary_denies_is_refused(deployment, tmp_path):
    *_, last = boundary_of(deployment)["Statement"]
    single = [each.replace("*", "X") for each in last["Action"]]
    for action in (*last["Action"], *single, "IAM:GetRole", "sts:*", "sts:Get*", "sts:GetFed*"):
        statement = {"Effect": "Allow", "Action": ["s3:GetObject", action], "Resource": "*"}
        with pytest.raises(SettingsError, match="denies") as refused:
            read_service_file(written(tmp_path, {"statements": [statement]}))
        assert f"denies {action}; remove it" in str(refused.value)
        read_service_file(written(tmp_path, {"statements": [statement | {"Effect": "Deny"}]}))


@pytest.mark.parametrize(
    "action", ["ses:SendEmail", "sts:GetCallerIdentity", "account-x:A", "configservice:A", "rams:*"]
)
def test_any_other_action_is_taken(action, tmp_path):
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    read_service_file(written(tmp_path, {"statements": [statement]}))


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_the_boundary_with_the_largest_file_is_not_too_large_for_iam(deployment):
    """Its own part, with each placeholder as long as it gets, and what a file may add."""
    image = "arn:aws:ecr:ap-southeast-1:111111111111:repository/" + 50 * "s"
    text = json.dumps(boundary_of(deployment)).replace('"Images.Arn"', f'"{image}"')
    assert policy_size(json.loads(_example(text))) + _ROOM <= 6_144


@pytest.mark.parametrize("deployment", DEPLOYED)
def test_a_variable_that_the_stack_sets_is_refused(deployment, tmp_path):
    text = template(deployment, "service")
    names = set(re.findall(r"\{Name: ([A-Z_]+), Value|^          ([A-Z_]+): !", text, re.M))
    found = {first or second for first, second in names}
    assert "PROJECT_NAME" in found
    for part, name in [(part, name) for part in ("environment", "secrets") for name in found]:
        with pytest.raises(SettingsError, match=r"is set by infra/service\.yaml"):
            read_service_file(written(tmp_path, {part: {name: PARAMETER}}))


@pytest.mark.parametrize("end", ["", ":password::", ":::"])
def test_a_secret_that_rds_manages_is_taken(end, tmp_path):
    parts = read_service_file(written(tmp_path, {"secrets": {"PASSWORD": IN_JSON + end}}))
    service = load(merge(template("container", "service"), parts, "svc-prod"), Tagged)["Resources"]

    (start,) = service["StartRole"]["Properties"]["Policies"]
    assert start["PolicyDocument"]["Statement"][-1]["Resource"] == [IN_JSON]


class Secrets:
    """Secrets Manager and Parameter Store, by the two calls that the function makes."""

    def __init__(self, secret='{"url": "postgresql://db"}', parameters=({"Value": "k"},)):
        self.secret = {} if secret is None else {"SecretString": secret}
        self.asked, self.parameters = [], parameters

    def get_secret_value(self, **call):
        self.asked.append(call["SecretId"])
        return self.secret

    def get_parameters(self, **call):
        assert call["WithDecryption"]
        self.asked += call["Names"]
        return {"Parameters": self.parameters}


def start_with(environment, client):
    source = of_deployment("lambda_entry.py", "lambda").read_text()
    names = {}
    exec(source[: source.index("# Imports create")], names)
    names["read_secrets"](environment, lambda: SimpleNamespace(client=client))


def test_a_function_reads_its_secrets_as_it_starts():
    aws, regions = Secrets(), []
    whole = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
    key = "arn:aws:ssm:eu-west-1:123456789012:parameter/service/api-key"
    environment = {
        "SERVICE_SECRETS": json.dumps(
            {"DATABASE_URL": f"{whole}:url::", "WHOLE": whole, "API_KEY": key}
        )
    }

    def client(service, region_name):
        regions.append((service, region_name))
        return aws

    start_with(environment, client)

    assert environment["DATABASE_URL"] == "postgresql://db"
    assert environment["WHOLE"] == '{"url": "postgresql://db"}'
    assert environment["API_KEY"] == "k"
    assert "SERVICE_SECRETS" not in environment
    assert aws.asked == [whole, whole, key]
    assert {region for _, region in regions} == {"eu-west-1"}


SECRET_TEXT = '{"port": 5432, "on": true, "none": null, "more": {"a": 1}, "text": "t"}'


@pytest.mark.parametrize(
    ("end", "value"),
    [(":port::", "5432"), (":on::", "true"), (":more::", '{"a": 1}'), (":text::", "t"),
     (":::", SECRET_TEXT), ("", SECRET_TEXT)],
)  # fmt: skip
def test_a_value_of_a_secret_becomes_text(end, value):
    environment = {"SERVICE_SECRETS": json.dumps({"VALUE": IN_JSON + end})}
    start_with(environment, lambda *_, **__: Secrets(SECRET_TEXT))

    assert environment == {"VALUE": value}


@pytest.mark.parametrize(
    ("arn", "secret"),
    [
        (f"{IN_JSON}:host::", SECRET_TEXT),
        (f"{IN_JSON}:none::", SECRET_TEXT),
        (f"{IN_JSON}:port::", "hunter2"),
        (f"{IN_JSON}:port::", '["hunter2"]'),
        (f"{IN_JSON}:port::", '"hunter2"'),
        (IN_JSON, None),  # a binary secret
        ("arn:aws:ssm:eu-west-1:123456789012:parameter/gone", "hunter2"),
    ],
)
def test_a_function_without_a_secret_names_it_and_does_not_start(arn, secret):
    environment = {"SERVICE_SECRETS": json.dumps({"FIRST": arn, "SECOND": arn})}
    with pytest.raises(SettingsError) as refused:
        start_with(environment, lambda *_, **__: Secrets(secret, parameters=()))

    for name in ("FIRST", "SECOND"):
        assert f"{name}: {arn} has no such value" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert environment == {}
