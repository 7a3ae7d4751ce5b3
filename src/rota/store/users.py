"""Users: people and agents."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from rota.core.actor import Actor, Right
from rota.core.errors import Conflict
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, to_us

UserKind = Literal["user", "agent"]

COLUMNS = "id, number, name, email, kind, password_hash, rights, created_at"
INSERT = """
    INSERT INTO users (id, name, email, kind, password_hash, rights, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING RETURNING number"""
FIND = f"SELECT {COLUMNS} FROM users WHERE id = ?"
FIND_BY_NAME = f"SELECT {COLUMNS} FROM users WHERE name = ?"
LIST = f"SELECT {COLUMNS} FROM users ORDER BY id"


class User(Struct, frozen=True, kw_only=True):
    """Someone who has a name here. `number` is for surfaces whose user ids are integers; `password_hash` may be absent."""

    id: str
    number: int
    name: str
    created_at: datetime
    kind: UserKind = "user"
    email: str | None = None
    password_hash: str | None = None
    rights: frozenset[Right] = frozenset()

    @property
    def actor(self) -> Actor:
        """The user as one who asks, without the limits of a credential."""
        return Actor(id=self.id, name=self.name, kind=self.kind, rights=frozenset(self.rights))


def insert_user(
    c: Connection,
    *,
    id: str,  # noqa: A002 - the name of the field
    name: str,
    created_at: datetime,
    kind: UserKind = "user",
    email: str | None = None,
    password_hash: str | None = None,
    rights: Iterable[Right] = (),
) -> User:
    """Store a new user. Conflict if the name is taken."""
    held = frozenset(rights)
    values = (id, name, email, kind, password_hash, to_text(sorted(held)), to_us(created_at))
    row = c.row(INSERT, values)
    if row is None:
        raise Conflict(f"there is a user named {name} already", hint="Choose another name.")
    return User(
        id=id, number=row[0], name=name, created_at=created_at, kind=kind, email=email, password_hash=password_hash, rights=held
    )


def find_user(c: Connection, user_id: str) -> User | None:
    return _user(c.row(FIND, (user_id,)))


def find_user_by_name(c: Connection, name: str) -> User | None:
    return _user(c.row(FIND_BY_NAME, (name,)))


def list_users(c: Connection) -> list[User]:
    """All of them, oldest first."""
    return [user for row in c.rows(LIST) if (user := _user(row)) is not None]


def _user(row: Row | None) -> User | None:
    if row is None:
        return None
    user_id, number, name, email, kind, password_hash, rights, created_at = row
    return User(
        id=user_id,
        number=number,
        name=name,
        created_at=from_us(created_at),
        kind=kind,
        email=email,
        password_hash=password_hash,
        rights=frozenset(from_text(rights)),
    )
