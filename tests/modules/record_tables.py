"""A small collection in a database of either kind, for the tests of record modules."""

from typing import Any

import sqlalchemy as sa

from rota.config.records import Objecttype, Records
from rota.config.secret import Secret
from rota.core.entry import Level
from rota.modules.records.store import RecordStore

ASSET = Objecttype(
    name="asset",
    table="assets",
    label="title",
    fields=("title", "year", "added", "note", "code", "kind"),
    tags="tags",
    trash="deleted_at",
    changed="updated_at",
    referred_by=("loans.asset_id", "assets.parent_id", "cards.asset_id"),
    metadata="meta",
    mapping={"note": "iptc.headline", "year": "exif.year"},
)
PERSON = Objecttype(name="person", table="people", label="name", trash="gone", referred_by=("loans.person_id",))
CARD = Objecttype(
    name="card",
    table="cards",
    label="heading",
    tags="tags",
    trash="deleted_at",
    mapping={"heading": "iptc.headline", "words": "iptc.keywords"},
    masks={"short": ("heading",)},
)
TYPES = (ASSET, PERSON, CARD)
SQLITE = """
CREATE TABLE assets (id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER, added DATE, note TEXT, tags TEXT, meta JSON,
  code TEXT, kind TEXT, parent_id INTEGER, deleted_at DATETIME, updated_at DATETIME DEFAULT '2026-01-01 00:00:00');
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, gone BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE cards (id INTEGER PRIMARY KEY, heading TEXT, words TEXT, tags JSON, asset_id INTEGER, deleted_at TEXT);
CREATE TABLE loans (id INTEGER PRIMARY KEY, asset_id INTEGER, person_id INTEGER NOT NULL)
"""
POSTGRES = """
CREATE TYPE medium AS ENUM ('photo', 'film');
CREATE TABLE assets (id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER, added DATE, note TEXT, tags INTEGER[], meta JSONB,
  code UUID, kind medium,  parent_id INTEGER REFERENCES assets,
  deleted_at TIMESTAMPTZ, updated_at TIMESTAMPTZ DEFAULT '2026-01-01 00:00:00Z');
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, gone BOOLEAN NOT NULL DEFAULT false);
CREATE TABLE cards (id SERIAL PRIMARY KEY, heading TEXT, words TEXT, tags JSONB, asset_id INTEGER, deleted_at TEXT);
CREATE TABLE loans (id INTEGER PRIMARY KEY, asset_id INTEGER REFERENCES assets, person_id INTEGER NOT NULL REFERENCES people)
"""
ROWS = """
INSERT INTO assets (id, title, year, added, note) VALUES
  (1, 'Red car', 1990, '2026-05-01', 'by the sea'), (2, 'Blue car', 2000, NULL, NULL),
  (3, 'Red 100% wool', NULL, '2026-05-03', 'a_b');
UPDATE assets SET code = '0199b0c0-0000-7000-8000-000000000001', kind = 'film' WHERE id = 3;
INSERT INTO people (id, name) VALUES (11, 'Ada'), (12, 'Bob');
INSERT INTO loans VALUES (21, 1, 11), (22, 1, 12), (23, 2, 11)
"""


class Heard:
    """Somebody who watches, and cancels after some lines if told to."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.lines: list[tuple[Level, str, int | None]] = []
        self._left = cancel_after

    def log(self, level: Level, message: str, percent: int | None = None) -> None:
        self.lines.append((level, message, percent))

    def is_cancelled(self) -> bool:
        return self._left is not None and len(self.lines) >= self._left


class Collection:
    """The tables with their rows."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url)
        self._stores: list[RecordStore] = []

    def create(self, script: str) -> None:
        for statement in script.split(";"):
            self.run(statement)

    def fill(self) -> None:
        self.create(ROWS)

    def close(self) -> None:
        for store in self._stores:
            store.__exit__()
        self.engine.dispose()

    def run(self, statement: str) -> None:
        with self.engine.begin() as c:
            c.execute(sa.text(statement))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as c:
            return [tuple(row) for row in c.execute(sa.text(query))]

    def values(self, query: str) -> list[Any]:
        return [row[0] for row in self.rows(query)]

    def open(self, batch: int = 2, types: tuple[Objecttype, ...] = TYPES) -> RecordStore:
        self._stores.append(RecordStore(Records(url=Secret(self.url), batch=batch, objecttypes=types)))
        return self._stores[-1]
