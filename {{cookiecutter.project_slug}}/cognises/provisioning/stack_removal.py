"""Deletes bootstrap's stack for `destroy`, and says what remains: always the user pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cognises.errors import ProvisionBlocked
from cognises.provisioning import names
from cognises.provisioning.stack_calls import Stack, read_stack, say
from cognises.provisioning.stacks import delete_stack, require_owned
from cognises.provisioning.target import Target


@dataclass(frozen=True)
class OwnStack:
    """The stack of this stage: it exists, it is ours, and its name was given."""

    client: Any
    stack: Stack
    pool_id: str

    @classmethod
    def find(cls, target: Target, named: str) -> OwnStack | None:
        """The stack, None if there is none. Raises ProvisionBlocked and botocore's errors."""
        ours = names.stack_name(target.role_prefix, "cognito")
        if named != ours:
            raise ProvisionBlocked([f"--stack {named}: this stage's stack is {ours}"])
        client = target.aws.client("cloudformation")
        stack = read_stack(client, ours)
        require_owned(stack, names.stack_tags(target.role_prefix))
        if not stack.exists:
            say(f"stack {ours} does not exist")
            return None
        return cls(client, stack, target.pool.id)

    def show(self) -> None:
        """Print what would be deleted."""
        say(
            f"stack {self.stack.name} will be deleted: app client, sign-in domain, identity pool, "
            "permissions boundary; sign-in stops working"
        )
        say(f"user pool {self.pool_id} and its users stay")

    def delete(self) -> None:
        """Delete it, wait, and print how to delete the pool. Raises StackFailed."""
        delete_stack(self.client, self.stack)
        say(f"stack {self.stack.name} is deleted")
        if self.stack.parameters.get("ExistingUserPoolId"):
            say(f"user pool {self.pool_id}, which was there before the stack, is unchanged")
        else:
            pool = f"--user-pool-id {self.pool_id} --region {self.client.meta.region_name}"
            say(
                f"user pool {self.pool_id} is retained and protected from deletion, because its "
                "users cannot be restored. To delete it with all its users:"
            )
            say(f"  aws cognito-idp update-user-pool {pool} --deletion-protection INACTIVE")
            say(f"  aws cognito-idp delete-user-pool {pool}")
        say(
            "remove COGNITO_CLIENT_ID, COGNITO_IDENTITY_POOL_ID, COGNITO_DOMAIN and "
            "COGNISES_PERMISSIONS_BOUNDARY from .env; with COGNITO_USER_POOL_ID left in it, "
            "bootstrap uses the pool again"
        )
