"""Which records a search finds, on both databases, and which an incremental one finds again."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.modules.record_tables import ASSET, Heard

from rota.config.records import Records
from rota.config.secret import Secret
from rota.core.errors import Conflict, Invalid, Unavailable
from rota.modules.records.retagging import count_records, tag_records
from rota.modules.records.search import read_search
from rota.modules.records.store import RecordStore
from rota.modules.records.sweep import Sweep
from rota.modules.records.tagging import read_tag_change


def find(store, *elements, objecttypes=("asset",), **more):
    search = read_search({"search": list(elements), "objecttypes": list(objecttypes), **more})
    found: list[int] = []
    sweep = Sweep(store, search, {})

    def note(connection: object, bound: object, rows: Sequence[Any]) -> int:
        found.extend(row[0] for row in rows)
        return 0

    sweep.carry_out(note, lambda bound: [], Heard())
    assert sum(sweep.found.values()) == len(found)
    return found


def tag(collection):
    collection.run(
        "UPDATE assets SET tags = '[5, 6]' WHERE id = 1"
        if "sqlite" in collection.url
        else "UPDATE assets SET tags = '{5,6}' WHERE id = 1"
    )
    collection.run("""INSERT INTO cards (id, heading, tags) VALUES (31, 'c', '[5]'), (32, 'd', '[55]')""")


ELEMENTS: tuple[tuple[dict[str, Any], list[int]], ...] = (
    ({"type": "match", "fields": ["title"], "string": "RED"}, [1, 3]),
    ({"type": "match", "fields": ["asset.title", "note"], "string": "sea"}, [1]),
    ({"type": "match", "fields": ["title"], "string": "100%"}, [3]),
    ({"type": "match", "fields": ["title"], "string": "%"}, [3]),
    ({"type": "match", "fields": ["note"], "string": "a_b"}, [3]),
    ({"type": "match", "fields": ["note"], "string": "sea", "bool": "must_not"}, [2, 3]),
    ({"type": "match", "fields": ["title"], "string": "* car", "mode": "wildcard"}, [1, 2]),
    ({"type": "match", "fields": ["title"], "string": "???? car", "mode": "wildcard"}, [2]),
    ({"type": "match", "fields": ["year"], "string": "99"}, [1]),
    ({"type": "fulltext", "string": "red sea"}, [1]),
    ({"type": "fulltext", "string": "red", "fields": ["note"]}, []),
    ({"type": "in", "fields": ["_system_object_id"], "in": [2, 3, 99]}, [2, 3]),
    ({"type": "in", "fields": ["title"], "in": ["Blue car"]}, [2]),
    ({"type": "in", "fields": ["year"], "in": [1990, None]}, [1, 3]),
    ({"type": "in", "fields": ["year"], "in": [1990], "bool": "must_not"}, [2, 3]),
    ({"type": "range", "field": "year", "from": 1995}, [2]),
    ({"type": "range", "field": "year", "from": 1990, "to": 2000}, [1, 2]),
    ({"type": "range", "field": "added", "from": "2026-05-02"}, [3]),
    ({"type": "in", "fields": ["added"], "in": ["2026-05-01"]}, [1]),
    ({"type": "in", "fields": ["code"], "in": ["0199b0c0-0000-7000-8000-000000000001"]}, [3]),
    ({"type": "match", "fields": ["code", "kind"], "string": "0199B0C0"}, [3]),
    ({"type": "in", "fields": ["kind"], "in": ["film"]}, [3]),
    ({"type": "match", "fields": ["kind"], "string": "FILM"}, [3]),
    ({"type": "fulltext", "string": "wool a_b"}, [3]),
)


def test_each_element_finds_what_it_says(collection):
    store = collection.open()
    assert [find(store, element) for element, _ in ELEMENTS] == [ids for _, ids in ELEMENTS]


def test_elements_are_joined_by_their_bool(collection):
    red = {"type": "match", "fields": ["title"], "string": "red"}
    blue = {"type": "match", "fields": ["title"], "string": "blue"}
    car = {"type": "match", "fields": ["title"], "string": "car"}
    assert find(collection.open(), red, car) == [1]
    assert find(collection.open(), red | {"bool": "should"}, blue | {"bool": "should"}) == [1, 2, 3]
    assert find(collection.open(), car, red | {"bool": "should"}) == [1]
    assert find(collection.open(), {"type": "complex", "bool": "must_not", "search": [red, car]}) == [2, 3]


def test_tags_are_found_in_every_kind_of_column(collection):
    tag(collection)
    tagged = {"type": "in", "fields": ["_tags._id"], "in": [5, 7]}
    assert find(collection.open(), tagged, objecttypes=("asset", "card")) == [1, 31]
    assert find(collection.open(), tagged | {"bool": "must_not"}, objecttypes=("asset", "card")) == [2, 3, 32]


def test_without_objecttypes_all_are_looked_at(collection):
    assert sorted(find(collection.open(), {"type": "fulltext", "string": "a"}, objecttypes=())) == [1, 2, 3, 11]
    assert find(collection.open(), {"type": "match", "fields": ["person.name"], "string": "b"}, objecttypes=()) == [12]


def test_what_is_in_the_trash_is_not_found(collection):
    collection.run("UPDATE assets SET deleted_at = '2026-01-01 10:00:00' WHERE id = 1")
    assert find(collection.open(), objecttypes=["asset", "person"]) == [2, 3, 11, 12]


REFUSED = (
    ({"objecttypes": ["asset", "thing"]}, "there is no objecttype thing; there are asset, person, card"),
    ({"objecttypes": ["asset"], "search": [{"type": "in", "fields": ["secret"], "in": [1]}]}, "no field secret"),
    ({"objecttypes": ["asset"], "search": [{"type": "in", "fields": ["parent_id"], "in": [1]}]}, "no field parent_id"),
    (
        {"objecttypes": ["asset"], "search": [{"type": "in", "fields": ["year"], "in": ["x"]}]},
        "year is compared with a whole number",
    ),
    ({"objecttypes": ["asset"], "search": [{"type": "in", "fields": ["year"], "in": [True]}]}, "a whole number"),
    ({"objecttypes": ["asset"], "search": [{"type": "in", "fields": ["title"], "in": [1]}]}, "title is compared with a text"),
    ({"objecttypes": ["asset"], "search": [{"type": "range", "field": "added", "to": 5}]}, "compared with a time"),
    ({"objecttypes": ["asset"], "search": [{"type": "range", "field": "_tags._id", "to": 5}]}, "by `in`"),
)


def test_what_cannot_be_searched_for_is_told(collection):
    store = collection.open()
    for search, words in REFUSED:
        with pytest.raises(Invalid, match=words):
            count_records(store, read_search(search), {})


def test_an_incremental_search_finds_only_what_was_changed_since(collection):
    search = read_search({"objecttypes": ["asset"], "incremental": True})
    first = count_records(collection.open(), search, {"mine": 1})
    assert first.found == {"asset": 3}
    again = count_records(collection.open(), search, first.state)
    assert (again.found, again.state["mine"]) == ({"asset": 0}, 1)

    collection.run("UPDATE assets SET updated_at = '2026-01-02 00:00:00' WHERE id = 2")
    third = count_records(collection.open(), search, again.state)
    assert third.found == {"asset": 1}
    assert count_records(collection.open(), search, third.state).found == {"asset": 0}


def test_a_change_at_the_moment_of_the_mark_is_found(collection):
    search = read_search({"objecttypes": ["asset"], "incremental": True})
    state = count_records(collection.open(), search, {}).state
    collection.run("INSERT INTO assets (id, title) VALUES (4, 'of the same moment')")
    assert count_records(collection.open(), search, state).found == {"asset": 1}


def test_a_transaction_that_ends_late_is_found(collection):
    """Its changes are older than the mark. SQLite has one writer, so it cannot come to that there."""
    if "sqlite" in collection.url:
        return
    search = read_search({"objecttypes": ["asset"], "incremental": True})
    collection.run("UPDATE assets SET updated_at = '2026-01-02 00:00:30Z' WHERE id = 2")
    state = count_records(collection.open(), search, {}).state
    collection.run("UPDATE assets SET updated_at = '2026-01-02 00:00:10Z' WHERE id = 3")
    assert count_records(collection.open(), search, state).found == {"asset": 1}


def test_the_state_is_json(collection):
    state = count_records(collection.open(), read_search({"objecttypes": ["asset"], "incremental": True}), {}).state
    assert msgspec.json.decode(msgspec.json.encode(state)) == state


def test_an_incremental_search_needs_a_column(collection):
    with pytest.raises(Unavailable, match=r"\[records.objecttypes.person\] of the settings names no column changed"):
        count_records(collection.open(), read_search({"objecttypes": ["person"], "incremental": True}), {})


def test_a_database_that_is_away_is_told_without_its_password(tmp_path):
    url = Secret(f"postgresql://me:hunter2@/records?host={tmp_path}&connect_timeout=2")
    with pytest.raises(Conflict) as caught:
        RecordStore(Records(url=url, objecttypes=(ASSET,))).bind()
    assert "[records]" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_was_loaded_at_one_moment_is_seen_however_much_it_is(collection):
    search = read_search({"objecttypes": ["asset"], "incremental": True})
    numbers = ", ".join(f"({number}, 'x')" for number in range(100, 1600) if number % 7)
    collection.run(f"INSERT INTO assets (id, title) VALUES {numbers}")
    first = count_records(collection.open(), search, {})
    assert len(first.state["changed"]["asset"]["seen"]) > 200
    collection.run("INSERT INTO assets (id, title) VALUES (105, 'x'), (3000, 'x')")
    assert count_records(collection.open(), search, first.state).found == {"asset": 2}
    swept = tag_records(
        collection.open(batch=100), search, read_tag_change({"tags": [{"_id": 5, "set": True}]}), first.state, Heard()
    )
    assert (swept.done, swept.changed) == (2, 2)
    assert collection.values("SELECT id FROM assets WHERE tags IS NOT NULL ORDER BY id") == [105, 3000]
