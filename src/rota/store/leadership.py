"""Who plans: one node of those that share the database, for a time that the database's own clock measures."""

from datetime import timedelta

from msgspec import Struct

from rota.store.connection import Connection, Dialect
from rota.store.nodes import KEY_SHARE, NOW

NAME = "planner"
# A change of hands does not come before the transactions of the holder that are under way, and nobody waits for it: a beat is
# to come through at once. Renewals do not mind them.
LOCK: dict[Dialect, str] = {"sqlite": "", "postgres": " FOR UPDATE SKIP LOCKED"}
FIRST = "INSERT INTO leadership (name, holder, term, expires_at) VALUES (?, ?, 1, {now} + ?) ON CONFLICT DO NOTHING"
RENEW = "UPDATE leadership SET expires_at = {now} + ? WHERE name = ? AND holder = ? RETURNING term"
FREE = "SELECT term, expires_at, {now} FROM leadership WHERE name = ? AND expires_at <= {now}{lock}"
TAKE = "UPDATE leadership SET holder = ?, term = ?, expires_at = {now} + ? WHERE name = ?"
HOLD = "SELECT 1 FROM leadership WHERE name = ? AND holder = ? AND term = ? AND expires_at > {now}{lock}"
RELEASE = "UPDATE leadership SET expires_at = {now} WHERE name = ? AND holder = ? AND expires_at > {now}"
CURRENT = "SELECT holder, term FROM leadership WHERE name = ? AND expires_at > {now}"
MICROSECOND = timedelta(microseconds=1)


class Lead(Struct, frozen=True):
    """What a node was given: the term it plans in, and for how long nobody had done so before."""

    term: int
    vacant: timedelta = timedelta(0)


def take_lead(c: Connection, holder: str, ttl: timedelta) -> Lead | None:
    """Renew what the holder has, or take what nobody has; None if another has it.

    Who comes back to what was its own keeps its term: nobody has planned since.
    """
    now, ttl_us = NOW[c.dialect], ttl // MICROSECOND
    renewed = c.row(RENEW.format(now=now), (ttl_us, NAME, holder))
    if renewed is not None:
        return Lead(renewed[0])
    if c.run(FIRST.format(now=now), (NAME, holder, ttl_us)):
        return Lead(1)
    free = c.row(FREE.format(now=now, lock=LOCK[c.dialect]), (NAME,))
    if free is None:
        return None
    term, expired_at, now_us = free
    c.run(TAKE.format(now=now), (holder, term + 1, ttl_us, NAME))
    return Lead(term + 1, timedelta(microseconds=now_us - expired_at))


def hold_lead(c: Connection, holder: str, term: int) -> bool:
    """Whether this holder plans in this term, and will until this transaction is over."""
    statement = HOLD.format(now=NOW[c.dialect], lock=KEY_SHARE[c.dialect])
    return c.row(statement, (NAME, holder, term)) is not None


def release_lead(c: Connection, holder: str) -> None:
    """Let another take it at once. Nothing happens if the holder does not have it."""
    c.run(RELEASE.format(now=NOW[c.dialect]), (NAME, holder))


def find_lead(c: Connection) -> tuple[str, int] | None:
    """Who plans now, and the term; None where nobody does."""
    row = c.row(CURRENT.format(now=NOW[c.dialect]), (NAME,))
    return None if row is None else (row[0], row[1])
