"""What the record modules do to records, on both databases; repeated, cancelled and refused."""

import json

import pytest
from msgspec.structs import replace
from tests.modules.record_tables import ASSET, CARD, PERSON, Heard

from rota.core.errors import Conflict, Invalid, Unavailable
from rota.modules.records.consolidation import Merge, consolidate
from rota.modules.records.creation import CreateObject
from rota.modules.records.deletion import delete_records
from rota.modules.records.remapping import Remap, map_records
from rota.modules.records.retagging import tag_records
from rota.modules.records.search import read_search
from rota.modules.records.tagging import read_tag_change

ASSETS = read_search({"objecttypes": ["asset"]})
RED = read_search({"objecttypes": ["asset"], "search": [{"type": "match", "fields": ["title"], "string": "red"}]})
PEOPLE = read_search({"objecttypes": ["person"]})
SET_5 = read_tag_change({"tags": [{"_id": 5, "set": True}, {"_id": 6, "set": False}]})


def tags_of(collection, table="assets"):
    found = collection.values(f"SELECT tags FROM {table} ORDER BY id")
    return [json.loads(tags) if isinstance(tags, str) else tags for tags in found]


def test_tags_are_set_and_unset_once(collection):
    collection.run(
        "UPDATE assets SET tags = '[6, 7]' WHERE id = 2"
        if "sqlite" in collection.url
        else "UPDATE assets SET tags = '{6,7}' WHERE id = 2"
    )
    swept = tag_records(collection.open(), ASSETS, SET_5, {}, Heard())
    assert (swept.done, swept.changed) == (3, 3)
    assert tags_of(collection) == [[5], [7, 5], [5]]
    again = tag_records(collection.open(), ASSETS, SET_5, {}, Heard())
    assert (again.done, again.changed) == (3, 0)


def test_progress_is_told_batch_by_batch(collection):
    watch = Heard()
    tag_records(collection.open(batch=1), ASSETS, SET_5, {}, watch)
    assert watch.lines == [
        ("debug", "1 of 3 records", 33),
        ("debug", "2 of 3 records", 66),
        ("debug", "3 of 3 records", 99),
    ]


def test_who_cancels_keeps_what_is_done_and_may_go_on(collection):
    search = read_search({"objecttypes": ["asset"], "incremental": True})
    swept = tag_records(collection.open(batch=2), search, SET_5, {}, Heard(cancel_after=1))
    assert (swept.done, swept.state) == (2, {})
    assert tags_of(collection) == [[5], [5], None]
    whole = tag_records(collection.open(batch=2), search, SET_5, swept.state, Heard())
    assert (whole.done, whole.changed) == (3, 1)
    assert tag_records(collection.open(), search, SET_5, whole.state, Heard()).done == 0


def test_a_batch_that_cannot_be_written_is_undone_whole(collection):
    collection.run("INSERT INTO cards (id, tags) VALUES (31, '[1]'), (32, '[2]'), (33, '7'), (34, '[3]')")
    with pytest.raises(Conflict, match="the tags of card 33 are no list"):
        tag_records(collection.open(batch=2), read_search({"objecttypes": ["card"]}), SET_5, {}, Heard())
    assert tags_of(collection, "cards") == [[1, 5], [2, 5], 7, [3]]


def test_tags_need_a_column(collection):
    with pytest.raises(Unavailable, match="names no column tags"):
        tag_records(collection.open(), PEOPLE, SET_5, {}, Heard())


def test_setnull_puts_into_the_trash_and_lets_go(collection):
    swept = delete_records(collection.open(), RED, "setnull", {}, Heard())
    assert (swept.found, swept.changed) == ({"asset": 2}, 2)
    assert collection.values("SELECT id FROM assets WHERE deleted_at IS NOT NULL ORDER BY id") == [1, 3]
    assert collection.values("SELECT asset_id FROM loans ORDER BY id") == [None, None, 2]
    assert delete_records(collection.open(), RED, "setnull", {}, Heard()).found == {"asset": 0}


def test_setnull_refuses_where_nothing_can_be_let_go(collection):
    with pytest.raises(Conflict, match=r"loans.person_id may not be empty .* delete_policy remove"):
        delete_records(collection.open(), PEOPLE, "setnull", {}, Heard())
    assert collection.values("SELECT count(*) FROM people WHERE gone") == [0]


