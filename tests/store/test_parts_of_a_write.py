"""Parts of one function that wait side by side are written by one call."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from rota.core.errors import Conflict
from rota.store.database import Connection, Database

KEEP = "INSERT INTO settings (name, value) {values} ON CONFLICT (name) DO NOTHING RETURNING name"
INSERT = "INSERT INTO settings (name, value) {values} RETURNING name"


def names(database: Database) -> list[str]:
    return [row[0] for row in database.run(lambda c: c.rows("SELECT name FROM settings WHERE name LIKE 'part-%' ORDER BY name"))]


def write_all(
    database: Database, fn: Callable[[Connection, Sequence[str]], Sequence[object]], items: Sequence[str]
) -> list[object]:
    """All wait at once, behind one that holds the writer up until they do."""
    sent = threading.Event()

    async def write() -> list[object]:
        held = asyncio.ensure_future(database.write(lambda _: sent.wait(5)))
        parts = [asyncio.ensure_future(database.write_part(fn, item)) for item in items]
        await asyncio.sleep(0)  # each begins, and so is sent
        sent.set()
        await held
        return list(await asyncio.gather(*parts, return_exceptions=True))

    return asyncio.run(write())


def test_what_waits_side_by_side_is_given_to_one_call(database: Database) -> None:
    calls: list[int] = []

    def keep(c: Connection, items: Sequence[str]) -> list[str]:
        calls.append(len(items))
        c.batch(KEEP, "text text", [(item, "1") for item in items])
        return [item.upper() for item in items]

    items = [f"part-{number:03}" for number in range(100)]
    assert write_all(database, keep, items) == [item.upper() for item in items]
    assert names(database) == items
    assert max(calls) == 100


def test_one_that_is_refused_leaves_the_others_alone(database: Database) -> None:
    def keep(c: Connection, items: Sequence[str]) -> list[str | Conflict]:
        good = [item for item in items if item != "part-b"]
        c.batch(KEEP, "text text", [(item, "1") for item in good])
        return [item if item in good else Conflict("not that one") for item in items]

    first, refused, last = write_all(database, keep, ["part-a", "part-b", "part-c"])
    assert (first, last) == ("part-a", "part-c")
    assert isinstance(refused, Conflict)
    assert names(database) == ["part-a", "part-c"]


def test_one_that_fails_in_the_database_fails_alone(database: Database) -> None:
    def insert(c: Connection, items: Sequence[str]) -> list[str]:
        c.batch(INSERT, "text text", [(item, "1") for item in items])
        return list(items)

    results = write_all(database, insert, ["part-a", "part-b", "part-a", "part-c"])
    assert [isinstance(each, Conflict) for each in results] == [False, False, True, False]
    assert names(database) == ["part-a", "part-b", "part-c"]


def test_others_in_between_keep_their_place(database: Database) -> None:
    seen: list[str] = []

    def note(_c: Connection, items: Sequence[str]) -> list[None]:
        seen.extend(items)
        return [None] * len(items)

    async def send() -> None:
        await asyncio.gather(
            database.write_part(note, "first"),
            database.write(lambda _: seen.append("between")),
            database.write_part(note, "last"),
        )

    asyncio.run(send())
    assert seen == ["first", "between", "last"]


def test_a_single_part_raises_its_refusal(database: Database) -> None:
    with pytest.raises(Conflict, match="no"):
        asyncio.run(database.write_part(lambda _c, items: [Conflict("no") for _ in items], "x"))
