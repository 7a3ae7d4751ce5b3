"""Takes an installation over from SQLite to PostgreSQL. What it has done is not done again, however often it is killed."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from rota.core.errors import Conflict, Unavailable
from rota.store import copying, settings
from rota.store.connection import Connection, Row
from rota.store.copying import Digest
from rota.store.database import Database
from rota.store.moved import MOVE, mark_moved, refuse_moved

# No source has this name.
ANEW = "anew"
OnPage = Callable[[str, int], object]


class Moved(Struct, frozen=True, kw_only=True):
    """What there is now, by table."""

    tables: dict[str, Digest]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


class Reached(Struct, frozen=True):
    """Everything of the tables before this one, and of it the rows up to that key, is in the target.

    source  what is moved: another source, or the same with other rows, begins anew; None where an older version began
    """

    table: str
    after: Row | None = None
    source: str | None = None


def _hear_nothing(_table: str, _rows: int) -> None:
    """Of a move that nobody watches."""


def move(source: Database, target: Database, url: str, node: str, on_page: OnPage = _hear_nothing) -> Moved:
    """Everything that the source holds, with its ids; then both are compared, row by row, and the source is marked as moved.

    `node`: on which the logs are, for others that will share the target.

    Nobody else writes to the source meanwhile, and no server works on either. Begun before, it goes on; if the source has
    changed since, it begins anew. Raises Conflict if the target holds other data, or the source was moved before, and
    Unavailable if the two differ in the end.
    """
    return source.run(lambda c: _move(c, target, url, node, on_page))


def _move(c: Connection, target: Database, url: str, node: str, on_page: OnPage) -> Moved:
    refuse_moved(c)
    there = _digests(c)
    reached = target.run(lambda t: _begin(t, there))
    if reached is not None:
        _copy(c, target, reached, node, on_page)
        different = target.run(lambda t: _finish(t, there))
        if different:
            hint = "if something else works on the database, stop it, and move again: it begins anew then"
            raise Unavailable(f"what arrived is not what was sent, in {', '.join(different)}", hint=hint)
    mark_moved(c, _where(url))
    return Moved(tables=there)


def _begin(c: Connection, there: Mapping[str, Digest]) -> Reached | None:
    """Where to go on; None if all is there, and only the source does not know yet."""
    source, text = _name(there), settings.find_setting(c, MOVE)
    if text is not None:
        reached = msgspec.json.decode(text, type=Reached)
        if reached.source == source:
            return reached
        if reached.source is None:  # servers of that version would have worked with what there was
            raise Conflict("a move that an older version has begun cannot be gone on with", hint="empty the target first")
        copying.clear(c)
    try:
        copying.check_empty(c)
    except Conflict:
        if _digests(c) != there:
            raise
        return None
    reached = Reached(copying.copied_tables()[0], source=source)
    _keep(c, reached)
    return reached


def _finish(c: Connection, there: Mapping[str, Digest]) -> list[str]:
    """The tables that are not what was sent. If there are any, the next try begins anew."""
    settings.delete_setting(c, MOVE)
    different = [table for table, found in _digests(c).items() if found != there[table]]
    if different:
        _keep(c, Reached(copying.copied_tables()[0], source=ANEW))
    return different


def _copy(c: Connection, target: Database, reached: Reached, node: str, on_page: OnPage) -> None:
    tables = copying.copied_tables()
    for table in tables[tables.index(reached.table) :]:
        after = reached.after if table == reached.table else None
        for page in copying.read_pages(c, table, after=after):
            target.run(partial(_write, page=page, source=reached.source, node=node))
            on_page(table, len(page.rows))
    counters = copying.read_counters(c)
    target.run(lambda t: copying.write_counters(t, counters))


def _write(c: Connection, page: copying.Page, source: str | None, node: str) -> None:
    rows = _name_node(page, node) if page.table == "runs" else page.rows
    copying.write_rows(c, page.table, page.columns, rows)
    _keep(c, Reached(page.table, page.last, source))


def _name_node(page: copying.Page, node: str) -> list[Row]:
    """A database that has a server to itself does not say where the logs are."""
    place, started = page.columns.index("node"), page.columns.index("started_at")
    return [row if row[started] is None else (*row[:place], node, *row[place + 1 :]) for row in page.rows]


def _keep(c: Connection, reached: Reached) -> None:
    settings.upsert_setting(c, MOVE, msgspec.json.encode(reached).decode())


def _digests(c: Connection) -> dict[str, Digest]:
    """Of all that is to be the same on both sides."""
    tables = {table: copying.columns_of(table) for table in copying.copied_tables()}
    tables["runs"].remove("node")
    return {table: copying.digest(c, table, columns) for table, columns in tables.items()}


def _name(there: Mapping[str, Digest]) -> str:
    """Tells what is moved from anything else."""
    return hashlib.sha256(msgspec.json.encode(there, order="deterministic")).hexdigest()[:32]


def _where(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'a local socket'}{parts.path}"
