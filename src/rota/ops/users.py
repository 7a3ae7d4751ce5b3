"""Users: people who have a name and keys here."""

from collections.abc import Iterable
from typing import cast

from rota.core.actor import RIGHTS, Actor, Right
from rota.core.errors import Invalid, NotFound, Problem, Unauthorized
from rota.ops import reading
from rota.ops.context import Rota
from rota.ops.passwords import LONGEST_PASSWORD, has_password, hash_in_thread
from rota.store import users
from rota.store.database import Connection
from rota.store.users import User

LONGEST_NAME = 100


async def add_user(
    rota: Rota, actor: Actor, name: str, *, email: str | None = None, rights: Iterable[str] = (), password: str | None = None
) -> User:
    """Make a user. Needs `system.root`. Raises Invalid at `body.<field>`, Conflict if the name is taken."""
    actor.require("system.root")
    held = list(rights)
    problems = [*_check_name(name), *_check_email(email), *_check_rights(held), *_check_password(password)]
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    hashed = await hash_in_thread(password) if password is not None else None
    user_id, now = rota.ids.new(), rota.clock.now()
    return await rota.database.write(
        lambda c: users.insert_user(
            c,
            id=user_id,
            name=name,
            created_at=now,
            email=email,
            password_hash=hashed,
            rights=cast("list[Right]", held),
        )
    )


async def list_users(rota: Rota, actor: Actor) -> list[User]:
    """All users, oldest first. Needs `system.root`."""
    actor.require("system.root")
    return await rota.database.read(users.list_users)


async def log_in(rota: Rota, name: str, password: str) -> User:
    """The user of a name and password. Raises Unauthorized, without telling which of the two is wrong."""
    found = await rota.database.read(lambda c: users.find_user_by_name(c, name)) if "\x00" not in name else None
    user = found if found is not None and found.kind == "user" else None
    is_right = await has_password(rota, user, password)
    if user is None or not is_right:
        raise Unauthorized("the name or the password is wrong")
    return user


def get_user(c: Connection, reference: str) -> User:
    """By name or id. Raises NotFound."""
    user = users.find_user_by_name(c, reference) or users.find_user(c, reference)
    if user is None:
        raise NotFound(f"there is no user {reference[:LONGEST_NAME]!r}", hint="rota user add makes one")
    return user


def _check_name(name: str) -> list[Problem]:
    if 1 <= len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip():
        return []
    return [Problem("body.name", f"must have from 1 to {LONGEST_NAME} printable characters, none of them a space at an end")]


def _check_email(email: str | None) -> list[Problem]:
    if email is None or (len(email) <= 254 and email.isprintable() and 0 < email.find("@") < len(email) - 1):
        return []
    return [Problem("body.email", "is not an e-mail address", reading.shown(email))]


def _check_rights(rights: list[str]) -> list[Problem]:
    known = list(RIGHTS)
    unknown = [right for right in rights if right not in known]
    return [Problem("body.rights", f"{right[:100]!r} is not a right; {reading.nearest(right, known)}") for right in unknown]


def _check_password(password: str | None) -> list[Problem]:
    if password is None or 1 <= len(password) <= LONGEST_PASSWORD:
        return []
    return [Problem("body.password", f"must have from 1 to {LONGEST_PASSWORD} characters")]
