"""`deploy`: the stack of `infra/service.yaml`, or of another template beside it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from cognises.errors import SettingsError
from cognises.provisioning import target as t
from cognises.provisioning.aws import Aws
from cognises.provisioning.target import say
from cognises.settings import sources
from infra.bootstrap_settings import read_pairs, read_request
from infra.package import Package, parameters_of, stored_checksum
from infra.service_file import merge, read_service_file
from infra.stack_state import read_stack, require_owned, stack_name, stack_tags
from infra.stacks import StackInput, deploy_stack

LONGEST_STAGE = 32  # beyond it, CloudFormation shortens role names that policies know by prefix
OF_A_PACKAGE = ("CodeKey", "Architecture", "CognitoJwksFile")
YOUR_OWN = ("WebAclArn", "KmsKeyArn", "ServiceBoundaryArn")
_SETTINGS = re.compile(r"(Cognito|Cognises)[A-Z]\w*|ProjectName")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
Values = Mapping[str, str]


class Declared(NamedTuple):
    """A parameter as the template declares it; `default` is None where it has none."""

    name: str
    default: str | None = None
    secret: bool = False

    @property
    def setting(self) -> str:
        """The setting of the same name, else empty: COGNITO_CLIENT_ID for CognitoClientId."""
        is_setting = self.name not in OF_A_PACKAGE and _SETTINGS.fullmatch(self.name)
        return _WORD.sub("_", self.name).upper() if is_setting else ""


@click.command("deploy")
@click.argument("stack", type=click.Choice(["service", "delivery"]), default="service")
@t.account_options
@t.parameters_option
@click.option("--image-tag", metavar="TAG", help="The image to run, by its tag in ECR.")
@click.option("--package", type=t.PATH, help="The function's code to run.")
@t.dry_run_option
@t.yes_option
def run(
    options: t.Options,
    stack: str,
    parameters: tuple[str, ...],
    image_tag: str | None,
    package: Path | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Deploy infra/service.yaml, or the stack of its pipeline: infra/delivery.yaml."""
    given = read_pairs(parameters)
    determined = {"ImageDigest": "--image-tag"} if image_tag else {}
    determined |= dict.fromkeys(OF_A_PACKAGE, "--package") if package else {}
    if twice := determined.keys() & given:
        problem = "{1} determines {0}; omit one of --parameter {0} and {1}"
        raise SettingsError(problem.format(name, determined[name]) for name in sorted(twice))
    built = Package.read(package) if package else None
    request = read_request(options)
    if len(request.stage) > LONGEST_STAGE:
        problem = f"COGNISES_ROLE_PREFIX names the stage {request.stage}, and a deployed stage has"
        raise SettingsError([f"{problem} {LONGEST_STAGE} characters at most; choose a shorter one"])
    template = _template(stack, request.stage)
    client, tags = request.aws.client("cloudformation"), stack_tags(request.role_prefix)
    summary = client.get_template_summary(TemplateBody=template)
    declared = [
        Declared(each["ParameterKey"], each.get("DefaultValue"), bool(each.get("NoEcho")))
        for each in summary.get("Parameters", ())
    ]
    before = read_stack(client, stack_name(request.role_prefix, stack))
    require_owned(before, tags)
    # The stack that comes first: where images or packages are stored.
    delivery = read_stack(client, stack_name(request.role_prefix, "delivery"))
    # Secrets are not kept: AWS returns asterisks for them. Nor are settings: one that is removed
    # from its file has to disappear from the service.
    kept = {each.name for each in declared if not each.secret and not each.setting}
    known = {name: value for name, value in before.parameters.items() if name in kept}
    known |= {"Stage": request.stage, **delivery.outputs, **_own(known, delivery.outputs)}
    project = sources.read_values(sources.PROJECT_FOLDER, names=["PROJECT_NAME"])
    settings = project | t.settings_values(options)
    known |= {each.name: settings[each.setting] for each in declared if each.setting in settings}
    if image_tag:
        given["ImageDigest"] = _image_digest(request.aws, image_tag, known | given)
    elif built:
        given |= parameters_of(built.key)
    elif "CodeKey" in given and "CodeKey" in (each.name for each in declared):
        given = _stored_package(request.aws, given, known | given)
    chosen = resolve(declared, given, known)
    _print_differences(declared, before.parameters, chosen)
    if dry_run and not before.exists:
        # A change set would begin a stack, which a read-only role could not delete again.
        kinds = ", ".join(sorted(set(summary.get("ResourceTypes", ()))))
        say(f"stack {before.name} does not exist; it will be created with {kinds}")
        return 0

    def ask(question: str) -> None:
        t.confirm(question, yes=yes, aws=request.aws)
        if built and built.upload(request.aws.client("s3"), chosen["CodeBucket"]):
            say(f"uploaded {built.path} to s3://{chosen['CodeBucket']}/{built.key}")

    desired = StackInput(before.name, template, chosen, tags)
    for name, text in sorted(deploy_stack(client, desired, ask, dry_run=dry_run).items()):
        say(f"{name}: {text}")
    return 0


