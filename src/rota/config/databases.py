"""`[databases.NAME]`: databases that the module `sql` may be pointed at, by name."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from rota.config.document import Table
from rota.config.kinds import BadValue, Kind, text_kind
from rota.config.secret import Secret

_URL = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\+[A-Za-z0-9_]+)?://.*", re.DOTALL)


def _database_url(text: str) -> Secret:
    if not _URL.fullmatch(text):
        raise BadValue("must be a SQLAlchemy URL such as postgresql://user:password@host/name or sqlite:////srv/data.db")
    return Secret(text)


DATABASE_URL: Kind = text_kind("SQLAlchemy URL, kept secret", _database_url)
DATABASE_KEYS: dict[str, tuple[Kind, str]] = {
    "url": (DATABASE_URL, "Where it is, and as whom. What that login may do, whoever may have tasks may do with `sql`."),
}


class NamedDatabase(Struct, frozen=True):
    """`url` holds a password as a rule."""

    name: str
    url: Secret


def read_databases(root: Table) -> Iterator[NamedDatabase]:
    """Errors go to the document's findings."""
    section = root.child("databases")
    for name in section.values if section is not None else ():
        table = section.child(name) if section is not None else None
        if table is None:
            continue
        table.refuse_unknown(DATABASE_KEYS)
        url = read_needed(table, "url", DATABASE_URL)
        if table.check_name(dots=True) and url is not None:
            yield NamedDatabase(name, url)


def read_needed(table: Table, key: str, kind: Kind) -> Any:
    """As Table.read, but a key that is absent is an error too."""
    if key not in table.values:
        table.error(f"needs {key}")
    return table.read(key, kind)
