"""Keys: secrets that stand for a user. Each is shown once, when it is made."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from rota.core.actor import KEY_KINDS, Actor, KeyKind
from rota.core.errors import Invalid, Problem, Unauthorized, Unavailable
from rota.ops import reading
from rota.ops.context import Rota
from rota.ops.secrets import PREFIXES, hash_secret, new_secret
from rota.ops.users import get_user
from rota.store import credentials, projects
from rota.store.credentials import Credential
from rota.store.database import Connection

LONGEST_SCOPE = 100
# The APIs where such a limit means something; elsewhere a key that asks for it would be good for more than was meant.
WITH_SCOPES: tuple[KeyKind, ...] = ("native", "posthog")
WITH_PROJECTS: tuple[KeyKind, ...] = ("posthog",)
USE_NOTED_EACH = timedelta(minutes=10)


class NewKey(Struct, frozen=True, kw_only=True):
    """A key as it is shown, once. `id` is for taking it back."""

    id: str
    user_id: str
    kind: KeyKind
    secret: str


async def add_key(
    rota: Rota,
    actor: Actor,
    user: str,
    kind: str,
    *,
    scopes: Iterable[str] | None = None,
    project_ids: Sequence[int] | None = None,
) -> NewKey:
    """Make a key for a user (name or id). Needs `system.root`.

    Scopes and projects limit what the key is good for; without them it does what the user may. Raises Invalid, NotFound.
    """
    actor.require("system.root")
    known_kind, limits = _kind(kind), _scopes(scopes)
    _check_limits(known_kind, limits, project_ids)
    secret, key_id, now = new_secret(PREFIXES[known_kind]), rota.ids.new(), rota.clock.now()

    def write(c: Connection) -> NewKey:
        owner = get_user(c, user)
        _check_projects(c, project_ids)
        credentials.insert_credential(
            c,
            id=key_id,
            user_id=owner.id,
            kind=known_kind,
            hash=hash_secret(secret),
            created_at=now,
            scopes=limits,
            project_ids=project_ids,
        )
        return NewKey(id=key_id, user_id=owner.id, kind=known_kind, secret=secret)

    return await rota.database.write(write)


async def list_keys(rota: Rota, actor: Actor) -> list[Credential]:
    """All that are good for something, oldest first. Needs `system.root`."""
    actor.require("system.root")
    return await rota.database.read(lambda c: credentials.list_credentials(c, KEY_KINDS))


async def note_use(rota: Rota, kind: str, hashed: str) -> None:
    """A key was shown. That is remembered to within some minutes, and not at all while nothing can be written."""
    now = rota.clock.now()
    with suppress(Unavailable):
        await rota.database.write(lambda c: credentials.mark_used(c, kind, hashed, now, now - USE_NOTED_EACH))


async def revoke_key(rota: Rota, actor: Actor, key_id: str) -> bool:
    """Take a key back; it stops working at once, and so do streams that were opened with it: here, and on other servers as
    soon as they hear of it. False if it was taken back before. Needs `system.root`."""
    actor.require("system.root")
    now = rota.clock.now()
    user_id = await rota.database.write(lambda c: credentials.revoke(c, key_id, now))
    if user_id is not None:
        rota.bus.tell_rights(user_id)
    return user_id is not None


async def find_key_id(rota: Rota, actor: Actor, secret: str) -> str | None:
    """Which key a secret is; None for one that is good for nothing. Needs `system.root`."""
    actor.require("system.root")
    hashed = hash_secret(secret)
    return await rota.database.read(lambda c: credentials.find_id(c, hashed))


async def find_actor(rota: Rota, kind: str, hashed: str) -> Actor:
    """Who shows the secret of that kind and hash. Raises Unauthorized."""
    actor = await rota.database.read(lambda c: credentials.find_by_hash(c, kind, hashed))
    if actor is None:
        raise Unauthorized("this key is not known here, or was taken back", hint="an operator makes one with rota key add")
    return actor


def _kind(kind: str) -> KeyKind:
    for known in KEY_KINDS:
        if kind == known:
            return known
    raise Invalid.at("body.for", f"is not a kind of key; {reading.nearest(kind, list(KEY_KINDS))}", reading.shown(kind))


def _scopes(scopes: Iterable[str] | None) -> list[str] | None:
    found = None if scopes is None else list(scopes)
    for scope in found or []:
        if not (1 <= len(scope) <= LONGEST_SCOPE and scope.isprintable() and " " not in scope):
            raise Invalid.at("body.scopes", "a scope is a word such as tasks:read", scope[:LONGEST_SCOPE])
    return found


def _check_limits(kind: KeyKind, scopes: Sequence[str] | None, project_ids: Sequence[int] | None) -> None:
    if scopes is not None and kind not in WITH_SCOPES:
        raise Invalid.at("body.scopes", f"keys for {kind} cannot be limited to scopes", list(scopes))
    if project_ids is not None and kind not in WITH_PROJECTS:
        raise Invalid.at("body.project_ids", f"keys for {kind} cannot be limited to projects", list(project_ids))


def _check_projects(c: Connection, project_ids: Sequence[int] | None) -> None:
    unknown = [number for number in project_ids or () if not 0 < number < 2**63 or projects.find_project(c, number) is None]
    if unknown:
        raise Invalid("unknown project", [Problem("body.project_ids", f"there is no project {number}") for number in unknown])