def _own(known: Values, outputs: Values) -> dict[str, str]:
    own = {n: known[n] for n in YOUR_OWN if known.get(n) and known[n] != outputs.get(n, known[n])}
    for name in own:
        say(f"  {name} is kept; for that of delivery: --parameter {name}={outputs[name]}")
    return own


def _template(stack: str, stage: str) -> str:
    path = sources.PROJECT_FOLDER / "infra" / f"{stack}.yaml"
    if not path.is_file():
        problem = f"there is no infra/{path.name}: this project has no deployment of its own"
        raise click.ClickException(problem)
    return merge(path.read_text(encoding="utf-8"), read_service_file(), stage)


def resolve(declared: Iterable[Declared], given: Values, known: Values) -> dict[str, str]:
    """Every parameter: given, else known, else default. Raises SettingsError with every problem."""
    values = {each: given.get(each.name, known.get(each.name, each.default)) for each in declared}
    unknown = [name for name in given if name not in {each.name for each in values}]
    problems = [f"--parameter {name}: the template has no such parameter" for name in unknown]
    lacking = [each for each, value in values.items() if value is None]
    for each in lacking:
        once = f"give it once: --parameter {each.name}=..."
        remedy = f"set {each.setting}" if each.setting else once
        problems.append(f"{each.name} is not known yet; {remedy}")
    if problems:
        raise SettingsError(problems)
    return {each.name: value for each, value in values.items() if value is not None}


def _print_differences(declared: Iterable[Declared], before: Values, chosen: Values) -> None:
    """Print a line for each parameter that changes or is set for the first time; no secret."""
    for each in declared:
        old, new = before.get(each.name), chosen[each.name]
        if new != (each.default or "" if old is None else old):
            was = f"{old!r} -> " if old is not None and not each.secret else ""
            say(f"  {each.name}: {was}{'*****' if each.secret else repr(new)}")


def _image_digest(aws: Aws, tag: str, known: Values) -> str:
    repository = resolve([Declared("ImageRepository")], {}, known)["ImageRepository"]
    ecr = aws.client("ecr")
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException):
        problem = f"repository {repository} has no image {tag}; push it first"
        raise SettingsError([problem]) from None
    return str(found["imageDetails"][0]["imageDigest"])


def _stored_package(aws: Aws, given: Values, known: Values) -> dict[str, str]:
    """An older package's parameters, never those that a newer one left. Raises SettingsError."""
    key, bucket = given["CodeKey"], resolve([Declared("CodeBucket")], {}, known)["CodeBucket"]
    if stored_checksum(aws.client("s3"), bucket, key) is None:
        raise SettingsError([f"bucket {bucket} has no package {key}"])
    found = {**parameters_of(key), **given}
    examples = {"Architecture": "...", "CognitoJwksFile": " or =jwks.json"}
    if missing := [name for name in examples if name not in found]:
        add = "{0} does not tell its {1}; add --parameter {1}={2}"
        raise SettingsError(add.format(key, name, examples[name]) for name in missing)
    return found
