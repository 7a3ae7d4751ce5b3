"""The record modules as fylr's clients see them (contract §7): what is saved, and what runs come to."""

import asyncio

import pytest
from tests.modules.record_tables import SQLITE, Collection
from tests.surfaces.fylr.users_asking import PAST, asked, served

pytestmark = pytest.mark.e2e

SETTINGS = """
[records]
url = "sqlite:///{folder}/collection.db"

[records.objecttypes.asset]
table = "assets"
label = "title"
tags = "tags"
trash = "deleted_at"
changed = "updated_at"
referred_by = ["loans.asset_id"]

[files]
roots = ["{folder}"]
"""
RED = {"objecttypes": ["asset"], "search": [{"type": "match", "fields": ["title"], "string": "red"}], "incremental": True}
TAGS = {"tags": [{"_id": 5, "set": True}]}
MERGE = {"source_system_object_ids": [1, 3], "target_system_object_id": 2}


@pytest.fixture
def collection(tmp_path):
    (tmp_path / "collection.db").touch()
    made = Collection(f"sqlite:///{tmp_path}/collection.db")
    made.create(SQLITE)
    made.fill()
    yield made
    made.close()


def test_modules_are_listed_with_their_parameters(rota):
    async def talk(who):
        reply = await who.owner.ask("GET", "/modules")
        return {module["name"]: module for module in reply["modules"]}

    modules = asked(rota, talk)
    wanted = {
        "search": {"search": ("json", None)},
        "delete_objects": {"search": ("json", None), "delete_policy": ("select", "setnull")},
        "set_unset_tags": {"search": ("json", None), "set_unset_tags": ("json", None)},
        "metadata": {
            "search": ("json", None),
            "create_object": ("json", None),
            "set_unset_tags": ("json", None),
            "overwrite_values": ("bool", False),
        },
        "consolidate_objects": {
            "source_system_object_ids": ("int-list", None),
            "target_system_object_id": ("int", None),
            "dry_run": ("bool", True),
            "delete_sources": ("bool", True),
        },
    }
    for name, parameters in wanted.items():
        (section,) = modules[name]["params"]
        assert {key: (each["type"], each.get("default")) for key, each in section["parameters"].items()} == parameters
        assert not modules[name]["debug"]
        assert modules[name]["displayname"].keys() == {"en-US", "de-DE"}
    assert modules["delete_objects"]["params"][0]["parameters"]["delete_policy"]["options"] == [
        "setnull",
        "remove",
        "purge",
        "undelete",
    ]


REFUSED = [
    ("search", {}),
    ("search", {"search": {}}),
    ("search", {"search": {"search": []}}),
    ("search", {"search": {"search": [], "objecttypes": []}}),
    ("search", {"search": []}),
    ("search", {"search": {"search": [{"type": "nested"}]}}),
    ("search", {"search": RED, "other": 1}),
    ("delete_objects", {"search": RED, "delete_policy": "burn"}),
    ("delete_objects", {"search": None}),
    ("set_unset_tags", {"search": RED}),
    ("set_unset_tags", {"search": RED, "set_unset_tags": {"tags": []}}),
    ("set_unset_tags", {"search": RED, "set_unset_tags": {"tags": [{"_id": "5", "set": True}]}}),
    ("set_unset_tags", {"search": RED, "set_unset_tags": {"tags": [{"_id": 5}]}}),
    ("set_unset_tags", {"search": RED, "set_unset_tags": {"tags": [{"_id": 5, "set": True}, {"_id": 5, "set": False}]}}),
    ("metadata", {"search": RED, "overwrite_values": "yes"}),
    ("metadata", {"search": RED, "create_object": {"mask": "a"}}),
    ("consolidate_objects", {"source_system_object_ids": [1]}),
    ("consolidate_objects", MERGE | {"target_system_object_id": 0}),
    ("consolidate_objects", MERGE | {"target_system_object_id": 1}),
    ("consolidate_objects", MERGE | {"source_system_object_ids": [1, 1]}),
    ("consolidate_objects", MERGE | {"source_system_object_ids": [1, "3"]}),
    ("consolidate_objects", MERGE | {"dry_run": None}),
    ("http_check", {"url": "file:///etc/passwd"}),
    ("archive", {"source": "relative", "target": "/srv"}),
]


def test_what_does_not_fit_is_not_saved(rota):
    async def talk(who):
        for module, params in REFUSED:
            reply = await who.owner.create(400, task_module=module, task_params=params)
            assert reply["code"] == "ServerGeneric", (module, params)
        return (await who.owner.ask("GET"))["count"]

    assert asked(rota, talk) == 0


def test_what_fits_is_kept_as_it_was_sent(rota):
    async def talk(who):
        for search in ({"search": [], "objecttypes": ["asset"]}, RED):
            task = await who.owner.task(task_module="search", task_params={"search": search})
            assert (await who.owner.get(task))["task_params"] == {"search": search}

    asked(rota, talk)


def test_records_are_tagged_once_and_then_only_what_was_changed(tmp_path, collection):
    params = {"search": RED, "set_unset_tags": TAGS}

    async def last_words(who, task, *others):
        while True:
            found, log = await who.owner.get(task), await who.owner.ask("GET", f"/{task['_id']}/log")
            if found["status"] in ("done", "error") and log and log[-1]["msg"] not in others:
                return log[-1]["msg"]
            await asyncio.sleep(0.01)

    async def talk(who):
        task = await who.owner.task(task_module="set_unset_tags", task_params=params, next_run_at=PAST)
        first = await last_words(who, task)
        done = await who.owner.get(task)
        await who.owner.patch(done, next_run_at=PAST)
        return done, [first, await last_words(who, task, first)]

    done, words = served(tmp_path, talk, SETTINGS.format(folder=tmp_path))
    assert (done["status"], done["status_percent"]) == ("done", 100)
    assert words == ["2 records found (asset 2), 2 changed", "0 records found (asset 0), 0 changed"]
    assert collection.values("SELECT tags FROM assets ORDER BY id") == ["[5]", None, "[5]"]


def test_without_a_record_store_a_run_ends_in_error_and_says_what_is_missing(tmp_path):
    async def talk(who):
        tasks = [
            await who.owner.task(task_module="search", task_params={"search": RED}, next_run_at=PAST),
            await who.owner.task(task_module="consolidate_objects", task_params=MERGE, next_run_at=PAST),
        ]
        return [await who.owner.until(task, "done", "error") for task in tasks]

    for task in served(tmp_path, talk):
        assert task["status"] == "error"
        assert task["status_msg"].startswith("no records are declared: the settings need [records] with a url")
