"""The seam between our SQL and the two databases: one statement text, one way to run it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from rota.core.errors import Unavailable

Dialect = Literal["sqlite", "postgres"]
Row = tuple[Any, ...]
T = TypeVar("T")


class Contended(Unavailable):
    """Another process was in the way; the database itself is well. Trying again is enough."""


class InDoubt(Unavailable):
    """The connection was lost before the database said whether the change was made."""


class Connection(ABC):
    """Runs statements inside a transaction that the caller owns.

    Statements are written once, with `?` for each value; `?` stands nowhere else in them, literals included.

    Where work is found through a partial index, its condition is a literal (`admission = 'new'`): a bound value hides it from the
    planner. Where rows are found by id, a condition on the state is hidden on purpose (`COALESCE(state, '') = 'running'`):
    PostgreSQL believes its last count of running rows and would read them all (measured: 10 times slower).

    A statement that fails may have ended the transaction, so store functions never catch driver errors and go on:
    what can clash is written as ON CONFLICT DO NOTHING.
    """

    dialect: ClassVar[Dialect]

    @abstractmethod
    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows that a query, or a RETURNING clause, gives."""

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    @abstractmethod
    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement that gives no rows. Returns how many rows it changed."""

    @abstractmethod
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of values. `batch` is as fast and tells what it changed."""

    @abstractmethod
    def batch(self, sql: str, types: str, values: Sequence[Sequence[Any]], params: Sequence[Any] = ()) -> list[Row]:
        """Run a statement over a table of values, in as few steps as the database allows. Returns its rows, in no order.

        `{values}` in the statement stands for the table, as INSERT, a CTE or IN take it:
            INSERT INTO slots (task_id, nominal_at) {values} ON CONFLICT DO NOTHING RETURNING task_id, nominal_at
            WITH batch (id, fence) AS ({values}) UPDATE runs SET … FROM batch WHERE runs.id = batch.id … RETURNING runs.id
            SELECT … FROM tasks WHERE id IN ({values})
        types   the PostgreSQL types of its columns, separated by spaces: text, bigint, integer, float8
        params  the values of the other `?`, in the order of the text

        A statement may be run several times, each for a part of the values: an aggregate must not span them.
        It must give rows (RETURNING), and a value may stand only once in a key that an UPDATE joins on.
        """

    @abstractmethod
    def begin(self) -> None:
        """Start a transaction that writes."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None:
        """Undo the transaction; nothing if there is none."""

    @abstractmethod
    def mark(self) -> None:
        """Remember this point of the transaction in place of the one remembered before."""

    @abstractmethod
    def undo(self) -> None:
        """Go back to the mark."""

    @abstractmethod
    def has_written(self) -> bool:
        """Whether this transaction changed anything."""

    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection is of no more use and a new one is needed."""

    @abstractmethod
    def translate(self, error: BaseException) -> BaseException:
        """The error of our own tree that an error of the driver stands for; any other error as it is."""

    @abstractmethod
    def close(self) -> None: ...


class Driver(ABC):
    """Opens connections to one database.

    is_shared  every connection sees the same data; False for a database that lives in its one connection
    """

    is_shared: bool = True

    @abstractmethod
    def connect(self) -> Connection:
        """A connection that writes."""

    @abstractmethod
    def connect_reader(self) -> Connection:
        """A connection that refuses to write; each of its transactions sees one state of the database."""


Work = Callable[[Connection], T]
