"""Deletes bootstrap's stack for `destroy`, and says what is left: the user pool, always."""

from __future__ import annotations

from dataclasses import dataclass

from cognises.errors import ProvisionBlocked
from cognises.provisioning import names
from cognises.provisioning.stacks.client import Stack, StackClient
from cognises.provisioning.stacks.engine import refuse_foreign, say, take_down
from cognises.provisioning.target import Target


@dataclass(frozen=True)
class OwnStack:
    """The stack of this stage, found, ours, and named by whoever wants it gone."""

    client: StackClient
    stack: Stack
    pool_id: str

    @classmethod
    def find(cls, target: Target, named: str) -> OwnStack | None:
        """The stack, None if there is none. Raises ProvisionBlocked and botocore's errors."""
        ours = names.stack_name(target.role_prefix, "cognito")
        if named != ours:
            raise ProvisionBlocked([f"--stack {named}: this stage's stack is {ours}"])
        client = StackClient(target.aws.client("cloudformation"))
        stack = client.describe(ours)
        refuse_foreign(stack, names.stack_tags(target.role_prefix))
        if not stack.exists:
            say(f"stack {ours}: there is none")
            return None
        return cls(client, stack, target.pool.id)

    def show(self) -> None:
        """Say what would go."""
        say(
            f"stack {self.stack.name} will be deleted: app client, sign-in domain, identity pool, "
            "permissions boundary; nobody can sign in any more"
        )
        say(f"user pool {self.pool_id} and its users stay")

    def delete(self) -> None:
        """Delete it, wait, and say how the pool goes. Raises StackFailed."""
        take_down(self.client, self.stack)
        say(f"stack {self.stack.name} is deleted")
        if self.stack.parameters.get("ExistingUserPoolId"):
            say(f"user pool {self.pool_id}, which was there before it, is as it was")
        else:
            self._say_how_the_pool_goes()
        say(
            "take COGNITO_CLIENT_ID, COGNITO_IDENTITY_POOL_ID, COGNITO_DOMAIN and "
            "COGNISES_PERMISSIONS_BOUNDARY out of .env; with COGNITO_USER_POOL_ID left in it, "
            "bootstrap builds upon the pool again"
        )

    def _say_how_the_pool_goes(self) -> None:
        say(
            f"user pool {self.pool_id} is kept: it is protected from deletion, since users cannot "
            "be made again. To delete it with all its users:"
        )
        pool = f"--user-pool-id {self.pool_id} --region {self.client.region}"
        say(f"  aws cognito-idp update-user-pool {pool} --deletion-protection INACTIVE")
        say(f"  aws cognito-idp delete-user-pool {pool}")
