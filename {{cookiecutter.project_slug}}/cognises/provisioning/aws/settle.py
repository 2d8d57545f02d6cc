"""When something to be created is there already: our own lost answer, or somebody else's work.

A create call whose answer was lost is sent again by botocore and then finds its own work. That
is success exactly if what is there is what was to be made; otherwise it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cognises.errors import ProvisionBlocked
from cognises.provisioning.aws.clients import Clients
from cognises.provisioning.aws.retry import resilient
from cognises.provisioning.planning.calls import Call


def settle_existing(call: Call, clients: Clients) -> None:
    """Return if the existing role or group is the one to be made. Raises ProvisionBlocked."""
    arguments = call.arguments
    if call.method == "create_role":
        same = _role_tags(clients, arguments["RoleName"]) == _pairs(arguments["Tags"])
        name = f"role {arguments['RoleName']}"
    else:
        same = _group_role(clients, arguments) == arguments["RoleArn"]
        name = f"group {arguments['GroupName']}"
    if not same:
        raise ProvisionBlocked(
            [f"{name} was made by somebody else since the plan was computed; plan again"]
        )


def _role_tags(clients: Clients, name: str) -> dict[str, str]:
    found = resilient(lambda: clients.iam.get_role(RoleName=name), just_created=True)
    return _pairs(found["Role"].get("Tags", []))


def _group_role(clients: Clients, arguments: Mapping[str, Any]) -> object:
    named = {key: arguments[key] for key in ("GroupName", "UserPoolId")}
    return clients.cognito.get_group(**named)["Group"].get("RoleArn")


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}
