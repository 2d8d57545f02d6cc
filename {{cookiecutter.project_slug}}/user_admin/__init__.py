"""Pages on which administrators manage the users of the pool, with their own AWS role.

`init_admin_pages(app)` adds `/admin`. AWS decides about every call by the role of the group of the
user who calls, and CloudTrail names that user. The service's own role needs no rights on the pool.
"""

import re

from flask import Blueprint, Flask, abort, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from cognises.errors import printable
from cognises.users import INVITED, User, filter_by, name_problems
from cognises.web.authorize import current_user
from cognises.web.credentials import is_same_origin
from cognises.web.decorators import Decorator, permission_required
from cognises.web.principal import Principal
from cognises.web.responses import page
from cognises.web.state import state_of
from user_admin import audit, changes
from user_admin.changes import CHANGES, INVITE, call
from user_admin.rights import manifest, permission_problem

__all__ = ["init_admin_pages"]

bp = Blueprint("admin", __name__, template_folder="templates")
A_PAGE = 20
_NEEDED = ("COGNITO_IDENTITY_POOL_ID", "COGNISES_FILES_BUCKET")
_SEARCH = {"email": "E-mail", "username": "User name", "name": "Name", "phone_number": "Phone"}
_TOKEN = re.compile(r"[!-~]{1,4096}")
# All pages share a name: a group opens all or none, and AWS decides what can be done there.
_guard: Decorator = permission_required(name="admin_panel")


def init_admin_pages(app: Flask) -> None:
    """Add `/admin` and the pages below it to `app`, before `Cognises(app)`.
    groups.json grants them by the name `admin_panel`. They need `COGNITO_IDENTITY_POOL_ID` and
    `COGNISES_FILES_BUCKET`, which keeps the record of changes. The pages extend the app's
    own `layout.html` where there is one.
    """
    app.register_blueprint(bp)


@bp.get("/admin")
@_guard
def admin_panel(response: Principal) -> str:
    """The users of the pool, a page at a time."""
    by, start = request.args.get("by", "email"), request.args.get("q", "").strip()
    token = request.args.get("page", "")
    problems = [] if by in _SEARCH else [f"by: choose one of {', '.join(_SEARCH)}"]
    if len(start) > 128 or not start.isprintable():
        problems.append("q: at most 128 characters, and no control characters")
    if token and not _TOKEN.fullmatch(token):
        problems.append("page: not a page of this list")
    _refuse(problems)
    only = {"Filter": filter_by(by, start, "^=")} if start else {}
    only |= {"PaginationToken": token} if token else {}
    missing = _missing()
    found = {"Users": []} if missing else call("list_users", Limit=A_PAGE, **only)
    return page(
        "user_admin/people.html", missing=missing, by=by, q=start, search=_SEARCH,
        is_later=bool(token), people=[User.of(each) for each in found["Users"]],
        next=found.get("PaginationToken"),
        groups=[group.name for group in manifest()], fault=_fault("invite"),
    )  # fmt: skip


@bp.get("/admin/person")
@_guard
def person(response: Principal) -> str:
    """One user: attributes, status, groups, and what can be changed."""
    name = request.args.get("user", "")
    _refuse(name_problems("user name", name))
    user = changes.find(name)
    groups = changes.groups_of(user)
    # A link of another site must not say that something was done.
    is_ours = is_same_origin(request, state_of(current_app).settings.public_origin)
    return page(
        "user_admin/person.html", user=user, groups=groups, is_own=changes.is_own(user),
        changes=CHANGES,
        others=[group.name for group in manifest() if group.name not in groups],
        offered=changes.offered(user), fault={name: _fault(name) for name in CHANGES},
        done=CHANGES.get(request.args.get("done", "")) if is_ours else None,
    )  # fmt: skip


@bp.post("/admin/change")
@_guard
def change(response: Principal) -> str | Response:
    """Ask for a confirmation that names user and change; with it, make the change."""
    action, name = request.form.get("action", ""), request.form.get("user", "").strip()
    groups = tuple(dict.fromkeys(request.form.getlist("group")))
    made = CHANGES.get(action) or abort(400, f"action: choose one of {', '.join(CHANGES)}")
    _refuse(changes.input_problems(made, name, groups))
    if missing := _missing():
        abort(409, f"Nothing was changed: {'; '.join(missing)}")
    is_new = made is INVITE
    user = User(name, INVITED, True, {"email": name}) if is_new else changes.find(name)
    warning = changes.warning(made, user, groups)
    is_understood = not warning or request.form.get("understood") == "yes"
    if request.form.get("confirmed") != "yes" or not is_understood:
        values = {"user": user, "groups": groups, "change": made, "is_new": is_new}
        return page("user_admin/confirm.html", action=action, warning=warning, **values)
    user = audit.recorded(action, user, groups, lambda: made.make(user, groups))
    return redirect(url_for("admin.person", user=user.name, done=action), 303)


@bp.get("/admin/audit")
@_guard
def audit_log(response: Principal) -> str:
    """The changes that were made here: who, what, whom and when; the newest first."""
    after = request.args.get("after", "")
    if after and not audit.KEY.fullmatch(after):
        abort(400, "after: not a page of this list")
    missing = _missing()
    entries, following = ([], None) if missing else audit.entries(after)
    values = {"entries": entries, "next": following, "changes": CHANGES}
    return page("user_admin/audit.html", missing=missing, **values)


def _refuse(problems: list[str]) -> None:
    """400 with every problem, if there is one."""
    if problems:
        abort(400, printable("; ".join(problems)))


def _missing() -> list[str]:
    """Which of the settings this service lacks, and whether AWS cannot take the user's token."""
    settings = state_of(current_app).settings
    values = dict(zip(_NEEDED, (settings.identity_pool_id, settings.files_bucket), strict=True))
    found = [f"{name} is not set: `provision.py bootstrap` writes it" for name in _NEEDED
             if not values[name]]  # fmt: skip
    if current_user.claims.get("token_use") != "id":
        found.append("AWS takes an ID token, and this request has an access token")
    return found


def _fault(name: str) -> str:
    """Why a change cannot be made with these settings or this role; empty: AWS decides."""
    missing = _missing()
    return "; ".join(missing) or permission_problem(CHANGES[name].action)
