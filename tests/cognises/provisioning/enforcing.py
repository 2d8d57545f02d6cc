"""An IAM before moto: every request of a client is judged by the policies of its caller.

moto itself knows no resources and no condition keys. Which actions a request asks for, on which
resource and with which keys, is from the AWS service authorization reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from iam_documents import is_allowed

ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}"


class Asked(NamedTuple):
    """One question to IAM."""

    action: str
    resource: str
    context: Mapping[str, Any]


def tags(kind: str, found: Any) -> dict[str, str]:
    """Condition keys of tags, from any form in which AWS has them."""
    pairs = found.items() if isinstance(found, dict) else ((t["Key"], t["Value"]) for t in found)
    return {f"aws:{kind}Tag/{key}": value for key, value in pairs}


class Iam:
    """Judges the requests of clients. `asked` has every question and whether it was allowed."""

    def __init__(self, region: str, iam: Any, cognito: Any, identity: Any) -> None:
        self.region, self.iam, self.cognito, self.identity = region, iam, cognito, identity
        self.statements: list[dict[str, Any]] | None = None  # None: an administrator
        self.asked: list[tuple[Asked, bool]] = []

    @contextmanager
    def caller(self, *documents: Mapping[str, Any]) -> Iterator[None]:
        """Whoever has these policies and nothing else."""
        before = self.statements
        self.statements = [each for document in documents for each in document["Statement"]]
        try:
            yield
        finally:
            self.statements = before

    def under(self, client: Any) -> Any:
        """The same client, its requests judged before anything else answers them."""
        events, service = client.meta.events, client.meta.service_model.service_name

        def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["asked"] = params

        def judge(model: Any, context: dict[str, Any], **_: Any) -> Any:
            questions = [*self.questions(service, model.name, context["asked"])]
            refused = [each for each in questions if not self.allows(each)]
            if not refused:
                return None
            text = f"not authorized to perform: {refused[0].action} on {refused[0].resource}"
            error = {"Error": {"Code": "AccessDenied", "Message": text}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=403), error

        events.register_first("before-parameter-build", remember)
        events.register_first("before-call", judge)
        return client

    def allows(self, asked: Asked) -> bool:
        allowed = self.statements is None or is_allowed(self.statements, *asked)
        self.asked.append((asked, allowed))
        return allowed

    def questions(self, service: str, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
        """What a request asks of IAM. A service that is not known here is an error."""
        if service == "sts":  # GetCallerIdentity needs no permission
            return
        yield from getattr(self, f"_of_{service.replace('-', '_')}")(name, params)

    def _of_iam(self, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
        action = f"iam:{name}"
        if "RoleName" in params:
            resource, keys = self._role(params["RoleName"], params.get("Path", "/"))
            keys |= tags("Request", params.get("Tags", ()))
            if "PermissionsBoundary" in params:
                keys["iam:PermissionsBoundary"] = params["PermissionsBoundary"]
            if "PolicyArn" in params:
                keys["iam:PolicyARN"] = params["PolicyArn"]
            if names := params.get("TagKeys") or [each["Key"] for each in params.get("Tags", ())]:
                keys["aws:TagKeys"] = names
            yield Asked(action, resource, keys)
            if name == "CreateRole" and params.get("Tags"):
                yield Asked("iam:TagRole", resource, keys)
        elif "PolicyName" in params:
            yield Asked(action, f"{IAM}:policy/{params['PolicyName']}", {})
        else:
            yield Asked(action, params.get("PolicyArn", "*"), {})

    def _role(self, name: str, path: str) -> tuple[str, dict[str, Any]]:
        try:
            role = self.iam.get_role(RoleName=name)["Role"]
        except self.iam.exceptions.NoSuchEntityException:
            return f"{IAM}:role{path}{name}", {}
        keys: dict[str, Any] = tags("Resource", role.get("Tags", ()))
        if boundary := role.get("PermissionsBoundary"):
            keys["iam:PermissionsBoundary"] = boundary["PermissionsBoundaryArn"]
        return role["Arn"], keys

    def _of_cognito_idp(self, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
        action, keys = f"cognito-idp:{name}", tags("Request", params.get("UserPoolTags", {}))
        if "UserPoolId" not in params:
            yield Asked(action, "*", keys)
            if keys:
                yield Asked("cognito-idp:TagResource", "*", keys)
            return
        pool = self.cognito.describe_user_pool(UserPoolId=params["UserPoolId"])["UserPool"]
        yield Asked(action, pool["Arn"], keys | tags("Resource", pool.get("UserPoolTags", {})))
        if "RoleArn" in params:  # whether Cognito states its name is not documented
            yield Asked("iam:PassRole", params["RoleArn"], {})
            to_cognito = {"iam:PassedToService": "cognito-idp.amazonaws.com"}
            yield Asked("iam:PassRole", params["RoleArn"], to_cognito)

    def _of_cognito_identity(self, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
        action, keys = (
            f"cognito-identity:{name}",
            tags("Request", params.get("IdentityPoolTags", {})),
        )
        if pool_id := params.get("IdentityPoolId"):
            found = self.identity.describe_identity_pool(IdentityPoolId=pool_id)
            keys |= tags("Resource", found.get("IdentityPoolTags", {}))
            at = f"arn:aws:cognito-identity:{self.region}:{ACCOUNT}:identitypool/{pool_id}"
            yield Asked(action, at, keys)
        else:
            yield Asked(action, "*", keys)
            if keys:
                yield Asked("cognito-identity:TagResource", "*", keys)

    def _of_cloudformation(self, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
        here = f"arn:aws:cloudformation:{self.region}:{ACCOUNT}"
        stack = params["StackName"]
        at = stack if stack.startswith("arn:") else f"{here}:stack/{stack}/1"
        yield Asked(f"cloudformation:{name}", at, {})
        if params.get("Tags"):
            yield Asked("cloudformation:TagResource", at, {})
            change_set = f"{here}:changeSet/{params['ChangeSetName']}/1"
            yield Asked("cloudformation:TagResource", change_set, {})
