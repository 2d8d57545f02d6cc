"""`service.json`: what your service adds to the stacks of `infra/`.

    {"environment": {"BUCKET": "reports"}, "secrets": {"DATABASE_URL": "arn:aws:secretsmanager:…"},
     "egress": [{"port": 5432, "to": "10.0.0.0/16"}], "statements": [{"Effect": "Allow", …}]}

Texts may hold `${Stage}`, `${AWS::Region}`, `${AWS::AccountId}` and `${AWS::Partition}`. As a
program, with `infra/*.yaml FOLDER`, it writes the templates as they are deployed, for linters.
"""

import ipaddress
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cognises.errors import ManifestError, Problem, SettingsError
from cognises.manifest import parse_json
from cognises.manifest.iam_policy import VERSION, check_policy, policy_size, statements_of, texts
from cognises.manifest.iam_warnings import escalating_actions
from cognises.settings import sources

Json = Mapping[str, Any]
NAME = "service.json"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_OURS = "(AWS|COGNI(TO|SES)|GUNICORN|FLASK|LAMBDA)_|(PROJECT_NAME|SERVICE_SECRETS|WEB_CONCURRENCY)$"
_SECRET = re.compile(
    r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+(:[^:]*::)?"
    r"|ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+)",
    re.ASCII,
)
_REASON = re.compile(r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}")  # what EC2 takes
_EXAMPLES = {"${Stage}": "s" * 32, "${AWS::Region}": "ap-southeast-1",  # the longest
             "${AWS::AccountId}": "1" * 12, "${AWS::Partition}": "aws"}  # fmt: skip
_ROOM = 3_300  # what the boundary in infra/delivery.yaml leaves of IAM's 6,144; and it denies:
_DENIED = r"""(?ix)(account|aws-portal|billing|cloudformation|cloudtrail|cognito-id(entity|p)|config
    |iam|identitystore|organizations|ram|rolesanywhere|sso|sso-directory):.*|sts:(assume|get[*?f]).*"""
_PLACEHOLDER = re.compile(r"\$\{AWS::(Region|AccountId|Partition)\}")
_OTHER = re.compile(r"\$\{(?!AWS::(?:Region|AccountId|Partition)\})")
_MARK = re.compile(r"^( *)# service\.json: ([a-z-]+)\n", re.M)


def read_service_file(folder: Path = sources.PROJECT_FOLDER) -> dict[str, Any]:
    """The parts of the file, empty where there is none. Raises SettingsError with every problem."""
    path = folder / NAME
    try:
        data = parse_json(path.read_bytes()) if path.is_file() else {}
    except ManifestError as error:
        raise SettingsError([f"{problem} ({NAME})" for problem in error.problems]) from None
    problems = [problem for problem in _check(data) if problem.level == "error"]
    if problems or not isinstance(data, dict):
        raise SettingsError([f"{problem} ({NAME})" for problem in problems])
    parts = {name: data.get(name, kind()) for name, (kind, _) in PARTS.items()}
    rights = [*_read_statements(parts["secrets"]), *parts["statements"]]
    if (size := policy_size(json.loads(_example(json.dumps(rights))))) > _ROOM:
        raise SettingsError([f"statements: remove {size - _ROOM} characters, IAM's limit ({NAME})"])
    return parts


def _check(data: object) -> Iterator[Problem]:
    if not isinstance(data, dict):
        yield Problem("", "must be a JSON object with some of: " + ", ".join(PARTS))
        return
    for name, value in data.items():
        if name not in PARTS:
            yield Problem(name, f"is not known; use {', '.join(PARTS)}")
        elif not isinstance(value, PARTS[name][0]):
            yield Problem(name, f"must be a JSON {'object' if PARTS[name][0] is dict else 'list'}")
        else:
            yield from PARTS[name][1](value)
    environment, secrets = data.get("environment", {}), data.get("secrets", {})
    if isinstance(environment, dict) and isinstance(secrets, dict):
        for name in environment.keys() & secrets.keys():
            yield Problem(f"secrets.{name}", "is in environment too; remove one of them")


def _check_environment(values: Json, part: str = "environment") -> Iterator[Problem]:
    for name, value in values.items():
        if not _VARIABLE.fullmatch(name):
            yield Problem(f"{part}.{name}", "must be upper-case letters, digits and underscores")
        elif re.match(_OURS, name):
            yield Problem(f"{part}.{name}", "is set by infra/service.yaml; use its parameter")
        if not isinstance(value, str) or not value or not value.isprintable():
            yield Problem(f"{part}.{name}", "must be a text that is not empty")


def _check_secrets(values: Json) -> Iterator[Problem]:
    yield from _check_environment(values, "secrets")
    text = "must be the ARN of a secret or of a parameter, never its value: "
    text += "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-AbCdEf, with :KEY:: for a key of "
    text += "its JSON, or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME; remove versions: not supported"
    for name, value in values.items():
        if not isinstance(value, str) or not _SECRET.fullmatch(_example(value)):
            yield Problem(f"secrets.{name}", text)


