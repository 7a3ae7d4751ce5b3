"""Values that the server remembers for itself."""

from rota.store.connection import Connection

FIND = "SELECT value FROM settings WHERE name = ?"
INSERT = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
DELETE = "DELETE FROM settings WHERE name = ?"
UPSERT = "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def find_setting(c: Connection, name: str) -> str | None:
    row = c.row(FIND, (name,))
    return None if row is None else str(row[0])


def insert_setting(c: Connection, name: str, value: str) -> str:
    """Remember a value if there is none. Returns the one that is remembered."""
    c.run(INSERT, (name, value))
    return find_setting(c, name) or value


def upsert_setting(c: Connection, name: str, value: str) -> None:
    c.run(UPSERT, (name, value))


def delete_setting(c: Connection, name: str) -> bool:
    """False if it was not remembered."""
    return c.run(DELETE, (name,)) == 1
