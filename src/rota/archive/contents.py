"""What a backup file is made of. `docs/backup.md` tells people."""

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

from rota.store.copying import MODULUS, Digest

# 1 had no head, and said nothing of its files but how many they are.
FORMAT = 2
# The newest migration when format 1 was written for the last time.
FIRST_SCHEMA = 10
HEAD = "head.json"
TABLES = "tables/"
FILES = "files/"
ACCOUNT = "account.json"
# Stands in for what was cut off a log while it was copied.
FILLING = b"\n"


class Head(Struct, frozen=True, kw_only=True):
    """The first member of the file: who can read the rest.

    schema  the newest migration that its tables have been through
    node    the name of the node whose files these are, if there were several
    """

    format: int
    version: str
    schema: int
    node: str | None = None


class Held(Struct, frozen=True):
    """What a backup holds of a table."""

    columns: list[str]
    digest: Digest


class Account(Struct, frozen=True, kw_only=True):
    """What a backup holds. It is the last member of the file, so that one which was cut off has none.

    contents  of all files, with their names; None in format 1
    """

    format: int
    version: str
    made_at: datetime
    tables: dict[str, Held]
    counters: dict[str, int]
    files: int
    contents: int | None = None

    @property
    def rows(self) -> int:
        return sum(table.digest.rows for table in self.tables.values())


class Part(Struct, frozen=True):
    """Some rows of a table, as a member of the file."""

    columns: list[str]
    rows: list[list[str | int | float | None]]


class Measured:
    """A file's bytes as they go by, and the hash of them and its name."""

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._hash = blake2b(name.encode("utf-8", "surrogateescape") + b"\0", digest_size=8)

    def read(self, size: int) -> bytes:
        data = self._read(size)
        self._hash.update(data)
        return data

    @property
    def hash(self) -> int:
        return int.from_bytes(self._hash.digest(), "big")


class Tally:
    """How many files there are, and the sum of their hashes: in whatever order they come."""

    def __init__(self) -> None:
        self.files = 0
        self.contents = 0

    def add(self, measured: Measured) -> None:
        self.files += 1
        self.contents = (self.contents + measured.hash) % MODULUS