def test_remove_takes_rows_along_that_refer(collection):
    collection.run("INSERT INTO cards (id, asset_id) VALUES (31, 1), (32, 2)")
    collection.run("UPDATE assets SET parent_id = 1 WHERE id = 2")
    delete_records(collection.open(), RED, "remove", {}, Heard())
    assert collection.values("SELECT id FROM loans ORDER BY id") == [23]
    assert collection.values("SELECT id FROM cards WHERE deleted_at IS NOT NULL") == [31]
    assert collection.values("SELECT id FROM assets WHERE deleted_at IS NULL") == []


def test_purge_deletes_for_good_out_of_the_trash_too(collection):
    collection.run("UPDATE assets SET deleted_at = '2026-01-01 10:00:00' WHERE id = 1")
    swept = delete_records(collection.open(), RED, "purge", {}, Heard())
    assert swept.changed == 2
    assert collection.values("SELECT id FROM assets") == [2]
    assert collection.values("SELECT asset_id FROM loans ORDER BY id") == [None, None, 2]


def test_undelete_takes_out_of_the_trash(collection):
    delete_records(collection.open(), PEOPLE, "remove", {}, Heard())
    assert collection.values("SELECT count(*) FROM people WHERE gone") == [2]
    assert delete_records(collection.open(), PEOPLE, "undelete", {}, Heard()).changed == 2
    assert collection.values("SELECT count(*) FROM people WHERE gone") == [0]


def test_without_a_trash_deleting_is_for_good_and_there_is_no_way_back(collection):
    types = (replace(ASSET, trash=None), PERSON, CARD)
    with pytest.raises(Unavailable, match="names no column trash"):
        delete_records(collection.open(types=types), RED, "undelete", {}, Heard())
    delete_records(collection.open(types=types), RED, "setnull", {}, Heard())
    assert collection.values("SELECT id FROM assets") == [2]


META = """
UPDATE assets SET meta = '{"iptc": {"headline": "Sunrise", "keywords": ["sea", "sky"]}, "exif": {"year": %s}}' WHERE id IN (1, 2)
"""


def test_metadata_fills_what_is_empty_and_overwrites_if_told(collection):
    collection.run(META % 1999)
    swept = map_records(collection.open(), ASSETS, Remap(tags=SET_5), {}, Heard())
    assert swept.changed == 3
    assert collection.rows("SELECT note, year FROM assets ORDER BY id") == [
        ("by the sea", 1990),
        ("Sunrise", 2000),
        ("a_b", None),
    ]
    assert tags_of(collection) == [[5], [5], [5]]
    assert map_records(collection.open(), ASSETS, Remap(overwrite=True), {}, Heard()).changed == 2
    assert collection.rows("SELECT note, year FROM assets ORDER BY id") == [("Sunrise", 1999), ("Sunrise", 1999), ("a_b", None)]
    assert map_records(collection.open(), ASSETS, Remap(overwrite=True), {}, Heard()).changed == 0


def test_metadata_that_does_not_fit_is_told_and_left_out(collection):
    collection.run(META % '"long ago"')
    watch = Heard()
    map_records(collection.open(), ASSETS, Remap(overwrite=True), {}, watch)
    assert ("warning", "asset 1: 'long ago' does not fit the column year", None) in watch.lines
    assert collection.values("SELECT note FROM assets ORDER BY id") == ["Sunrise", "Sunrise", "a_b"]


def test_records_are_made_of_metadata_once(collection):
    collection.run(META % 1999)
    remap = Remap(create=CreateObject("card", "short"), tags=SET_5)
    assert map_records(collection.open(), ASSETS, remap, {}, Heard()).changed == 2
    query = "SELECT asset_id, heading, words FROM cards ORDER BY id"
    assert collection.rows(query) == [(1, "Sunrise", None), (2, "Sunrise", None)]
    assert tags_of(collection, "cards") == [[5], [5]]
    assert map_records(collection.open(), ASSETS, remap, {}, Heard()).changed == 0

    collection.run("UPDATE cards SET deleted_at = 'today' WHERE asset_id = 1")
    assert map_records(collection.open(), ASSETS, Remap(create=CreateObject("card")), {}, Heard()).changed == 1
    assert collection.rows(query) == [(1, "Sunrise", None), (2, "Sunrise", "sea; sky")]