def _check_egress(values: list[object]) -> Iterator[Problem]:
    seen: list[object] = [(443, "0.0.0.0/0")]  # that of infra/service.yaml
    for number, rule in enumerate(values):
        place = f"egress[{number}]"
        if not isinstance(rule, dict) or not {"port", "to"} <= set(rule) <= {"port", "to", "for"}:
            yield Problem(place, 'must be {"port": 5432, "to": "10.0.0.0/16", "for": "database"}')
            continue
        port, to, reason = rule["port"], str(rule["to"]), rule.get("for", NAME)
        if type(port) is not int or not 0 < port < 65536:
            yield Problem(f"{place}.port", "must be a number from 1 to 65535")
        if not isinstance(reason, str) or not _REASON.fullmatch(reason):
            yield Problem(f"{place}.for", "must be 1 to 255 of A-Z a-z 0-9 ._-:/()#,@[]+=&;{}!$*")
        if (port, to) in seen:
            yield Problem(place, f"port {port} of {to} is open already; remove this rule")
        seen.append((port, to))
        try:
            if not re.fullmatch(r"sg-[0-9a-f]{8,17}", to):
                ipaddress.IPv4Network(to if re.fullmatch(r"[0-9.]+/[1-9]?[0-9]", to) else "")
        except ValueError:
            yield Problem(f"{place}.to", "must be a network such as 10.0.0.0/16, or sg-…")


def _check_statements(values: list[object]) -> Iterator[Problem]:
    statements = json.loads(_example(json.dumps(values)))
    document = {"Version": VERSION, "Statement": statements}
    for problem in check_policy(document) if values else ():
        yield problem._replace(place=problem.place.replace("Statement", "statements", 1))
    for place, statement in statements_of(document):
        allowed = texts(statement.get("Action")) if statement.get("Effect") == "Allow" else []
        denied = [each for each in allowed if re.fullmatch(_DENIED, each)]
        if found := dict.fromkeys([*escalating_actions(statement), *denied]):
            text = f"the boundary of infra/delivery.yaml denies {', '.join(found)}; remove it"
            yield Problem(place.replace("Statement", "statements", 1), text)


def _example(text: str) -> str:
    return re.sub(r"\$\{[\w:]+\}", lambda found: _EXAMPLES.get(found[0], found[0]), text)


PARTS: dict[str, tuple[type, Callable[[Any], Iterator[Problem]]]] = {
    "environment": (dict, _check_environment),
    "secrets": (dict, _check_secrets),
    "egress": (list, _check_egress),
    "statements": (list, _check_statements),
}


def merge(template: str, parts: Json, stage: str) -> str:
    """A template with the parts of the file, for this stage, in place of its marks."""
    lines = _lines(json.loads(json.dumps(parts).replace("${Stage}", stage)))
    return _MARK.sub(lambda m: "".join(f"{m[1]}{line}\n" for line in lines.get(m[2], ())), template)


def _lines(parts: Json) -> dict[str, list[str]]:
    environment, secrets = parts["environment"], parts["secrets"]
    statements = [{k: s[k] for k in s if k != "Sid"} for s in parts["statements"]]  # may be taken
    reads = _read_statements(secrets)
    variables = {**environment, **({"SERVICE_SECRETS": json.dumps(secrets)} if secrets else {})}
    from_arns = [{"Name": name, "ValueFrom": arn} for name, arn in secrets.items()]
    own = {"PolicyName": "service", "PolicyDocument": {"Version": VERSION, "Statement": statements}}
    return {
        "environment": _items({"Name": key, "Value": value} for key, value in environment.items()),
        "variables": [f"{name}: {_json(value)}" for name, value in variables.items()],
        "secrets": [f"Secrets: {_json(from_arns)}"] if secrets else [],
        "read-secrets": _items(reads),
        "policy": [f"Policies: [{_json(own)}]"] if statements else [],
        "statements": _items([*reads, *statements]),
        "egress": _items(map(_rule, parts["egress"])),
    }


def _read_statements(secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    # An ARN without the key of the secret's JSON.
    arns = {re.sub(r"(:secret:(?:\$\{[^}]+\}|[^:])+):.*", r"\1", arn) for arn in secrets.values()}
    stores = {"secretsmanager:GetSecretValue": ":secret:", "ssm:GetParameters": ":parameter/"}
    reads = {action: sorted(a for a in arns if kind in a) for action, kind in stores.items()}
    return [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in reads.items() if r]


def _rule(rule: Json) -> dict[str, Any]:
    port, to = rule["port"], rule["to"]
    target = "DestinationSecurityGroupId" if to.startswith("sg-") else "CidrIp"
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, target: to,
            "Description": rule.get("for", NAME)}  # fmt: skip


def _items(values: Iterable[object]) -> list[str]:
    return [f"- {_json(value)}" for value in values]


def _json(value: object) -> str:
    return json.dumps(_substituted(value), ensure_ascii=False)  # YAML reads no surrogate pairs


def _substituted(value: object) -> object:
    """A value for CloudFormation, which fills its own placeholders and no other."""
    if isinstance(value, dict):
        return {key: _substituted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_substituted(each) for each in value]
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        return {"Fn::Sub": _OTHER.sub("${!", value)}
    return value


def main(arguments: list[str]) -> None:
    """Write each template as it is deployed into a folder."""
    *templates, folder = arguments
    try:
        parts = read_service_file()
    except SettingsError as error:
        sys.exit(str(error))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path in map(Path, templates):
        merged = merge(path.read_text(encoding="utf-8"), parts, "stage")
        Path(folder, path.name).write_text(merged, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
