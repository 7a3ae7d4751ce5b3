"""Nodes: the servers that share the database, and when it last heard of each by its own clock."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.lease import holder_of
from rota.core.run import Run
from rota.core.silence import Silence
from rota.store.connection import Connection, Dialect, Row
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us
from rota.store.postgres import IN_PLACE, TAKE_PLACE
from rota.store.runrow import COLUMNS, from_row

# The moment by the database, in microseconds; inside a transaction too it is the moment of asking.
NOW: dict[Dialect, str] = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgres": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
}
# Until the transaction is over the row is not deleted; news of itself go on.
KEY_SHARE: dict[Dialect, str] = {"sqlite": "", "postgres": " FOR KEY SHARE"}
FIELDS = "id, name, kind, place, address, labels, capacity, busy, settings, lost_after, version, schema_number, clock_off, parts"
INSERT = f"""
    INSERT INTO nodes ({FIELDS}, started_at, seen_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {{now}}, {{now}})"""
BEAT = """
    UPDATE nodes SET seen_at = {now}, busy = ?, settings = ?, lost_after = COALESCE(?, lost_after), clock_off = ?
    WHERE id = ?"""
REFRESH = "UPDATE nodes SET seen_at = {now} WHERE place = ? RETURNING id"
LIST = f"SELECT {FIELDS}, started_at, seen_at, {{now}} - seen_at FROM nodes ORDER BY name, id"
DELETE_SILENT = "DELETE FROM nodes WHERE id = ? AND seen_at < {now} - lost_after"
MICROSECOND = timedelta(microseconds=1)
RENAME = "UPDATE runs SET node = ? WHERE COALESCE(node, ?) = COALESCE(?, node) AND started_at IS NOT NULL"
# Worked on by servers, and by none of those that are there.
LEFT = f"""
    SELECT {COLUMNS} FROM runs
    WHERE state = 'running' AND holder NOT LIKE ? AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = runs.holder)"""


class Node(Struct, frozen=True, kw_only=True):
    """A server as it says of itself.

    id        a new one each time it starts
    place     tells its data directory from all others; stays the same
    address   of its main listener
    capacity  runs at one time, instances of services beside them
    busy      how many are going on, those instances too
    settings  a checksum of the tasks that its settings file defines
    lost_after   it may be silent for so long, and has ended its work well before
    schema       the newest migration that it knows
    clock_off    how far its clock is ahead of the database's
    parts        a short checksum of each part of its settings, by name
    """

    id: str
    name: str
    kind: str = "server"
    place: str = ""
    address: str | None = None
    labels: list[str] = []
    capacity: int = 0
    busy: int = 0
    settings: str | None = None
    lost_after: timedelta = Silence().lost_after
    version: str | None = None
    schema: int | None = None
    clock_off: timedelta = timedelta()
    parts: dict[str, str] = {}


class Seen(Struct, frozen=True):
    """A node, and how long ago it was last heard of."""

    node: Node
    started_at: datetime
    seen_at: datetime
    silence: timedelta

    @property
    def is_lost(self) -> bool:
        """Whether it has been silent for longer than it said."""
        return self.silence > self.node.lost_after


def find_differences(own: Node, other: Node) -> list[str]:
    """What is another there, and should not be, of two servers; nothing of a worker, and of one that does not say."""
    if other.kind != "server" or other.id == own.id or (own.place and other.place == own.place):
        return []
    found = ["node"] if other.name == own.name else []
    found += ["settings"] if other.settings not in (own.settings, None) else []
    found += [f"settings.{part}" for part, checksum in own.parts.items() if other.parts.get(part, checksum) != checksum]
    return found + (["version"] if (other.version, other.schema) != (own.version, own.schema) else [])


def insert_node(c: Connection, node: Node) -> None:
    """It is there from now on."""
    values = (
        node.id, node.name, node.kind, node.place, node.address, to_text(node.labels), node.capacity, node.busy, node.settings,
        node.lost_after // MICROSECOND, node.version, node.schema, node.clock_off // MICROSECOND, to_text(node.parts),
    )  # fmt: skip
    c.run(INSERT.format(now=NOW[c.dialect]), values)


def beat(
    c: Connection,
    node_id: str,
    busy: int,
    settings: str | None,
    lost_after: timedelta | None = None,
    clock_off: timedelta = timedelta(),
) -> bool:
    """It lives, and says anew for how long it may be silent. False if it was given up: it holds nothing any more."""
    lost_after_us = None if lost_after is None else lost_after // MICROSECOND
    values = (busy, settings, lost_after_us, clock_off // MICROSECOND, node_id)
    return c.run(BEAT.format(now=NOW[c.dialect]), values) == 1


def set_capacity(c: Connection, node_id: str, capacity: int) -> None:
    """It has room for so many now."""
    c.run("UPDATE nodes SET capacity = ? WHERE id = ? AND capacity <> ?", (capacity, node_id, capacity))


def read_moment(c: Connection) -> datetime:
    """By the database's clock."""
    row = c.row(f"SELECT {NOW[c.dialect]}")
    assert row is not None  # noqa: S101  it always has one
    return from_us(row[0])


