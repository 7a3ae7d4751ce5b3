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
# The scope that is everything.
ADMIN = "admin"

COLUMNS = "id, number, name, email, kind, password_hash, rights, created_at, scopes, webhook_url"
INSERT = """
    INSERT INTO users (id, name, email, kind, password_hash, rights, created_at, scopes, webhook_url)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING RETURNING number"""
FIND = f"SELECT {COLUMNS} FROM users WHERE id = ? AND removed_at IS NULL"
FIND_BY_NAME = f"SELECT {COLUMNS} FROM users WHERE name = ? AND removed_at IS NULL"
LIST = f"SELECT {COLUMNS} FROM users WHERE removed_at IS NULL ORDER BY id"
AGENTS = f"SELECT {COLUMNS} FROM users WHERE kind = 'agent' AND removed_at IS NULL ORDER BY created_at DESC, id DESC"
UPDATE_AGENT = "UPDATE users SET name = ?, scopes = ?, webhook_url = ? WHERE id = ? AND kind = 'agent'"
GET = f"SELECT {COLUMNS} FROM users WHERE id IN ({{values}})"
NAMES = "SELECT id, name FROM users WHERE id IN ({values})"
UPDATE_HASH = "UPDATE users SET password_hash = ? WHERE id = ?"
REPLACE_HASH = f"{UPDATE_HASH} AND password_hash = ?"
# What it owns stays in the history; its name is free again.
REMOVE = (
    "UPDATE users SET removed_at = ?, name = id, password_hash = NULL, webhook_url = NULL WHERE id = ? AND removed_at IS NULL"
)


class User(Struct, frozen=True, kw_only=True):
    """Someone who has a name here. `number` is for surfaces whose user ids are integers; `password_hash` may be absent.

    scopes       of an agent: what it may do; `admin` is everything
    webhook_url  of an agent: is told of its tasks' failures
    """

    id: str
    number: int
    name: str
    created_at: datetime
    kind: UserKind = "user"
    email: str | None = None
    password_hash: str | None = None
    rights: frozenset[Right] = frozenset()
    scopes: tuple[str, ...] | None = None
    webhook_url: str | None = None

    @property
    def actor(self) -> Actor:
        """The user as one who asks, without the limits of a credential."""
        rights: frozenset[str] = frozenset(self.rights)
        if self.kind != "agent":
            return Actor(id=self.id, name=self.name, kind=self.kind, rights=rights)
        scopes = None if self.scopes is None else frozenset(self.scopes)
        held = rights | {"system.root"} if scopes and ADMIN in scopes else rights
        return Actor(id=self.id, name=self.name, kind="agent", rights=held, scopes=scopes)


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
    scopes: Iterable[str] | None = None,
    webhook_url: str | None = None,
) -> User:
    """Store a new user. Conflict if the name is taken."""
    held, limits = frozenset(rights), None if scopes is None else tuple(scopes)
    values = (id, name, email, kind, password_hash, to_text(sorted(held)), to_us(created_at), _list(limits), webhook_url)
    row = c.row(INSERT, values)
    if row is None:
        raise _name_taken(name)
    return User(
        id=id, number=row[0], name=name, created_at=created_at, kind=kind, email=email, password_hash=password_hash,
        rights=held, scopes=limits, webhook_url=webhook_url,
    )  # fmt: skip


def find_user(c: Connection, user_id: str) -> User | None:
    return _user(c.row(FIND, (user_id,)))


def find_user_by_name(c: Connection, name: str) -> User | None:
    return _user(c.row(FIND_BY_NAME, (name,)))


def list_users(c: Connection) -> list[User]:
    """All of them, oldest first."""
    return [user for row in c.rows(LIST) if (user := _user(row)) is not None]


def list_agents(c: Connection) -> list[User]:
    """All agents, newest first."""
    return [user for row in c.rows(AGENTS) if (user := _user(row)) is not None]


def get_users(c: Connection, ids: Iterable[str]) -> dict[str, User]:
    """Those of the users that there are or were, by id."""
    return {row[0]: user for row in c.batch(GET, "text", [(user_id,) for user_id in set(ids)]) if (user := _user(row))}


def list_names(c: Connection, ids: Iterable[str]) -> dict[str, str]:
    """The names of those of the users that there are or were, by id."""
    return dict(c.batch(NAMES, "text", [(user_id,) for user_id in set(ids)]))


def update_agent(c: Connection, agent: User) -> None:
    """Write its name, scopes and webhook. Raises Conflict if the name is another's."""
    holder = find_user_by_name(c, agent.name)
    if holder is not None and holder.id != agent.id:
        raise _name_taken(agent.name)
    c.run(UPDATE_AGENT, (agent.name, _list(agent.scopes), agent.webhook_url, agent.id))


def update_password(c: Connection, user_id: str, password_hash: str | None) -> None:
    c.run(UPDATE_HASH, (password_hash, user_id))


def replace_password(c: Connection, user_id: str, before: str, after: str) -> bool:
    """Whether it still was that one."""
    return c.run(REPLACE_HASH, (after, user_id, before)) == 1


def remove_user(c: Connection, user_id: str, at: datetime) -> bool:
    """Take a user out; what it owned is to be dealt with before. False if there is none."""
    return c.run(REMOVE, (to_us(at), user_id)) == 1


def _name_taken(name: str) -> Conflict:
    return Conflict(f"there is a user named {name} already", hint="choose another name")


def _list(words: Iterable[str] | None) -> str | None:
    return None if words is None else to_text(list(words))


def _user(row: Row | None) -> User | None:
    if row is None:
        return None
    user_id, number, name, email, kind, password_hash, rights, created_at, scopes, webhook_url = row
    return User(
        id=user_id,
        number=number,
        name=name,
        created_at=from_us(created_at),
        kind=kind,
        email=email,
        password_hash=password_hash,
        rights=frozenset(from_text(rights)),
        scopes=None if scopes is None else tuple(from_text(scopes)),
        webhook_url=webhook_url,
    )
