"""The database that `[records]` declares, opened."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import sqlalchemy as sa

from rota.config.records import Records
from rota.core.errors import Invalid, Unavailable
from rota.modules.engines import open_engine, told
from rota.modules.records.objecttype import Bound, bind

NAME = "[records]"


class RecordStore:
    """One connection, one transaction at a time. A context manager that closes it."""

    def __init__(self, records: Records) -> None:
        """The settings must declare a database. Raises Unavailable if it cannot be opened."""
        if records.url is None:
            raise Unavailable(f"{NAME} has no url")
        self._engine = open_engine(records.url.reveal(), NAME)
        self._records = records
        self._tables = sa.MetaData()
        self.batch = records.batch
        self.dialect = self._engine.dialect.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction. Raises Conflict with the database's words for what it refuses."""
        with told(NAME), self._engine.begin() as connection:
            yield connection

    def bind(self, names: Sequence[str] = ()) -> list[Bound]:
        """These objecttypes, or all. Raises Invalid for one that is not declared, Unavailable for tables that are otherwise."""
        known = {each.name: each for each in self._records.objecttypes}
        for name in names:
            if name not in known:
                raise Invalid.at("search.objecttypes", f"there is no objecttype {name[:100]}; there are {', '.join(known)}")
        with self.begin() as connection:
            return [bind(known[name], connection, self._tables) for name in names or known]