def refresh_place(c: Connection, place: str) -> list[str]:
    """Whoever has this data directory now looks after what these earlier ones have left: nobody else is to."""
    return [row[0] for row in c.rows(REFRESH.format(now=NOW[c.dialect]), (place,))]


def take_place(c: Connection, place: str, beat: timedelta) -> bool:
    """Whether a data directory is no other server's: either nobody is connected for it, or whoever is was not heard of lately."""
    taken = c.row(TAKE_PLACE, (IN_PLACE, place)) == (True,)
    return taken or not any(seen.node.place == place and seen.silence < 2 * beat for seen in list_nodes(c))


def hold_node(c: Connection, node_id: str) -> bool:
    """Whether it has not been given up, nor will be before this transaction is over."""
    return c.row(f"SELECT 1 FROM nodes WHERE id = ?{KEY_SHARE[c.dialect]}", (node_id,)) is not None


def list_nodes(c: Connection) -> list[Seen]:
    """All that are not given up, by name."""
    return [_seen(row) for row in c.rows(LIST.format(now=NOW[c.dialect]))]


def delete_silent(c: Connection, node_id: str) -> bool:
    """Give a node up that was silent for longer than it said. False if it was not, or was given up before."""
    return c.run(DELETE_SILENT.format(now=NOW[c.dialect]), (node_id,)) == 1


def delete_nodes(c: Connection, node_ids: Sequence[str]) -> None:
    for node_id in node_ids:
        c.run("DELETE FROM nodes WHERE id = ?", (node_id,))


def list_left_runs(c: Connection) -> list[Run]:
    """Running runs whose node was given up, oldest first. What a worker from outside has is its own."""
    return [from_row(row) for row in sorted(c.rows(LEFT, (holder_of("%"),)))]


def find_nodes_of(c: Connection, run_ids: Iterable[str]) -> dict[str, str]:
    """The name of the node that had a run's last attempt, for those runs that any had."""
    sql = "SELECT id, node FROM runs WHERE id IN ({values}) AND node IS NOT NULL"
    return dict(c.batch(sql, "text", [(run_id,) for run_id in run_ids]))


def rename_node(c: Connection, old: str | None, new: str | None) -> None:
    """The logs that the old one has, and those that no name was needed for, are the new one's; None as `old`: of all."""
    c.run(RENAME, (new, old, old))


def _seen(row: Row) -> Seen:
    id_, name, kind, place, address, labels, capacity, busy, settings = row[:9]
    lost_after, version, schema, clock_off, parts, started_at, seen_at, silence = row[9:]
    node = Node(
        id=id_, name=name, kind=kind, place=place, address=address, labels=from_text(labels), capacity=capacity, busy=busy,
        settings=settings, lost_after=lost_after * MICROSECOND, version=version, schema=schema,
        clock_off=clock_off * MICROSECOND, parts=from_text(parts),
    )  # fmt: skip
    return Seen(node, from_us(started_at), from_us(seen_at), silence * MICROSECOND)
