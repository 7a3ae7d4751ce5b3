"""Credentials: the hash of a secret, and who shows it."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from rota.core.actor import Actor
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, from_us_or_none, to_us

INSERT = """
    INSERT INTO credentials (id, user_id, kind, hash, scopes, project_ids, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"""
# Who shows a secret of that kind; a revoked one is nobody's, and so is that of a user who is gone.
FIND = """
    SELECT users.id, users.name, users.kind, users.rights, credentials.scopes, credentials.project_ids
    FROM credentials JOIN users ON users.id = credentials.user_id
    WHERE credentials.hash = ? AND credentials.kind = ? AND credentials.revoked_at IS NULL AND users.removed_at IS NULL"""
FIND_ID = "SELECT id FROM credentials WHERE hash = ? AND revoked_at IS NULL"
REVOKE_ALL = "UPDATE credentials SET revoked_at = ? WHERE user_id = ? AND kind = ? AND revoked_at IS NULL"
REVOKE = "UPDATE credentials SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL RETURNING user_id"
USED = """
    UPDATE credentials SET used_at = ? WHERE hash = ? AND kind = ? AND revoked_at IS NULL AND COALESCE(used_at, 0) < ?"""
LIST = """
    SELECT credentials.id, users.name, credentials.kind, credentials.scopes, credentials.project_ids, credentials.created_at,
        credentials.used_at
    FROM credentials JOIN users ON users.id = credentials.user_id
    WHERE credentials.revoked_at IS NULL AND users.removed_at IS NULL AND credentials.kind IN ({values})"""


class Credential(Struct, frozen=True, kw_only=True):
    """What is known of a secret that can be shown; the secret itself is not.

    used_at  when it was shown for the last time, to within some minutes; None if it never was, or before that was written down
    """

    id: str
    user: str
    kind: str
    scopes: list[str] | None
    project_ids: list[int] | None
    created_at: datetime
    used_at: datetime | None


def insert_credential(
    c: Connection,
    *,
    id: str,  # noqa: A002 - the name of the field
    user_id: str,
    kind: str,
    hash: str,  # noqa: A002 - the name of the field
    created_at: datetime,
    scopes: Iterable[str] | None = None,
    project_ids: Iterable[int] | None = None,
) -> None:
    """Store a credential. `scopes` and `project_ids` limit what it is good for; None does not."""
    limits = tuple(None if limit is None else to_text(sorted(limit)) for limit in (scopes, project_ids))
    c.run(INSERT, (id, user_id, kind, hash, *limits, to_us(created_at)))


def find_by_hash(c: Connection, kind: str, hash: str) -> Actor | None:  # noqa: A002 - the name of the field
    """Who shows a secret with that hash; None if nobody may."""
    row = c.row(FIND, (hash, kind))
    if row is None:
        return None
    user_id, name, user_kind, rights, scopes, project_ids = row
    return Actor(
        id=user_id,
        name=name,
        kind=user_kind,
        rights=frozenset(from_text(rights)),
        scopes=None if scopes is None else frozenset(from_text(scopes)),
        project_ids=None if project_ids is None else frozenset(from_text(project_ids)),
    )


def list_credentials(c: Connection, kinds: Iterable[str]) -> list[Credential]:
    """Of these kinds, that neither they nor their users are gone, oldest first."""
    return sorted((_credential(row) for row in c.batch(LIST, "text", [(kind,) for kind in kinds])), key=lambda each: each.id)


def mark_used(c: Connection, kind: str, hash: str, at: datetime, before: datetime) -> None:  # noqa: A002 - the name of the field
    """It was shown now; written down if the last time that was is earlier than `before`."""
    c.run(USED, (to_us(at), hash, kind, to_us(before)))


def find_id(c: Connection, hash: str) -> str | None:  # noqa: A002 - the name of the field
    """Which credential a secret with that hash is, unless it has ended."""
    row = c.row(FIND_ID, (hash,))
    return None if row is None else str(row[0])


def revoke_all(c: Connection, user_id: str, kind: str, at: datetime) -> int:
    """End all credentials of a kind that a user has. Returns how many."""
    return c.run(REVOKE_ALL, (to_us(at), user_id, kind))


def revoke(c: Connection, credential_id: str, at: datetime) -> str | None:
    """End a credential. Returns whose it was; None if there is none, or it has ended."""
    row = c.row(REVOKE, (to_us(at), credential_id))
    return None if row is None else str(row[0])


def _credential(row: Row) -> Credential:
    id_, user, kind, scopes, project_ids, created_at, used_at = row
    return Credential(
        id=id_, user=user, kind=kind, scopes=from_text(scopes) if scopes else None,
        project_ids=from_text(project_ids) if project_ids else None, created_at=from_us(created_at),
        used_at=from_us_or_none(used_at),
    )  # fmt: skip
