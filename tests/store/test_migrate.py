import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from rota.core.errors import Conflict
from rota.store.connection import Connection, Driver
from rota.store.migrate import Migration, list_migrations, migrate
from rota.store.postgres import PostgresDriver
from rota.store.sqlite import SqliteDriver
from rota.store.tables import TABLES

NAMES = {
    "sqlite": {"TEXT": "text", "BIGINT": "bigint", "INTEGER": "integer", "DOUBLE PRECISION": "float8"},
    "postgres": {"text": "text", "bigint": "bigint", "integer": "integer", "double precision": "float8"},
}


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to a database that has no tables."""
    if request.param == "sqlite":
        c: Connection = SqliteDriver(":memory:").connect()
    else:
        driver = PostgresDriver(request.getfixturevalue("postgres_url"), "bare")
        driver.create_schema()
        c = driver.connect()
    with closing(c):
        yield c
        if c.dialect == "postgres":
            c.run("DROP SCHEMA bare CASCADE")


def describe_sqlite(c: Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    sql = """
        SELECT m.name, p.name, p.type, p."notnull", p.pk, m.sql LIKE '%AUTOINCREMENT%' AND p.pk AND p.type = 'INTEGER'
        FROM sqlite_schema m, pragma_table_info(m.name) p
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"""
    for table, column, kind, required, key, serial in c.rows(sql):
        name = "serial" if serial else NAMES["sqlite"][kind] + ("" if required or key else "?")
        found.setdefault(table, {})[column] = name
    return found


def describe_postgres(c: Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    sql = """
        SELECT table_name, column_name, data_type, is_nullable, is_identity, collation_name FROM information_schema.columns
        WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"""
    for table, column, kind, nullable, serial, collation in c.rows(sql):
        name = "id" if collation == "C" else "serial" if serial == "YES" else NAMES["postgres"][kind]
        found.setdefault(table, {})[column] = name + ("?" if nullable == "YES" else "")
    return found


def test_migrating_an_empty_database_gives_exactly_the_tables_described(empty: Connection) -> None:
    migrate(empty)
    if empty.dialect == "postgres":
        assert describe_postgres(empty) == TABLES
    else:
        plain = {
            table: {column: kind.replace("id", "text") for column, kind in columns.items()} for table, columns in TABLES.items()
        }
        assert describe_sqlite(empty) == plain


def test_migrating_again_changes_nothing(empty: Connection) -> None:
    assert migrate(empty) == [migration.name for migration in list_migrations()]
    assert migrate(empty) == []


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    numbers = [migration.number for migration in list_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_failing_migration_leaves_nothing_of_itself(empty: Connection) -> None:
    good = Migration(1, "0001_good.sql", "a", "CREATE TABLE good (id {id} PRIMARY KEY) -- fine\n;")
    bad = Migration(2, "0002_bad.sql", "b", "CREATE TABLE half (id {serial}); CREATE TABLE half (id {serial});")
    with pytest.raises(Exception, match="already exists"):
        migrate(empty, [good, bad])
    assert empty.rows("SELECT number, name FROM migrations") == [(1, "0001_good.sql")]
    better = Migration(2, "0002_bad.sql", "c", "CREATE TABLE half (id {serial})")
    assert migrate(empty, [good, better]) == ["0002_bad.sql"]


def test_a_database_from_a_newer_version_is_refused(empty: Connection) -> None:
    known = list_migrations()
    later = Migration(known[-1].number + 1, "later.sql", "x", "CREATE TABLE later (id {id})")
    migrate(empty, [*known, later])
    with pytest.raises(Conflict, match="newer version of Rota") as caught:
        migrate(empty)
    assert caught.value.hint is not None


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(empty: Connection) -> None:
    migrate(empty, [Migration(1, "0001_a.sql", "a", "CREATE TABLE one (id {id})")])
    with pytest.raises(Conflict, match="migration 1"):
        migrate(empty, [Migration(1, "0001_a.sql", "b", "CREATE TABLE other (id {id})")])


def test_processes_that_start_together_migrate_once(postgres_url: str) -> None:
    applied: list[str] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        driver: Driver = PostgresDriver(postgres_url, "together")
        barrier.wait()
        assert isinstance(driver, PostgresDriver)
        driver.create_schema()
        with closing(driver.connect()) as c:
            applied.extend(migrate(c))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [migration.name for migration in list_migrations()]
