"""Acting in AWS as the signed-in user: keys of the group's role, and what its policies refuse.

The identity pool exchanges an ID token for keys of one role, by Cognito's enhanced flow. Every call
that such keys sign is judged by the role's inline policies, as `apply` wrote them; other keys, and
keys of AssumeRole, may do everything. Not judged: trust policies, managed and bucket policies,
permissions boundaries.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from cognises.errors import CognisesError, SettingsError
from cognises.manifest.iam_decision import decide
from cognises.provisioning.groups.model import Scope
from cognises.tokens.verifier import Verifier, pool_key_set
from cognises.user_pool import UserPool, partition_of
from local_aws.issuer import (
    ACCOUNT,
    identity_clients,
    is_assumed,
    moto_keys,
    role_statements,
    user_roles,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LIFETIME, MOST = 3600, 1000
_IDENTITY = "AWSCognitoIdentityService."
_PREFIX = "ASIA"  # of keys that a role gives for a time
_SIGNED = re.compile(r"(?:Credential=|^)([^/,\s]+)/\d+/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_FORM = "application/x-www-form-urlencoded"
_NAMED = {"cognito-idp": ("userpool/", "UserPoolId"), "dynamodb": ("table/", "TableName")}
# Of S3, by method and by whether there is a key; calls with another subresource are refused.
_S3_QUERY = {"list-type", "prefix", "delimiter", "max-keys", "start-after", "encoding-type",
             "continuation-token", "fetch-owner", "x-id"}  # fmt: skip
_OLD_QUERY = {"awsaccesskeyid", "signature", "expires"}
_S3 = {("GET", True): "GetObject", ("HEAD", True): "GetObject", ("PUT", True): "PutObject",
       ("DELETE", True): "DeleteObject", ("GET", False): "ListBucket",
       ("HEAD", False): "ListBucket"}  # fmt: skip


class Keys(NamedTuple):
    """What the identity pool gave: whose role it is, and what IAM knows of the caller."""

    role: str
    session_token: str
    ends: float
    context: Mapping[str, Any]


class Call(NamedTuple):
    """One call as IAM sees it."""

    action: str
    resource: str
    context: Mapping[str, Any]


class Roles:
    """WSGI: the identity pool's exchange, and the judge in front of `app` (moto)."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._keys: dict[str, Keys] = {}
        self._pools: dict[str, str] = {}  # of each identity: one for each user of each pool

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        operation = request.headers.get("X-Amz-Target", "")
        if operation in (f"{_IDENTITY}GetId", f"{_IDENTITY}GetCredentialsForIdentity"):
            return self._identity(request, operation.endswith("GetId"))(environ, start_response)
        key, region, service = _signed_by(request)
        if not key.startswith(_PREFIX):
            return self._app(environ, start_response)
        return self._judged(request, key, region, service)(environ, start_response)

    def _judged(self, request: Request, key: str, region: str, service: str) -> Response:
        keys = self._keys.get(key)
        name = "X-Amz-Security-Token"
        given = request.headers.get(name) or _query(request).get(name.lower(), "")
        if keys is None and is_assumed(key, given):  # a developer's, by a profile with a role
            return Response.from_app(self._app, request.environ)
        if keys is None or given != keys.session_token or keys.ends <= time.time():
            return _refusal(service, "ExpiredToken", "The security token is expired or unknown.")
        call = _call(request, region, service)
        if refused := _refused(keys, call):
            return _refusal(service, "AccessDenied", refused)
        answer = Response.from_app(self._app, request.environ)
        if call.action == "s3:GetObject" and answer.status_code == 404:
            # S3 tells what is not there only to those who may list the whole bucket.
            bucket = call.resource.partition("/")[0]
            if refused := _refused(keys, Call("s3:ListBucket", bucket, {})):
                return _refusal(service, "AccessDenied", refused)
        return answer

    def _identity(self, request: Request, is_id: bool) -> Response:
        """`GetId` or `GetCredentialsForIdentity`, with the errors of Cognito."""
        body = json.loads(request.get_data() or b"{}")
        pool_id = body.get("IdentityPoolId") or self._pools.get(body.get("IdentityId"), "")
        try:
            claims = _claims(pool_id, body.get("Logins", {}))
            user = uuid5(NAMESPACE_URL, pool_id + claims["sub"])
            identity = f"{pool_id.partition(':')[0]}:{user}"
            if is_id:
                self._pools[identity] = pool_id
                return _json({"IdentityId": identity})
            if identity != body.get("IdentityId"):
                raise CognisesError("no_role", "another user's identity")
            found = self._give(_role(claims), identity, pool_id, claims["aud"])
            return _json({"IdentityId": identity, "Credentials": found})
        except (CognisesError, LookupError, SettingsError) as error:
            text = f"Invalid login token or role: {error}"
            return _json({"__type": "NotAuthorizedException", "message": text}, 400)

    def _give(self, role: str, identity: str, pool_id: str, client: str) -> dict[str, Any]:
        region = pool_id.partition(":")[0]
        service = Scope(ACCOUNT, partition_of(region)[0], region, "", pool_id).identity_service
        context = {
            f"{service}:sub": identity, f"{service}:aud": pool_id,
            f"{service}:amr": ["authenticated", client], "aws:SecureTransport": "true",
            "aws:PrincipalArn": role, "aws:PrincipalAccount": role.split(":")[4],
        }  # fmt: skip
        for old in [key for key, each in self._keys.items() if each.ends <= time.time()]:
            del self._keys[old]
        while len(self._keys) >= MOST:
            del self._keys[next(iter(self._keys))]
        key, ends = f"{_PREFIX}{secrets.token_hex(8).upper()}", time.time() + LIFETIME
        self._keys[key] = keys = Keys(role, secrets.token_urlsafe(96), ends, context)
        return {"AccessKeyId": key, "SecretKey": secrets.token_urlsafe(30),
                "SessionToken": keys.session_token, "Expiration": ends}  # fmt: skip