def test_what_is_not_declared_is_not_made(collection):
    with pytest.raises(Invalid, match=r"card has no mask long; there are: short"):
        map_records(collection.open(), ASSETS, Remap(create=CreateObject("card", "long")), {}, Heard())
    types = (ASSET, replace(PERSON, metadata="name"), CARD)
    with pytest.raises(Unavailable, match="must name one column of cards in referred_by"):
        map_records(collection.open(types=types), PEOPLE, Remap(create=CreateObject("card")), {}, Heard())


def test_a_dry_run_changes_nothing_and_tells(collection):
    watch = Heard()
    merged = consolidate(collection.open(), Merge(sources=[1, 3], target=2), watch)
    assert (merged.relinked, merged.deleted) == (2, 2)
    assert ("info", "2 rows of loans.asset_id refer to the sources", None) in watch.lines
    assert collection.values("SELECT asset_id FROM loans ORDER BY id") == [1, 1, 2]


def test_records_are_consolidated_and_a_repeat_finds_nothing(collection):
    collection.run("UPDATE assets SET parent_id = 1 WHERE id IN (2, 3)")
    merge = Merge(sources=[1, 3], target=2, dry_run=False)
    merged = consolidate(collection.open(batch=1), merge, Heard())
    assert (merged.relinked, merged.deleted) == (4, 2)
    assert collection.values("SELECT asset_id FROM loans ORDER BY id") == [2, 2, 2]
    assert collection.values("SELECT parent_id FROM assets ORDER BY id") == [None, None, 2]
    assert collection.values("SELECT id FROM assets WHERE deleted_at IS NULL") == [2]
    again = consolidate(collection.open(), merge, Heard())
    assert (again.relinked, again.deleted) == (0, 0)


def test_a_consolidation_that_is_cancelled_deletes_nothing(collection):
    merge = Merge(sources=[1], target=2, dry_run=False)
    merged = consolidate(collection.open(batch=1), merge, Heard(cancel_after=4))
    assert (merged.relinked, merged.deleted) == (1, 0)
    assert consolidate(collection.open(), merge, Heard()).relinked == 1
    assert collection.values("SELECT id FROM assets WHERE deleted_at IS NOT NULL") == [1]


def test_sources_may_stay(collection):
    merged = consolidate(collection.open(), Merge(sources=[1], target=2, dry_run=False, delete_sources=False), Heard())
    assert (merged.relinked, merged.deleted) == (2, 0)
    assert collection.values("SELECT count(*) FROM assets WHERE deleted_at IS NULL") == [3]


@pytest.mark.parametrize(
    ("sources", "target", "words"),
    [
        ([1], 99, "there is no record 99 out of the trash"),
        ([1, 11], 2, "11: not of the objecttype of the target, asset"),
    ],
)
def test_only_records_of_one_objecttype_are_consolidated(collection, sources, target, words):
    with pytest.raises(Conflict, match=words):
        consolidate(collection.open(), Merge(sources=sources, target=target, dry_run=False), Heard())


def test_ids_that_two_objecttypes_have_are_refused(collection):
    collection.run("INSERT INTO people (id, name) VALUES (1, 'Cy'), (2, 'Di')")
    with pytest.raises(Conflict, match="asset or person"):
        consolidate(collection.open(), Merge(sources=[1], target=2, dry_run=False), Heard())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": "nothing"}, "there is no table nothing"),
        ({"label": "name"}, "assets has no column name"),
        ({"id": "title"}, "whole numbers"),
    ],
)
def test_a_declaration_that_does_not_fit_is_told(collection, change, words):
    with pytest.raises(Unavailable, match=rf"\[records.objecttypes.asset\]: .*{words}"):
        collection.open(types=(replace(ASSET, **change),)).bind()


def test_tables_may_be_named_with_their_schema(collection):
    schema = "main" if "sqlite" in collection.url else "collection"
    referrers = tuple(f"{schema}.{name}" for name in ("loans.asset_id", "assets.parent_id"))
    asset = replace(ASSET, table=f"{schema}.assets", referred_by=referrers)
    collection.run("UPDATE assets SET parent_id = 1 WHERE id IN (2, 3)")
    merged = consolidate(collection.open(types=(asset, PERSON)), Merge(sources=[1], target=2, dry_run=False), Heard())
    assert (merged.relinked, merged.deleted) == (4, 1)
    assert collection.values("SELECT parent_id FROM assets WHERE id IN (2, 3) ORDER BY id") == [None, 2]
