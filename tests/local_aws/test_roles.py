"""Keys of groups' roles on the embedded server, and what their policies refuse."""

import json
import os
import time
from unittest.mock import patch

import boto3
import pytest
import requests
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws import roles
from local_aws.cognito import LocalCognito, serving
from local_aws.environment import isolate
from local_aws.issuer import ACCOUNT, Issuer

SUB = "${cognito-identity.amazonaws.com:sub}"
BUCKET = f"role-{ACCOUNT}-us-east-1"
ARN = f"arn:aws:s3:::{BUCKET}"


def statement(action, resource, effect="Allow", **condition):
    found = {"Effect": effect, "Action": action, "Resource": resource}
    return {**found, "Condition": condition} if condition else found


POLICIES = {
    "viewers": [
        statement("s3:GetObject", f"{ARN}/shared/*"),
        statement("s3:ListBucket", ARN, StringLike={"s3:prefix": "shared/*"}),
        statement("cognito-idp:ListUsers", f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/no"),
    ],
    "editors": [
        statement("s3:*", f"{ARN}/users/{SUB}/*"),
        statement("s3:DeleteObject", "*", "Deny"),
        statement("cognito-idp:ListUsers", "*"),
        statement("iam:GetRole", "*"),
    ],
    "second": [statement("s3:*", "*")],
}
PRECEDENCE = {"viewers": 1, "editors": 0, "second": 0}


@pytest.fixture(scope="module")
def aws():
    """Groups with roles of these policies, and a user in each of them."""
    with patch.dict(os.environ):
        isolate()
        with serving() as address:
            made = LocalCognito(address, "")
            iam = boto3.client("iam", endpoint_url=address)
            for group, statements in POLICIES.items():
                role = iam.create_role(RoleName=group, AssumeRolePolicyDocument="{}")["Role"]
                document = json.dumps({"Version": "2012-10-17", "Statement": statements})
                iam.put_role_policy(RoleName=group, PolicyName="p", PolicyDocument=document)
                made._cognito.create_group(GroupName=group, UserPoolId=made.pool_id,
                                           RoleArn=role["Arn"],
                                           Precedence=PRECEDENCE[group])  # fmt: skip
            made.address, made.users = address, {}
            for user in made.add_users(POLICIES):  # and the newcomer, of no group
                made.users[user.group] = user
            yield made


def identity(aws):
    config = Config(signature_version=UNSIGNED)
    return boto3.client("cognito-identity", endpoint_url=aws.address, config=config)


def exchanged(aws, token):
    logins = {f"cognito-idp.us-east-1.amazonaws.com/{aws.pool_id}": token}
    found = identity(aws).get_id(IdentityPoolId=aws.identity_pool_id, Logins=logins)
    return identity(aws).get_credentials_for_identity(IdentityId=found["IdentityId"], Logins=logins)


def session_of(aws, group):
    found = exchanged(aws, aws.sign_in(aws.users[group], "id"))
    keys = found["Credentials"]
    made = boto3.Session(keys["AccessKeyId"], keys["SecretKey"], keys["SessionToken"], "us-east-1")
    return made, found["IdentityId"]


def client_of(aws, group, service="s3"):
    session, _ = session_of(aws, group)
    return session.client(service, endpoint_url=aws.address)


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_an_identity_is_the_same_for_every_token_of_a_user_and_of_no_other(aws):
    assert session_of(aws, "editors")[1] == session_of(aws, "editors")[1]
    assert session_of(aws, "editors")[1] != session_of(aws, "viewers")[1]


def test_a_user_writes_to_the_own_folder_and_to_no_other(aws):
    session, own = session_of(aws, "editors")
    s3 = session.client("s3", endpoint_url=aws.address)
    other = session_of(aws, "viewers")[1]

    s3.put_object(Bucket=BUCKET, Key=f"users/{own}/a b.txt", Body=b"x")

    assert s3.get_object(Bucket=BUCKET, Key=f"users/{own}/a b.txt")["Body"].read() == b"x"
    for key in (f"users/{other}/a", "shared/a", f"users/{own}", f"users/x/../{own}/a", "*"):
        assert refusal(s3.put_object, Bucket=BUCKET, Key=key) == "AccessDenied", key
    assert refusal(s3.delete_object, Bucket=BUCKET, Key=f"users/{own}/a b.txt") == "AccessDenied"


def test_what_a_policy_does_not_name_is_refused_whatever_the_call(aws):
    s3 = client_of(aws, "viewers")
    welcome = {"Bucket": BUCKET, "Key": "shared/welcome.txt"}

    assert s3.get_object(**welcome)["ContentLength"] > 0
    assert s3.head_object(**welcome)["ContentLength"] > 0
    assert len(s3.list_objects_v2(Bucket=BUCKET, Prefix="shared/")["Contents"]) == 1
    calls = [
        (s3.put_object, welcome), (s3.list_objects_v2, {"Bucket": BUCKET}),
        (s3.list_objects_v2, {"Bucket": BUCKET, "Prefix": "users/"}), (s3.list_buckets, {}),
        (s3.get_object_acl, welcome), (s3.get_bucket_policy, {"Bucket": BUCKET}),
        (s3.copy_object, {**welcome, "CopySource": f"{BUCKET}/shared/welcome.txt"}),
        (s3.create_multipart_upload, welcome), (s3.delete_bucket, {"Bucket": BUCKET}),
        # As S3 answers a caller who may not list the bucket.
        (s3.get_object, {"Bucket": BUCKET, "Key": "shared/missing"}),
    ]  # fmt: skip
    for call, arguments in calls:
        assert refusal(call, **arguments) == "AccessDenied", (call, arguments)


def test_other_services_refuse_in_their_own_form(aws):
    pool = {"UserPoolId": aws.pool_id}

    assert client_of(aws, "editors", "cognito-idp").list_users(**pool)["Users"]
    cognito, iam = client_of(aws, "viewers", "cognito-idp"), client_of(aws, "viewers", "iam")
    assert refusal(cognito.list_users, **pool) == "AccessDeniedException"
    assert refusal(iam.get_role, RoleName="second") == "AccessDenied"
    assert client_of(aws, "editors", "iam").get_role(RoleName="second")["Role"]
    assert client_of(aws, "viewers", "sts").get_caller_identity()["Account"] == ACCOUNT


def test_presigned_addresses_are_judged_and_keys_of_developers_are_not(aws):
    key = {"Bucket": BUCKET, "Key": "shared/welcome.txt"}
    developer = boto3.client("s3", endpoint_url=aws.address)

    for version in ("s3", "s3v4"):  # signature version 2 and 4
        config = Config(signature_version=version)
        viewer = session_of(aws, "viewers")[0].client("s3", endpoint_url=aws.address, config=config)
        allowed = viewer.generate_presigned_url("get_object", key)
        refused = viewer.generate_presigned_url("put_object", key)
        assert requests.get(allowed, timeout=10).status_code == 200
        assert requests.put(refused, data=b"x", timeout=10).status_code == 403
    assert developer.put_object(Bucket=BUCKET, Key="anything", Body=b"")
    assert developer.delete_object(Bucket=BUCKET, Key="anything")


@pytest.mark.parametrize("key", ["ASIA" + "0" * 16, "of-the-user"])
def test_keys_with_another_session_token_are_refused(key, aws):
    found = exchanged(aws, aws.sign_in(aws.users["second"], "id"))["Credentials"]
    name = found["AccessKeyId"] if key == "of-the-user" else key
    session = boto3.Session(name, found["SecretKey"], "another", "us-east-1")

    s3 = session.client("s3", endpoint_url=aws.address)

    assert refusal(s3.list_objects_v2, Bucket=BUCKET) == "ExpiredToken"


def test_keys_of_an_assumed_role_pass_with_their_own_token_until_they_end(aws):
    sts = boto3.client("sts", endpoint_url=aws.address)
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="ada", DurationSeconds=900)["Credentials"]

    def s3(token):
        given = keys["AccessKeyId"], keys["SecretAccessKey"], token, "us-east-1"
        return boto3.Session(*given).client("s3", endpoint_url=aws.address)

    own = s3(keys["SessionToken"])
    assert own.list_buckets()["Buckets"]
    for token in ("another", None):
        assert refusal(s3(token).list_buckets) == "ExpiredToken"
    later = keys["Expiration"].replace(tzinfo=None)
    with patch("moto.core.utils.utcnow", lambda: later):
        assert refusal(own.list_buckets) == "ExpiredToken"


