"""Takes an installation over from SQLite to PostgreSQL. What it has done is not done again, however often it is killed."""

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
from rota.store.moved import mark_moved, refuse_moved

# In the target: how far the move has come.
PROGRESS = "move"


OnPage = Callable[[str, int], object]


class Moved(Struct, frozen=True, kw_only=True):
    """What there is now, by table."""

    tables: dict[str, Digest]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


class Reached(Struct, frozen=True):
    """Everything of the tables before this one, and of it the rows up to that key, is in the target."""

    table: str
    after: Row | None = None


def _hear_nothing(_table: str, _rows: int) -> None:
    """Of a move that nobody watches."""


def move(source: Database, target: Database, url: str, on_page: OnPage = _hear_nothing) -> Moved:
    """Everything that the source holds, with its ids; then both are compared, row by row, and the source is marked as moved.

    Neither may have a server at work on it. Begun before, it goes on. Raises Conflict if the target holds other data, or the
    source was moved before, and Unavailable if the two differ in the end.
    """
    source.run(refuse_moved)
    there = source.run(_digests, write=False)
    reached = target.run(lambda c: _begin(c, there))
    if reached is not None:
        source.run(lambda c: _copy(c, target, reached, on_page), write=False)
        target.run(lambda c: _finish(c, there))
    source.run(lambda c: mark_moved(c, _where(url)))
    return Moved(tables=there)


def _begin(c: Connection, there: Mapping[str, Digest]) -> Reached | None:
    """Where to go on; None if all is there, and only the source does not know yet."""
    text = settings.find_setting(c, PROGRESS)
    if text is not None:
        return msgspec.json.decode(text, type=Reached)
    try:
        copying.check_empty(c)
    except Conflict:
        if _digests(c) != there:
            raise
        return None
    reached = Reached(copying.copied_tables()[0])
    _keep(c, reached)
    return reached


def _finish(c: Connection, there: Mapping[str, Digest]) -> None:
    """Raises Unavailable, and keeps what it knows of its progress, if what arrived is not what was sent."""
    settings.delete_setting(c, PROGRESS)
    different = [table for table, found in _digests(c).items() if found != there[table]]
    if different:
        hint = "if a server was at work on one of them, stop it, empty the target and move again"
        raise Unavailable(f"what arrived is not what was sent, in {', '.join(different)}", hint=hint)


def _copy(c: Connection, target: Database, reached: Reached, on_page: OnPage) -> None:
    tables = copying.copied_tables()
    for table in tables[tables.index(reached.table) :]:
        after = reached.after if table == reached.table else None
        for page in copying.read_pages(c, table, after=after):
            target.run(partial(_write, page=page))
            on_page(table, len(page.rows))
    counters = copying.read_counters(c)
    target.run(lambda t: copying.write_counters(t, counters))


def _write(c: Connection, page: copying.Page) -> None:
    copying.write_rows(c, page.table, page.columns, page.rows)
    _keep(c, Reached(page.table, page.last))


def _keep(c: Connection, reached: Reached) -> None:
    settings.upsert_setting(c, PROGRESS, msgspec.json.encode(reached).decode())


def _digests(c: Connection) -> dict[str, Digest]:
    return {table: copying.digest(c, table) for table in copying.copied_tables()}


def _where(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'a local socket'}{parts.path}"
