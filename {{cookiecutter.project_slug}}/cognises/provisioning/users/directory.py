"""One pool's users and groups: read page by page, and written through one place."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from cognises.errors import ManifestError, ProblemsError, SettingsError
from cognises.manifest import load_groups
from cognises.provisioning.aws import RateLimiter, limit, on_loopback
from cognises.provisioning.target import Options, Target, announce, read_target
from cognises.users import User, filter_by, is_email, is_phone

A_PAGE = 60  # Cognito's most, of users and of groups
READS_A_SECOND = 20.0  # of the 30 that all callers in the account and region share
READS = ("ListUsers", "ListUsersInGroup", "AdminListGroupsForUser")


class UserProblem(ProblemsError):
    """A name that does not exist, or an action that is not possible; one line each."""


class Directory:
    """The users and groups of one pool. Create it with `open`. Methods raise botocore's errors."""

    def __init__(self, cognito: Any, pool: Mapping[str, Any], target: Target) -> None:
        self.cognito, self.target = cognito, target
        self.pool_id = str(pool["Id"])
        # What people sign in by; no aliases: anybody may claim another user's e-mail as one.
        self.names = tuple(pool.get("UsernameAttributes") or ())
        policy = (pool.get("Policies") or {}).get("PasswordPolicy") or {}
        self.minimum_password = int(policy.get("MinimumLength", 8))
        self._estimated_users = int(pool.get("EstimatedNumberOfUsers") or 0)
        self._known_groups: set[str] = set()
        self._announced = False

    @classmethod
    def open(cls, options: Options) -> "Directory":
        """Read the pool itself: one call. Raises SettingsError."""
        target = read_target(options)
        cognito = target.aws.client("cognito-idp")
        limit(cognito, RateLimiter(READS_A_SECOND), READS)
        found = cognito.describe_user_pool(UserPoolId=target.pool.id).get("UserPool", {})
        if found.get("Id") != target.pool.id:
            raise SettingsError(["what answered is not AWS; check AWS_ENDPOINT_URL and the proxy"])
        return cls(cognito, found, target)

    def attribute_of(self, name: str) -> str | None:
        """The attribute that a name is in this pool; None in a pool of user names."""
        shapes = {"email": is_email, "phone_number": is_phone}
        return next((each for each in self.names if shapes[each](name)), None)

    def write(self, operation: str, name: str, **arguments: Any) -> Any:
        """One change of the user with this Cognito name; the first prints account and caller."""
        if not self._announced:
            announce(self.target.aws)
            self._announced = True
        call = getattr(self.cognito, operation)
        return call(UserPoolId=self.pool_id, Username=name, **arguments)

    def user(self, name: str) -> User:
        """The same as `find`; raises UserProblem where there is no such user."""
        if found := self.find(name):
            return found
        shown = "`provision.py users list` shows all"
        raise UserProblem([f"no user {name} in user pool {self.pool_id}; {shown}"])

    def find(self, name: str) -> User | None:
        """The user of a name, e-mail or number to sign in by. Raises UserProblem for an alias."""
        try:
            found = User.of(self.cognito.admin_get_user(UserPoolId=self.pool_id, Username=name))
        except self.cognito.exceptions.UserNotFoundException:
            return self._find_on_emulator(name)
        attributes = (found.attributes.get(each, "") for each in ("sub", *self.names))
        if name.casefold() not in {each.casefold() for each in (found.name, *attributes)}:
            alias = f"an alias that user {found.name} chose, not a user name"
            raise UserProblem([f"{name} is {alias}; if you mean this user, use {found.name}"])
        return found

    def _find_on_emulator(self, name: str) -> User | None:
        """AWS finds users by e-mail and phone number itself; some emulators do not."""
        attribute = self.attribute_of(name) if on_loopback(self.cognito) else None
        found = self.having(attribute, name) if attribute else []
        if len(found) > 1:
            names = ", ".join(user.name for user in found)
            raise UserProblem([f"several users have {attribute} {name}; use a name: {names}"])
        return found[0] if found else None

    def having(self, attribute: str, value: str) -> list[User]:
        """The users with this value of an attribute; a page of them."""
        only = {"Filter": filter_by(attribute, value), "Limit": A_PAGE}
        return [*map(User.of, self.cognito.list_users(UserPoolId=self.pool_id, **only)["Users"])]

    def all(self) -> Iterator[User]:
        """Every user; a page is requested when the one before it is used up."""
        return map(User.of, self._pages("list_users", "Users"))

    def members(self, group: str) -> Iterator[User]:
        """The members of a group. Raises UserProblem where there is no such group."""
        try:
            yield from map(User.of, self._pages("list_users_in_group", "Users", GroupName=group))
        except self.cognito.exceptions.ResourceNotFoundException as error:
            raise UserProblem([self._no_group(group)]) from error

    def groups(self) -> list[str]:
        return [str(each["GroupName"]) for each in self._pages("list_groups", "Groups")]

    def groups_of(self, user: User) -> tuple[str, ...]:
        """The groups of one user; one call, for a hundred groups two."""
        found = self._pages("admin_list_groups_for_user", "Groups", Username=user.name)
        return tuple(str(each["GroupName"]) for each in found)

    def with_groups(self, users: Iterator[User]) -> Iterator[User]:
        """The users with their groups: by a call a user, or by a group where that is less."""
        names = self.groups()
        if self._estimated_users <= len(names):
            return (replace(user, groups=self.groups_of(user)) for user in users)
        found: dict[str, list[str]] = {}
        for group in names:
            for member in self.members(group):
                found.setdefault(member.name, []).append(group)
        return (replace(user, groups=tuple(found.get(user.name, ()))) for user in users)

    def group_problems(self, names: Iterable[str]) -> list[str]:
        """One line for each group that the pool does not have. One call a name, the first time."""
        problems = []
        for name in names:
            try:
                if name not in self._known_groups:
                    self.cognito.get_group(UserPoolId=self.pool_id, GroupName=name)
                self._known_groups.add(name)
            except self.cognito.exceptions.ResourceNotFoundException:
                problems.append(self._no_group(name))
        return problems

    def _no_group(self, group: str) -> str:
        problem, existing = f"no group {group} in user pool {self.pool_id}", sorted(self.groups())
        if group in (self._manifest_groups() or ()):
            return f"{problem}: groups.json has it; create it with `provision.py apply`"
        hint = f"there are: {', '.join(existing[:10]) or 'none'}"
        for close in get_close_matches(group, existing, n=1):
            hint = f"did you mean {close}?"
        return f"{problem}: groups.json does not have it either; {hint}"

    def group_warnings(self, groups: Iterable[str]) -> list[str]:
        """A warning for each group that groups.json does not name: no route is open to it."""
        file, known = self.target.groups_file.name, self._manifest_groups() if groups else ()
        if known is None:
            return [f"{file} cannot be used; see `provision.py validate`"]
        why = "no route is open to it, and its AWS role, if any, is not this project's"
        return [f"group {name} is not in {file}: {why}" for name in groups if name not in known]

    def _manifest_groups(self) -> list[str] | None:
        file, prefix = self.target.groups_file, self.target.role_prefix
        try:
            return [group.name for group in load_groups(file, role_prefix=prefix)]
        except ManifestError:
            return None

    def _pages(self, method: str, key: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        arguments |= {"UserPoolId": self.pool_id, "PaginationConfig": {"PageSize": A_PAGE}}
        pages = self.cognito.get_paginator(method).paginate(**arguments)
        return (each for page in pages for each in page[key])
