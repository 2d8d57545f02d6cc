"""Ways around the filter of a session. The project of docs/database.md runs this file as a test.

Each attack runs in a session of Ada and aims at Eve's note. An error is a fine answer to it.
"""

from contextlib import suppress

import pytest
from sqlalchemy import create_engine, delete, func, literal_column, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, make_transient_to_detached

from app.database import TENANT_CLAIM, Note, Scope, engine

ADA, EVE = Scope("acme", "ada"), Scope("globex", "eve")
TABLE = Note.__table__
SECRET = "of eve"


@pytest.fixture
def eves_note(database_url):
    """The id of Eve's note, beside one of Ada's."""
    with engine(database_url).begin() as connection:
        connection.execute(text("TRUNCATE note RESTART IDENTITY"))
    for scope in (ADA, EVE):
        with Session(engine(database_url), info={"scope": scope}) as session, session.begin():
            note = Note(text=f"of {scope.owner}")
            session.add(note)
            session.flush()
            number = note.id
    return number


def detached(number):
    note = Note(id=number, text="taken", **ADA._asdict())
    make_transient_to_detached(note)
    return note


def attached(session, number):
    note = detached(number)
    session.add(note)
    return note


def change(session, note):
    note.text = "changed"
    session.flush()


def load(session, note):
    session.refresh(note)
    return note.text


def rows(session, *columns):
    return session.execute(select(*columns)).all()


def joined(session):
    other = TABLE.alias()
    query = select(Note.id, other.c.text).join(other, other.c.id != Note.id)
    return session.execute(query).all()


def save_detached(session, number):
    session.bulk_save_objects([detached(number)], update_changed_only=False)


def plant(session):
    session.bulk_insert_mappings(Note, [{"text": "planted", **EVE._asdict()}])


ALL = select(func.string_agg(TABLE.c.text, ",")).scalar_subquery()
RAW = text("(SELECT string_agg(text, ',') FROM note)")
OR = text("1 = 1 OR 1 = 1")

ATTACKS = {
    "OR in raw text": lambda s, eves: s.scalars(select(Note.text).where(OR)).all(),
    "OR in a literal column": lambda s, eves: s.scalars(
        select(Note.text).where(literal_column("1 = 1 OR 1 = 1"))
    ).all(),
    "DELETE with OR": lambda s, eves: s.execute(delete(Note).where(OR)),
    "UPDATE with OR": lambda s, eves: s.execute(update(Note).where(OR).values(text="taken")),
    "UPDATE by key": lambda s, eves: s.execute(update(Note), [{"id": eves, "text": "taken"}]),
    "bulk_update_mappings": lambda s, eves: s.bulk_update_mappings(
        Note, [{"id": eves, "text": "taken"}]
    ),
    "bulk_save_objects": save_detached,
    "bulk_insert_mappings": lambda s, eves: plant(s),
    "the table joined": lambda s, eves: joined(s),
    "the table in a subquery": lambda s, eves: rows(s, Note.id, ALL),
    "raw text as a column": lambda s, eves: rows(s, Note.id, RAW),
    "a row moved to another user": lambda s, eves: s.execute(update(Note).values(**EVE._asdict())),
    "a detached row read": lambda s, eves: load(s, attached(s, eves)),
    "a detached row changed": lambda s, eves: change(s, attached(s, eves)),
    "a detached row deleted": lambda s, eves: s.delete(attached(s, eves)),
    "a detached row merged": lambda s, eves: change(s, s.merge(detached(eves), load=False)),
    "raw SQL": lambda s, eves: s.connection().execute(text("SELECT text FROM note")).all(),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_reaches_its_own_rows_only(database_url, eves_note, attack):
    seen = None
    with (
        Session(engine(database_url), info={"scope": ADA}) as session,
        suppress(SQLAlchemyError),
    ):
        seen = attack(session, eves_note)
        session.commit()
    assert SECRET not in repr(seen)
    with Session(engine(database_url), info={"scope": EVE}) as session:
        assert session.execute(select(Note.id, Note.text)).all() == [(eves_note, SECRET)]


@pytest.mark.parametrize("role", ["test", "bypassing"], ids=["superuser", "BYPASSRLS"])
def test_a_role_to_which_no_policy_applies_is_refused(database_url, role):
    superuser = create_engine(database_url.replace("notes@", "test@"))
    with superuser.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS bypassing"))
        connection.execute(text("CREATE ROLE bypassing LOGIN BYPASSRLS"))
    ignored = create_engine(database_url.replace("notes@", f"{role}@"))
    with (
        Session(ignored, info={"scope": ADA}) as session,
        pytest.raises(PermissionError, match="superuser or has BYPASSRLS"),
    ):
        session.connection()


def test_a_key_that_exists_is_a_conflict(monkeypatch, as_user_of, eves_note):
    client = as_user_of("notes.*", sub=ADA.owner, **{TENANT_CLAIM: ADA.tenant})
    monkeypatch.setattr("app.notes.found", lambda session, key: session.merge(Note(id=key)))
    path = f"/notes/{eves_note}"
    assert client.put(path, json={"text": "taken"}).status_code == 409