def test_keys_end_after_an_hour(aws):
    s3 = client_of(aws, "second")
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"]

    later = time.time() + 3601
    with patch.object(roles.time, "time", lambda: later):
        assert refusal(s3.list_objects_v2, Bucket=BUCKET) == "ExpiredToken"


def test_the_role_is_that_of_the_first_group_and_an_ambiguous_one_is_refused(aws):
    (user,) = aws.add_users(["viewers"], newcomer=False)
    who = {"UserPoolId": aws.pool_id, "Username": user.name}
    aws._cognito.admin_add_user_to_group(**who, GroupName="editors")
    issuer = Issuer(aws.client_id)
    name = next(person.username for person in issuer.people() if person.name == user.name)

    def role():
        """By moto's own token, and by one that names the roles."""
        tokens = aws.sign_in(user, "id"), issuer.sign_in(name, ("openid",), None)["id_token"]
        keys = [exchanged(aws, token)["Credentials"] for token in tokens]
        return {_role_of(aws, each) for each in keys}

    assert role() == {"editors"}
    aws._cognito.admin_add_user_to_group(**who, GroupName="second")
    for token in (aws.sign_in(user, "id"), issuer.sign_in(name, ("openid",), None)["id_token"]):
        assert refusal(lambda token=token: exchanged(aws, token)) == "NotAuthorizedException"


def _role_of(aws, keys):
    session = boto3.Session(keys["AccessKeyId"], keys["SecretKey"], keys["SessionToken"])
    s3 = session.client("s3", "us-east-1", endpoint_url=aws.address)
    with pytest.raises(ClientError) as caught:
        s3.list_buckets()
    return str(caught.value).partition("assumed-role/")[2].partition("/")[0]


def test_only_a_good_token_of_a_user_with_a_role_is_exchanged(aws):
    good = aws.sign_in(aws.users["editors"], "id")
    head, payload, signature = good.split(".")
    bad = [
        aws.sign_in(aws.users[None], "id"),
        aws.sign_in(aws.users["editors"], "access"),
        f"{head}.{payload}.{signature[::-1]}",
        "a.b.c",
    ]
    for token in bad:
        assert refusal(lambda token=token: exchanged(aws, token)) == "NotAuthorizedException"
    logins = {f"cognito-idp.us-east-1.amazonaws.com/{aws.pool_id}": good}
    other = session_of(aws, "viewers")[1]
    call = identity(aws).get_credentials_for_identity
    assert refusal(call, IdentityId=other, Logins=logins) == "NotAuthorizedException"
    assert refusal(call, IdentityId=other) == "NotAuthorizedException"


def test_the_number_of_kept_keys_is_bounded(aws):
    made = roles.Roles(lambda *_: [])
    for _ in range(roles.MOST + 5):
        made._give(f"arn:aws:iam::{ACCOUNT}:role/r", "us-east-1:i", aws.identity_pool_id, "client")

    assert len(made._keys) == roles.MOST
