"""One pool's users and groups, read page by page; every way to ask costs what it says.

Source: Cognito API reference; `ListUsers` and `ListUsersInGroup` share 30 calls a second with
everybody else in the account and region, so they are kept below that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cognises.errors import ManifestError, SettingsError
from cognises.manifest import load_groups
from cognises.provisioning.aws import RateLimiter, error_code, fail_fast, limit, on_loopback
from cognises.provisioning.target import Target
from cognises.provisioning.users.person import (
    Pool,
    User,
    UserProblem,
    matching_names,
    pool_of,
    user_of,
)

A_PAGE = 60  # Cognito's most, of users and of groups
READS_A_SECOND = 20.0
NO_USER, NO_GROUP = "UserNotFoundException", "ResourceNotFoundException"


class Directory:
    """The users and groups of one pool. Make it with `open`."""

    def __init__(self, cognito: Any, pool: Pool, target: Target) -> None:
        self.cognito, self.pool, self.target = cognito, pool, target

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
        return cls(cognito, pool_of(found), target)

    # People

    def user(self, name: str) -> User:
        """The user of a name, or of an e-mail where the pool signs people in by it.

        One call; raises UserProblem where there is none.
        """
        found = self.find(name)
        if found is None:
            raise UserProblem(
                [f"no user {name} in user pool {self.pool.id}; `provision.py users list` shows all"]
            )
        return found

    def find(self, name: str) -> User | None:
        """The same, or None. Raises UserProblem for a name that is somebody's alias only."""
        try:
            found = user_of(self.cognito.admin_get_user(UserPoolId=self.pool.id, Username=name))
        except Exception as error:
            if error_code(error) != NO_USER:
                raise
            is_helped = self.pool.found_by_email and "@" in name and on_loopback(self.cognito)
            return self._by_email(name) if is_helped else None
        if not self.pool.found_by_email and name.casefold() not in found.names:
            raise UserProblem(
                [
                    f"{name} is what user {found.name} calls themselves, and no user name; "
                    f"if you mean them, name {found.name}"
                ]
            )
        return found

    def all(self) -> Iterator[User]:
        """Every user, sixty a call."""
        return self._pages("list_users")

    def members(self, group: str) -> Iterator[User]:
        """The members of a group, sixty a call. Raises UserProblem where there is no such group."""
        try:
            yield from self._pages("list_users_in_group", GroupName=group)
        except Exception as error:
            raise self.explained(error, group) from error

    def _by_email(self, email: str) -> User | None:
        """AWS finds people by e-mail itself, its own alone; some emulators do not find any."""
        quoted = email.replace("\\", "\\\\").replace('"', '\\"')
        found = list(self._pages("list_users", Filter=f'email = "{quoted}"'))
        if len(found) > 1:
            names = ", ".join(user.name for user in found)
            raise UserProblem([f"several users have the e-mail {email}; name one: {names}"])
        return found[0] if found else None

    def _pages(self, method: str, **arguments: Any) -> Iterator[User]:
        pages = self.cognito.get_paginator(method).paginate(
            UserPoolId=self.pool.id, PaginationConfig={"PageSize": A_PAGE}, **arguments
        )
        return (user_of(each) for page in pages for each in page["Users"])

    # Groups

    def groups(self) -> list[str]:
        """The names of all groups, sixty a call."""
        return self._group_names("list_groups")

    def groups_of(self, user: User) -> tuple[str, ...]:
        """The groups of one user; one call, for a hundred groups two."""
        return tuple(self._group_names("admin_list_groups_for_user", Username=user.name))

    def with_groups(self, users: list[User]) -> list[User]:
        """The users with their groups: by one call a user or by reading every group's members.

        Whichever is fewer calls; a pool of five thousand people in three groups costs pages of
        members, and not five thousand calls.
        """
        names = self.groups()
        if len(users) <= len(names):
            return [replace(user, groups=self.groups_of(user)) for user in users]
        found: dict[str, list[str]] = {user.name: [] for user in users}
        for group in names:
            for member in self.members(group):
                found.get(member.name, []).append(group)
        return [replace(user, groups=tuple(found[user.name])) for user in users]

    def raise_unless_groups(self, names: Collection[str]) -> None:
        """Pass where the pool has all of these groups, else UserProblem names each that is not.

        One call a name, and for the hint one more.
        """
        problems: list[str] = []
        for name in names:
            try:
                self.cognito.get_group(UserPoolId=self.pool.id, GroupName=name)
            except Exception as error:
                found = self.explained(error, name)
                if not isinstance(found, UserProblem):
                    raise
                problems += found.problems
        if problems:
            raise UserProblem(problems)

    def explained(self, error: Exception, group: str) -> Exception:
        """The error, or what it says about a group that is not there, with the remedy."""
        if error_code(error) != NO_GROUP:
            return error
        known, there = self.manifest_groups()[0], self.groups()
        if group in known:
            remedy = "groups.json has it; make it with `provision.py apply`"
        else:
            hint = matching_names(group, {*known, *there})
            remedy = f"groups.json does not know it either; {hint}"
        return UserProblem([f"no group {group} in user pool {self.pool.id}: {remedy}"])

    def manifest_groups(self) -> tuple[frozenset[str], list[str]]:
        """The names that groups.json has, and a warning where it cannot be read."""
        target = self.target
        try:
            groups = load_groups(target.groups_file, role_prefix=target.role_prefix)
        except ManifestError:
            name = target.groups_file.name
            return frozenset(), [f"{name} cannot be used; see `provision.py validate`"]
        return frozenset(group.name for group in groups), []

    def unlisted(self, groups: Collection[str]) -> list[str]:
        """Warnings for groups that groups.json does not name: no route is open to them."""
        known, warnings = self.manifest_groups()
        if warnings:
            return warnings
        file = self.target.groups_file.name
        return [
            f"group {name} is not in {file}: no route is open to it, and the AWS role it may carry "
            "is not this project's"
            for name in groups
            if name not in known
        ]

    def _group_names(self, method: str, **arguments: Any) -> list[str]:
        pages: Iterator[Mapping[str, Any]] = self.cognito.get_paginator(method).paginate(
            UserPoolId=self.pool.id, PaginationConfig={"PageSize": A_PAGE}, **arguments
        )
        return [str(each["GroupName"]) for page in pages for each in page["Groups"]]
