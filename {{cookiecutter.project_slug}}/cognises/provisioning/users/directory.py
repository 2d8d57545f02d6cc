"""One pool's users and groups: read page by page, and written through one place.

Source: Cognito API reference; `ListUsers` and `ListUsersInGroup` share 30 calls a second with all
other callers in the account and region, so reads are kept below that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from cognises.errors import ManifestError, SettingsError
from cognises.manifest import load_groups
from cognises.provisioning.aws import RateLimiter, error_code, fail_fast, limit, on_loopback
from cognises.provisioning.options import announce
from cognises.provisioning.target import Target
from cognises.provisioning.users.model import Pool, User, UserProblem

A_PAGE = 60  # Cognito's most, of users and of groups
READS_A_SECOND = 20.0
NO_USER, NO_GROUP = "UserNotFoundException", "ResourceNotFoundException"


class Directory:
    """The users and groups of one pool. Create it with `open`."""

    def __init__(self, cognito: Any, pool: Pool, target: Target) -> None:
        self.cognito, self.pool, self.target = cognito, pool, target
        self._announced = False
        self._known_groups: set[str] = set()

    @classmethod
    def open(cls, target: Target) -> Directory:
        """Read the pool itself: one call. Raises botocore's errors."""
        cognito = target.aws.client("cognito-idp")
        fail_fast(cognito)
        reads = ("ListUsers", "ListUsersInGroup", "AdminListGroupsForUser")
        limit(cognito, RateLimiter(READS_A_SECOND), reads)
        found = cognito.describe_user_pool(UserPoolId=target.pool.id).get("UserPool", {})
        if found.get("Id") != target.pool.id:
            raise SettingsError(["what answered is not AWS; check AWS_ENDPOINT_URL and the proxy"])
        return cls(cognito, Pool.of(found), target)

    def write(self, call: Callable[..., Any], name: str, **arguments: Any) -> Any:
        """Make one call that changes a user; before the first, print account, region and caller.

        `name` is Cognito's own username where the user exists, not what was typed.
        """
        if not self._announced:
            announce(self.target.aws)
            self._announced = True
        return call(UserPoolId=self.pool.id, Username=name, **arguments)

    # Users

    def user(self, name: str) -> User:
        """The user of a name, or of an e-mail or phone number where people sign in by it.

        One call; raises UserProblem where there is none.
        """
        found = self.find(name)
        if found is None:
            raise UserProblem(
                [f"no user {name} in user pool {self.pool.id}; `provision.py users list` shows all"]
            )
        return found

    def find(self, name: str) -> User | None:
        """The same, or None. Raises UserProblem for a name that is only an alias of a user."""
        try:
            found = User.of(self.cognito.admin_get_user(UserPoolId=self.pool.id, Username=name))
        except Exception as error:
            if error_code(error) != NO_USER:
                raise
            attribute = self.pool.attribute_of(name)
            # AWS finds users by these attributes itself; some emulators do not.
            is_helped = attribute is not None and on_loopback(self.cognito)
            return self._only_one(attribute or "", name) if is_helped else None
        if not self.pool.is_named(found, name):
            raise UserProblem(
                [
                    f"{name} is an alias that user {found.name} chose, not a user name; "
                    f"if you mean this user, use {found.name}"
                ]
            )
        return found

    def having(self, attribute: str, value: str) -> list[User]:
        """The users with this value of an attribute; a page of them."""
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        found = self.cognito.list_users(
            UserPoolId=self.pool.id, Filter=f'{attribute} = "{quoted}"', Limit=A_PAGE
        )
        return [User.of(each) for each in found["Users"]]

    def all(self) -> Iterator[User]:
        """Every user, sixty a call; a page is requested when the one before it is used up."""
        return self._pages("list_users")

    def members(self, group: str) -> Iterator[User]:
        """The members of a group, sixty a call. Raises UserProblem where there is no such group."""
        try:
            yield from self._pages("list_users_in_group", GroupName=group)
        except Exception as error:
            if error_code(error) != NO_GROUP:
                raise
            raise UserProblem([self._no_group(group)]) from error

    def _only_one(self, attribute: str, value: str) -> User | None:
        found = self.having(attribute, value)
        if len(found) > 1:
            names = ", ".join(user.name for user in found)
            raise UserProblem([f"several users have the {attribute} {value}; use a name: {names}"])
        return found[0] if found else None

    def _pages(self, method: str, **arguments: Any) -> Iterator[User]:
        pages = self.cognito.get_paginator(method).paginate(
            UserPoolId=self.pool.id, PaginationConfig={"PageSize": A_PAGE}, **arguments
        )
        return (User.of(each) for page in pages for each in page["Users"])

    # Groups

    def groups(self) -> list[str]:
        """The names of all groups, sixty a call."""
        return self._group_names("list_groups")

    def groups_of(self, user: User) -> tuple[str, ...]:
        """The groups of one user; one call, for a hundred groups two."""
        return tuple(self._group_names("admin_list_groups_for_user", Username=user.name))

    def with_groups(self, users: Iterator[User]) -> Iterator[User]:
        """The users with their groups, by one call a user or by reading every group's members.

        Whichever needs fewer calls for the number of users that Cognito estimates.
        """
        names = self.groups()
        if self.pool.estimated_users <= len(names):
            for user in users:
                yield replace(user, groups=self.groups_of(user))
            return
        found: dict[str, list[str]] = {}
        for group in names:
            for member in self.members(group):
                found.setdefault(member.name, []).append(group)
        for user in users:
            yield replace(user, groups=tuple(found.get(user.name, ())))

    def group_problems(self, names: Collection[str]) -> list[str]:
        """One line for each group that the pool does not have. One call a name, the first time."""
        problems = []
        for name in names:
            try:
                if name not in self._known_groups:
                    self.cognito.get_group(UserPoolId=self.pool.id, GroupName=name)
                self._known_groups.add(name)
            except Exception as error:
                if error_code(error) != NO_GROUP:
                    raise
                problems.append(self._no_group(name))
        return problems

    def _no_group(self, group: str) -> str:
        known, existing = self.manifest_groups(), sorted(self.groups())
        if group in (known or ()):
            remedy = "groups.json has it; create it with `provision.py apply`"
        else:
            close = get_close_matches(group, existing, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"there are: {', '.join(existing[:10])}"
            )
            remedy = (
                f"groups.json does not have it either; {hint if existing else 'there are none'}"
            )
        return f"no group {group} in user pool {self.pool.id}: {remedy}"

    def manifest_groups(self) -> frozenset[str] | None:
        """The names in groups.json; None where it cannot be read."""
        target = self.target
        try:
            groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
        except ManifestError:
            return None
        return frozenset(group.name for group in groups)

    def group_warnings(self, groups: Collection[str]) -> list[str]:
        """A warning for each group that groups.json does not name: no route is open to it."""
        file, known = self.target.groups_file.name, self.manifest_groups() if groups else ()
        if known is None:
            return [f"{file} cannot be used; see `provision.py validate`"]
        return [
            f"group {name} is not in {file}: no route is open to it, and its AWS role, if any, is "
            "not this project's"
            for name in groups
            if name not in known
        ]

    def _group_names(self, method: str, **arguments: Any) -> list[str]:
        pages: Iterator[Mapping[str, Any]] = self.cognito.get_paginator(method).paginate(
            UserPoolId=self.pool.id, PaginationConfig={"PageSize": A_PAGE}, **arguments
        )
        return [str(each["GroupName"]) for page in pages for each in page["Groups"]]