def _claims(pool_id: str, logins: Mapping[str, str]) -> Mapping[str, Any]:
    """The claims of the one ID token, verified. Raises CognisesError, LookupError."""
    ((provider, token),) = logins.items() if len(logins) == 1 else [("", "")]
    clients = identity_clients(pool_id, provider)
    user_pool = provider.partition("/")[2]
    keys = pool_key_set(UserPool.parse(user_pool), load=lambda kid: moto_keys(), local=True)
    return Verifier(user_pool, clients, token_use="id", key_set=keys).verify(token)


def _role(claims: Mapping[str, Any]) -> str:
    """As the role mapping of type `Token` chooses, with ambiguity denied. Raises LookupError."""
    named = claims
    if "cognito:roles" not in claims:  # the tokens of moto's own sign-in name no roles
        named = user_roles(claims["iss"].rpartition("/")[2], claims["cognito:username"])
    roles = named.get("cognito:roles", ())
    preferred: str | None = named.get("cognito:preferred_role")
    if preferred or len(roles) == 1:
        return preferred or str(roles[0])
    raise LookupError("ambiguous roles" if roles else "no role")


def _query(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.args.items()}


def _signed_by(request: Request) -> tuple[str, str, str]:
    """The key of a signature, in a header or a presigned address, its region and its service."""
    header, query = request.headers.get("Authorization", ""), _query(request)
    if found := _SIGNED.search(header) or _SIGNED.search(query.get("x-amz-credential", "")):
        return found[1], found[2], found[3]
    old = re.match("AWS ([^:]+):", header)  # signature version 2, of S3 alone
    key = old[1] if old else query.get("awsaccesskeyid", "")
    return key, os.environ.get("AWS_REGION", ""), "s3"  # unsigned: not judged


def _call(request: Request, region: str, service: str) -> Call:
    """What a signed call does, from its request. What is not known gets an action of no policy."""
    partition = partition_of(region)[0]
    context = {"aws:RequestedRegion": region, "aws:SourceIp": request.remote_addr or ""}
    if service == "s3":
        bucket, _, key = request.path.removeprefix("/").partition("/")
        known = request.args.keys() & {"prefix", "delimiter", "max-keys"}
        context |= {f"s3:{name}": request.args[name] for name in known}
        own = {name for name in _query(request) if not name.startswith("x-amz-")} - _OLD_QUERY
        is_known = own <= _S3_QUERY and "X-Amz-Copy-Source" not in request.headers
        action = _S3.get((request.method, bool(key))) if is_known and bucket else None
        arn = f"arn:{partition}:s3:::{bucket}" + (f"/{key}" if key else "")
        return Call(f"s3:{action or 'Unknown'}", arn, context)
    data = request.get_data()
    request.environ["wsgi.input"] = BytesIO(data)  # moto reads it again
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    named = dict(parse_qsl(data.decode())) if request.mimetype == _FORM else {}
    kind, name = _NAMED.get(service, ("", ""))
    body = json.loads(data or b"{}") if target and name else {}
    here = f"arn:{partition}:{service}:{region}:{ACCOUNT}"
    resource = f"{here}:{kind}{body[name]}" if body.get(name) else "*"
    return Call(f"{service}:{target or named.get('Action', 'Unknown')}", resource, context)


def _refused(keys: Keys, call: Call) -> str:
    """Why IAM refuses a call; empty where it does not."""
    if call.action == "sts:GetCallerIdentity":  # needs no permission
        return ""
    context = {**keys.context, **call.context}
    found = decide(role_statements(keys.role), call.action, call.resource, context)
    if found == "allowed":
        return ""
    why = "with an explicit deny in an identity-based policy"
    if found == "not allowed":
        why = f"because no identity-based policy allows the {call.action} action"
    role = keys.role.rpartition("/")[2]
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/CognitoIdentityCredentials"
    what = f"is not authorized to perform: {call.action} on resource: {call.resource}"
    return f"User: {caller} {what} {why}"


def _refusal(service: str, code: str, message: str) -> Response:
    """A refusal in the shape of the service's protocol."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if service == "s3":
        return Response(error, 403, mimetype="application/xml")
    if service in ("sts", "iam", "sns", "cloudformation"):
        return Response(f"<ErrorResponse>{error}</ErrorResponse>", 403, mimetype="text/xml")
    return _json({"__type": f"{code}Exception", "message": message}, 400)


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/x-amz-json-1.1")
