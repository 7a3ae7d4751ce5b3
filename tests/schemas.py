"""Schemas with all tables on the session's PostgreSQL server: lent, emptied and lent again."""

from collections.abc import Iterable
from pathlib import Path

from tests import under
from tests.databases import EMPTY

from rota.store.database import Database, open_postgres
from rota.store.postgres import PostgresConnection, PostgresDriver

COUNTERS = "SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema()"


class Schema:
    """One of them, and a connection that is not made anew for each test: that costs more than most of them.

    turn  counts the tests that had it
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.turn = 0
        url = under.postgres_url()
        self.url = f"{url}&options=-csearch_path%3D{name}"
        self.driver = PostgresDriver(url, name)
        open_postgres(url, schema=name).close()
        self._kept = self.driver.connect().raw
        counters = [row[0] for row in PostgresConnection(self._kept).rows(COUNTERS)]
        begin_anew = " ".join(f"PERFORM setval('{counter}', 1, false);" for counter in counters)
        self._empty = EMPTY.replace("END $$", f"{begin_anew} END $$")

    def connect(self) -> PostgresConnection:
        if self._kept.closed:
            self._kept = self.driver.connect().raw
        return Kept(self._kept)

    def empty(self) -> None:
        """What a test has made for itself alone is gone, too, and what depends on it."""
        self.turn += 1
        c = self.connect()
        c.run(self._empty)
        c.run("DISCARD TEMP")

    def close(self) -> None:
        self._kept.close()


class Kept(PostgresConnection):
    """Stays open when its owner closes it."""

    def close(self) -> None:
        if not self.is_lost():
            self.rollback()


class Lent(Database):
    """A schema as long as it is open. Functions run at once, in the caller's thread."""

    def __init__(self) -> None:
        self._schema = lend()
        super().__init__(self._schema.driver, self._schema.connect(), threads=False)

    def close(self) -> None:
        super().close()
        take_back([self._schema])


_free: list[Schema] = []
_known: list[Schema] = []
_of_folders: dict[Path, Schema] = {}


def lend() -> Schema:
    """An empty one."""
    if not _free:
        if not _known:
            under.at_end(close_all)
        _known.append(Schema(f"lent_{len(_known)}"))
        return _known[-1]
    return _free.pop()


def lend_to(folder: Path) -> Schema:
    """The same one for the same folder, for as long as the test goes on."""
    if folder not in _of_folders:
        _of_folders[folder] = lend()
    return _of_folders[folder]


def end_test() -> None:
    """Nobody asks for the schemas of its folders any more."""
    take_back(_of_folders.values())
    _of_folders.clear()


def take_back(schemas: Iterable[Schema]) -> None:
    for schema in schemas:
        schema.empty()
        _free.append(schema)


def close_all() -> None:
    for schema in _known:
        schema.close()
    for each in (_known, _free, _of_folders):
        each.clear()
