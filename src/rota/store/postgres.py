"""PostgreSQL, through psycopg 3: the database for more than one process."""

import time
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

from rota.core.errors import Conflict, Invalid, Unavailable
from rota.store.connection import Connection, Contended, Driver, InDoubt, Row
from rota.store.migrate import LOCK

# Classes of SQLSTATE, by their first characters: no connection (08), no resources (53), the operator stops the server (57P), it
# took too long (57014), system error (58).
TROUBLE = ("08", "53", "57P", "57014", "58", "25006")
AGAIN = ("40", "55P03")
# Keepalives tell within a minute that a server is gone without a word, and the time-out that it went while we asked.
SESSION: dict[str, Any] = {
    "application_name": "rota",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# The first half of the key of an advisory lock; the second one is the schema.
IN_USE, IN_PLACE = 0x526F7461, 0x526F7462
TAKE_PLACE = "SELECT pg_try_advisory_lock(?::int4, hashtext(current_schema() || ?))"
# Who is frozen in the middle of a transaction is to keep the others waiting for less time than its lead lasts.
SERVING = "SET idle_in_transaction_session_timeout = '3s'"
LOCK_TRIES, LOCK_PAUSE_S = 25, 0.2
COMMAND_OK = 1  # PGRES_COMMAND_OK of libpq
Use = Literal["serve", "replace"]
UNKNOWN_OUTCOME = "the connection to the database was lost; whether the change was made is not known"


def load_psycopg() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise Unavailable("PostgreSQL needs psycopg, which is not installed", hint="pip install 'rota[postgres]'") from error
    return psycopg


@lru_cache(maxsize=4096)
def translate_sql(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=1024)
def render_batch(sql: str, types: str) -> str:
    columns = ", ".join(f"?::{kind}[]" for kind in types.split())
    return translate_sql(sql.replace("{values}", f"SELECT * FROM unnest({columns})"))


def transpose(types: str, values: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The values by column, each of one type as arrays need it."""
    columns = [list(column) for column in zip(*values, strict=True)]
    for i, kind in enumerate(types.split()):
        if kind == "float8":
            columns[i] = [None if value is None else float(value) for value in columns[i]]
    return columns


class PostgresConnection(Connection):
    dialect = "postgres"

    def __init__(self, raw: Any, begin: bytes = b"BEGIN") -> None:
        self.raw = raw
        self._cursor = raw.cursor(binary=True)
        self._execute = self._cursor.execute
        self._begin = begin
        self._marked = False

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        found: list[Row] = self._execute(translate_sql(sql), params).fetchall()
        return found

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        count: int = self._execute(translate_sql(sql), params).rowcount
        return count

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:  # for a single one the ways of many cost two more round trips
            self._execute(translate_sql(sql), rows[0])
        else:
            self._cursor.executemany(translate_sql(sql), rows)

    def batch(self, sql: str, types: str, values: Sequence[Sequence[Any]], params: Sequence[Any] = ()) -> list[Row]:
        if not values:
            return []
        before = sql.partition("{values}")[0].count("?") if params else 0
        bound = [*params[:before], *transpose(types, values), *params[before:]]
        found: list[Row] = self._execute(render_batch(sql, types), bound).fetchall()
        return found

    def begin(self) -> None:
        self._command(self._begin)
        self._marked = False

    def commit(self) -> None:
        self._command(b"COMMIT")

    def rollback(self) -> None:
        self._command(b"ROLLBACK")

    def mark(self) -> None:
        # One message for both: a savepoint each costs a round trip to the server.
        self._command(b"RELEASE SAVEPOINT mark; SAVEPOINT mark" if self._marked else b"SAVEPOINT mark")
        self._marked = True

    def undo(self) -> None:
        self._command(b"ROLLBACK TO SAVEPOINT mark")

    def _command(self, text: bytes) -> None:
        """Run a word without values through libpq itself, in two thirds of the time that a cursor takes (15 µs, 24 µs)."""
        result = self.raw.pgconn.exec_(text)
        if result.status != COMMAND_OK:
            raise load_psycopg().errors.error_from_result(result)

    def has_written(self) -> bool:
        return self.row("SELECT pg_current_xact_id_if_assigned() IS NOT NULL") == (True,)

    def is_lost(self) -> bool:
        return bool(self.raw.closed)

    def translate(self, error: BaseException) -> BaseException:
        return translate(error, lost=self.is_lost())

    def close(self) -> None:
        self.raw.close()


def translate(error: BaseException, *, lost: bool) -> BaseException:
    """See Connection.translate."""
    if isinstance(error, load_psycopg().Error):
        return name_error(error, lost)
    return error


def name_error(error: BaseException, lost: bool) -> BaseException:
    psycopg = load_psycopg()
    state = getattr(error, "sqlstate", None) or ""
    if lost:
        return InDoubt(UNKNOWN_OUTCOME, hint="look whether it was made before you try again")
    if state.startswith(TROUBLE):
        return Unavailable(f"the database cannot write now ({error})", hint="work goes on by itself when it can")
    if state.startswith(AGAIN):
        return Contended(f"another process changed the same rows ({error})", hint="try again")
    if isinstance(error, psycopg.IntegrityError):
        return Conflict(f"the change does not fit what is stored ({error})")
    if isinstance(error, psycopg.DataError):
        return Invalid(f"a value cannot be stored ({error})")
    return error


class PostgresDriver(Driver):
    """Opens connections to a server, all working in one schema (by default the one the server gives).

    use      what the connection that writes holds a lock for, as long as it lasts: any number may `serve`, and nobody meanwhile
             `replace` what is in the database
    patience_s  for small statements, which either come through in that time or are of no use any more
    place    of a data directory, whose server has this connection
    """

    def __init__(
        self,
        url: str,
        schema: str | None = None,
        *,
        use: Use | None = None,
        patience_s: float | None = None,
        place: str | None = None,
    ) -> None:
        self.url = url
        self.schema = schema
        self._use = use
        self._session = SERVING if use == "serve" or patience_s is not None else ""
        self._limits = {} if patience_s is None else _limits(patience_s)
        if patience_s is not None:
            self._session += f"; SET statement_timeout = {int(patience_s * 1000)}"
        self._place = place
        self._psycopg = load_psycopg()

    def connect(self) -> PostgresConnection:
        """Raises Conflict if the use it is for does not go together with what others do."""
        raw = self._open()
        try:
            if self._session:
                raw.execute(self._session)
            if self._use:
                _take_for(raw, self._use)
            if self._place is not None:
                raw.execute(translate_sql(TAKE_PLACE), (IN_PLACE, self._place))
        except BaseException:
            raw.close()
            raise
        return PostgresConnection(raw)

    def connect_reader(self) -> PostgresConnection:
        return PostgresConnection(self._open(), b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def create_schema(self) -> None:
        if self.schema is None:
            return
        with self._open() as raw, raw.transaction():
            raw.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            raw.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(self.schema)}")

    def listen(self, channel: str) -> Any:
        """A connection of psycopg that hears what is told on a channel of this schema. Raises Unavailable."""
        raw = self._open()
        try:
            raw.execute(raw.execute("SELECT format('LISTEN %%I', %s || current_schema())", (channel,)).fetchone()[0])
        except BaseException as error:
            raw.close()
            raise translate(error, lost=True) from error
        return raw

    def _open(self) -> Any:
        try:
            raw = self._psycopg.connect(self.url, autocommit=True, **SESSION | self._limits)
        except self._psycopg.ProgrammingError:  # its words repeat parts of the URL, and so of the password
            hint = "write what is special in its user and its password as %XX"
            raise Invalid("the URL of the database cannot be read", hint=hint) from None
        except self._psycopg.OperationalError as error:
            raise Unavailable(f"the database does not answer ({error})", hint="is the server up, and the URL right?") from error
        configure(raw)
        if self.schema is not None:
            raw.execute(f"SET search_path TO {quote(self.schema)}")
        return raw


def _limits(patience_s: float) -> dict[str, int]:
    """For connecting libpq takes no less than two seconds."""
    return {"connect_timeout": max(2, int(patience_s)), "tcp_user_timeout": int(patience_s * 1000)}


def _take_for(raw: Any, use: Use) -> None:
    """Take the lock; whoever has just died is given some seconds to let go of it. Raises Conflict."""
    kind = "_shared" if use == "serve" else ""
    for _ in range(LOCK_TRIES):
        if raw.execute(f"SELECT pg_try_advisory_lock{kind}(%s::int4, hashtext(current_schema()))", (IN_USE,)).fetchone()[0]:
            return
        time.sleep(LOCK_PAUSE_S)
    if use == "serve":
        raise Conflict("what is in this database is being replaced", hint="start again when that is done")
    raise Conflict("a server runs on this database", hint="stop all that do, or name another database")


def configure(raw: Any) -> None:
    """Make one statement text have one parameter type each time, so that it is prepared once."""
    from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

    for kind in (int, bool):
        raw.adapters.register_dumper(kind, Int8Dumper)
        raw.adapters.register_dumper(kind, Int8BinaryDumper)
    raw.prepare_threshold = 2
    raw.prepared_max = 500


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
