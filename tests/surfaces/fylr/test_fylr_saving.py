"""What is saved and how it is shown: shapes, versions, merges, refusals (contract §4, §5, §7, §9)."""

import asyncio
from typing import Any

import pytest
from tests.surfaces.fylr.users_asking import TASK, People, asked

from rota.core.actor import OPERATOR
from rota.ops import audit
from rota.ops.context import Rota

FRESH = {
    "_version": 1, "task_module": "sleep", "task_params": {}, "task_timeout_sec": 0, "description": "", "next_run_at": None,
    "frontend_prefs": {}, "email": {"recipients": []}, "schedules": [], "state": {}, "status": "new", "status_percent": None,
    "status_msg": "", "run_started_at": None, "run_canceled_at": None, "run_finished_at": None,
}  # fmt: skip
FULL: dict[str, Any] = {
    "task_params": {"runtime": 5, "secret": "s3cret", "input": "ö"},
    "task_timeout_sec": 100,
    "description": "nightly nap",
    "frontend_prefs": {"app": {"x": [1, 2.5, None, {"deep": True}]}, "": {}},
    "email": {"recipients": [{"email": "a@b.c", "problems_only": True}, {"email": "d@e.f"}]},
    "schedules": [
        {"minutes": [0], "hours": [3], "timezone": "Europe/Berlin"},
        {"weekdays": ["monday"], "days_of_month": [1, 31]},
    ],
}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_new_task_has_every_field_with_its_default(rota: Rota, method: str) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.ask(method, body={"task": {"task_module": "sleep"}})
        number = made["task"]["_id"]
        assert number >= 1
        assert made == {
            "_basetype": "task",
            "created_at": "2026-03-02T12:00:00Z",
            "updated_at": "2026-03-02T12:00:00Z",
            "task": {"_id": number, **FRESH},
            "_user": {"_id": made["_user"]["_id"], "_version": 1, "_generated_displayname": "olga"},
        }
        assert made == await who.owner.ask("GET", f"/{number}")
        assert made["_user"]["_id"] >= 1
        assert await who.owner.ask("GET", f"/{number}/log") == []

    asked(rota, talk)


def test_what_is_sent_comes_back_as_it_was(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(**FULL, _version=1)
        recipients = [{"email": "a@b.c", "problems_only": True}, {"email": "d@e.f", "problems_only": False}]
        assert {name: made[name] for name in FULL} == {**FULL, "email": {"recipients": recipients}}
        assert await who.owner.get(made) == made

    asked(rota, talk)


def test_what_is_beside_the_task_and_what_repeats_the_defaults_is_passed_over(rota: Rota) -> None:
    async def talk(who: People) -> None:
        body = {"_basetype": "task", "created_at": "x", "_user": 5, "more": {}, "task": {**FRESH, "next_run_at": None}}
        made = await who.owner.ask("POST", body=body)
        assert made["created_at"] == "2026-03-02T12:00:00Z"
        nulls = {name: None for name in FRESH if name not in ("task_module", "state", "status", "status_msg")}
        again = await who.owner.task(**nulls, _id=None)
        assert {**again, "_id": 0} == {**made["task"], "_id": 0}

    asked(rota, talk)


BAD_TASKS: list[tuple[dict[str, Any], str]] = [
    ({"task_module": None}, "task.task_module"),
    ({"task_module": 5}, "task.task_module"),
    ({"_id": 1}, "task._id"),
    ({"_version": "1"}, "task._version"),
    ({"task_params": []}, "task.task_params"),
    ({"task_params": {"runtime": "5"}}, "task.task_params.runtime"),
    ({"task_params": {"runtime": True}}, "task.task_params.runtime"),
    ({"task_params": {"runtime": -1}}, "task.task_params.runtime"),
    ({"task_params": {"runtme": 1}}, "did you mean runtime"),
    ({"task_module": "search"}, "task.task_params.search"),
    ({"task_module": "search", "task_params": {"search": {"search": []}}}, "task.task_params.search"),
    ({"task_module": "delete_objects", "task_params": {"search": {"objecttypes": ["a"]}, "delete_policy": "x"}}, "delete_policy"),
    ({"task_timeout_sec": -1}, "task.task_timeout_sec"),
    ({"task_timeout_sec": 1.5}, "task.task_timeout_sec"),
    ({"task_timeout_sec": True}, "task.task_timeout_sec"),
    ({"task_timeout_sec": 10**18}, "task.task_timeout_sec"),
    ({"description": 5}, "task.description"),
    ({"description": "x" * 10_001}, "task.description"),
    ({"description": "a\x00b"}, "NUL"),
    ({"next_run_at": "tomorrow"}, "task.next_run_at"),
    ({"next_run_at": "2026-05-30T12:00:10"}, "task.next_run_at"),
    ({"next_run_at": "9999-12-31T23:59:59-10:00"}, "task.next_run_at"),
    ({"next_run_at": 5}, "task.next_run_at"),
    ({"frontend_prefs": []}, "task.frontend_prefs"),
    ({"email": []}, "task.email"),
    ({"email": {"recipients": [{"problems_only": True}]}}, "task.email.recipients.0.email"),
    ({"email": {"recipients": [{"email": "nobody"}]}}, "task.email.recipients.0.email"),
    ({"email": {"recipients": [{"email": "a@b", "cc": "x"}]}}, "task.email.recipients.0.cc"),
    ({"email": {"to": []}}, "task.email.to"),
    ({"email": {"recipients": [{"email": "a@b"}] * 101}}, "task.email.recipients"),
    ({"schedules": {}}, "task.schedules"),
    ({"schedules": [{"hours": [24]}]}, "task.schedules.0.hours"),
    ({"schedules": [{}, {"minutes": [-1]}]}, "task.schedules.1.minutes"),
    ({"schedules": [{"days_of_month": [0]}]}, "task.schedules.0.days_of_month"),
    ({"schedules": [{"weekdays": ["mon"]}]}, "task.schedules.0.weekdays"),
    ({"schedules": [{"weekdays": ["Monday"]}]}, "task.schedules.0.weekdays"),
    ({"schedules": [{"timezone": "Mars/Olympus"}]}, "task.schedules.0.timezone"),
    ({"schedules": [{"hour": [3]}]}, "task.schedules.0.hour"),
    ({"schedules": [{"hours": 3}]}, "task.schedules.0.hours"),
    ({"schedules": [{}] * 101}, "task.schedules"),
    ({"status": "done"}, "task.status"),
    ({"status_percent": 5}, "task.status_percent"),
    ({"status_msg": None}, "task.status_msg"),
    ({"state": {"x": 1}}, "task.state"),
    ({"run_started_at": "2026-05-30T12:00:10Z"}, "task.run_started_at"),
    ({"run_canceled_at": ""}, "task.run_canceled_at"),
    ({"run_finished_at": 0}, "task.run_finished_at"),
    ({"descrption": "x"}, "task.descrption"),
]


def test_a_task_that_cannot_be_is_refused_with_the_field_and_nothing_is_made(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for fields, words in BAD_TASKS:
            refused = await who.owner.create(400, **fields)
            assert (refused["code"], words in refused["parameters"]["msg"]) == ("ServerGeneric", True), (fields, refused)
        assert (await who.owner.ask("GET"))["count"] == 0

    asked(rota, talk)


def test_a_body_that_is_no_wrapper_is_refused(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for raw in (b"", b"{", b"[]", b"null", b"5", b'{"task": []}', b'{"task_module": "sleep"}',
                    b'{"_basetype": "user", "task": {}}',
                    b'{"task": {"task_module": "sleep", "task_module": 5}}', b"\xff", b"[" * 100_000):  # fmt: skip
            for method, path in (("POST", ""), ("PUT", ""), ("PATCH", "/1")):
                reply = await who.owner.client.request(
                    method, TASK + path, content=raw, headers={"Content-Type": "application/json"}
                )
                assert (reply.status_code, reply.json()["code"]) == (400, "ServerGeneric"), raw
        reply = await who.owner.client.post(
            TASK, content=b'{"task": {"task_module": "sleep"}}', headers={"Content-Type": "text/xml"}
        )
        assert (reply.status_code, reply.json()["code"]) == (400, "ServerGeneric")
        assert (await who.owner.ask("GET"))["count"] == 0

    asked(rota, talk)


def test_unknown_modules_and_other_first_versions_have_codes_of_their_own(rota: Rota) -> None:
    async def talk(who: People) -> None:
        refused = await who.owner.create(400, task_module="indexing")
        assert (refused["code"], refused["parameters"]["name"]) == ("ModuleUnknown", "indexing")
        for version in (0, 2, -1):
            refused = await who.owner.create(400, _version=version)
            assert (refused["code"], refused["parameters"]["expected"], refused["parameters"]["got"]) == (
                "VersionMismatch",
                1,
                version,
            )

    asked(rota, talk)


def test_a_list_of_very_many_tasks_comes_in_pages(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(who: People) -> None:
        made = [(await who.owner.create())["task"]["_id"] for _ in range(3)]
        monkeypatch.setattr("rota.surfaces.fylr.tasks.LONGEST_LIST", 2)
        first = await who.owner.ask("GET", limit=1000)
        assert (first["limit"], first["count"], [each["task"]["_id"] for each in first["objects"]]) == (2, 3, made[:0:-1])
        rest = await who.owner.ask("GET", limit=1000, offset=first["limit"])
        assert (rest["limit"], [each["task"]["_id"] for each in rest["objects"]]) == (1000, made[:1])

    asked(rota, talk)


def test_8_count_is_the_total_and_limit_and_offset_are_what_was_applied(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = [(await who.owner.task())["_id"] for _ in range(3)]
        await who.stranger.task()
        for query, expected in (
            ({}, made[::-1]), ({"limit": 1}, made[2:]), ({"limit": 1, "offset": 1}, made[1:2]), ({"offset": 2}, made[:1]),
            ({"offset": 3}, []), ({"limit": 0}, []), ({"limit": 10**18, "offset": 10**18}, []), ({"other": "x"}, made[::-1]),
        ):  # fmt: skip
            found = await who.owner.ask("GET", **query)
            assert [each["task"]["_id"] for each in found["objects"]] == expected
            assert (found["count"], found["limit"], found["offset"]) == (3, query.get("limit", 100), query.get("offset", 0))
            assert list(found) == ["limit", "offset", "count", "objects"]
        for bad in ("x", "-1", "", "1.0", "+1"):
            for name in ("limit", "offset"):
                assert (await who.owner.ask("GET", status=400, **{name: bad}))["code"] == "ServerGeneric"

    asked(rota, talk)


def test_7_a_change_carries_the_next_version_or_changes_nothing(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(description="before")
        for version in (1, 3, 0, -1, None):
            body = {"task": {"description": "after"} | ({} if version is None else {"_version": version})}
            refused = await who.owner.ask("PATCH", f"/{made['_id']}", body, 400)
            assert refused["code"] == "VersionMismatch"
            assert refused["parameters"] | {"realm": 0} == {
                "expected": 2, "got": version, "object": f"task {made['_id']}", "realm": 0, "statuscode": 400,
            }  # fmt: skip
        assert await who.owner.get(made) == made
        rota.clock.advance(61)  # type: ignore[attr-defined]
        changed = await who.owner.patch(made, description="after")
        assert changed["updated_at"] == "2026-03-02T12:01:01Z"
        assert changed["created_at"] == "2026-03-02T12:00:00Z"
        assert changed["task"] == {**made, "_version": 2, "description": "after"}

    asked(rota, talk)


def test_of_two_changes_from_one_version_one_wins(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        bodies = [{"task": {"_version": 2, "description": str(number)}} for number in range(8)]
        path = f"{TASK}/{made['_id']}"
        replies = await asyncio.gather(*(who.owner.client.patch(path, json=body) for body in bodies))
        won = [reply.json()["task"] for reply in replies if reply.status_code == 200]
        assert [reply.json()["code"] for reply in replies if reply.status_code != 200] == ["VersionMismatch"] * 7
        assert won == [await who.owner.get(made)]

    asked(rota, talk)


def test_9_what_is_not_sent_stays_what_is_sent_replaces_and_null_is_the_default(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(**FULL)
        task = (await who.owner.patch(made, description="x"))["task"]
        assert task == {**made, "_version": 2, "description": "x"}
        new = {
            "task_params": {"input": "y"},
            "frontend_prefs": {"b": 1},
            "email": {"recipients": [{"email": "x@y", "problems_only": False}]},
        }
        task = (await who.owner.patch(task, **new, task_timeout_sec=7))["task"]
        assert task == {**made, **new, "_version": 3, "description": "x", "task_timeout_sec": 7}
        nulls = ("task_params", "task_timeout_sec", "description", "frontend_prefs", "email", "schedules", "next_run_at")
        task = (await who.owner.patch(task, **dict.fromkeys(nulls)))["task"]
        assert task == {"_id": made["_id"], **FRESH, "_version": 4}

    asked(rota, talk)


def test_a_task_may_be_sent_back_whole_and_what_the_server_writes_may_not_be_changed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        wrapper = await who.owner.create(**FULL)
        wrapper["task"]["_version"] = 2
        changed = await who.owner.ask("PATCH", f"/{wrapper['task']['_id']}", wrapper)
        assert changed["task"] == wrapper["task"]
        for fields in (
            {"status": "done"}, {"status": None}, {"state": {"a": 1}}, {"status_percent": 0},
            {"run_started_at": "2026-05-30T12:00:10Z"},
            {"_id": 4711}, {"task_module": "search"}, {"task_module": None}, {"nonsense": 1}, {"task_params": {"x": 1}},
            {"schedules": [{"hours": [25]}]}, {"next_run_at": "x"}, {"email": {"recipients": [{"email": ""}]}},
        ):  # fmt: skip
            refused = await who.owner.patch(changed["task"], 400, **fields)
            assert refused["code"] == "ServerGeneric", fields
        assert await who.owner.get(changed["task"]) == changed["task"]

    asked(rota, talk)


def test_a_deleted_task_is_gone_and_its_number_is_not_given_again(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        assert await who.owner.ask("DELETE", f"/{made['_id']}") == {"status": {"acknowledged": "ok"}}
        await who.owner.ask("GET", f"/{made['_id']}", status=404)
        await who.owner.ask("DELETE", f"/{made['_id']}", status=404)
        await who.owner.patch(made, 400)
        assert (await who.owner.task())["_id"] > made["_id"]

    asked(rota, talk)


def test_modules_are_listed_with_all_their_parameters(rota: Rota) -> None:
    async def talk(who: People) -> None:
        found = {module["name"]: module for module in (await who.owner.ask("GET", "/modules"))["modules"]}
        records = {"search", "delete_objects", "set_unset_tags", "metadata", "consolidate_objects"}
        assert found.keys() >= {"sleep", *records}
        assert {name for name, module in found.items() if module["debug"]} == {"sleep"}
        for module in found.values():
            assert list(module) == ["name", "displayname", "description", "debug", "params"]
            assert module["displayname"]["en-US"]
            for section in module["params"]:
                assert list(section) == ["name", "group", "parameters"]
                places = [parameter["position"] for parameter in section["parameters"].values()]
                assert places == sorted(set(places))
                assert all(parameter["type"] for parameter in section["parameters"].values())
        (section,) = found["sleep"]["params"]
        assert {name: each["type"] for name, each in section["parameters"].items()} == {
            "runtime": "int",
            "secret": "secret",
            "input": "text",
        }
        assert section["parameters"]["input"]["default"] == "default test string"

    asked(rota, talk)


def test_who_made_and_changed_what_is_in_the_audit_log(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        await who.stranger.patch(made, description="x")
        await who.root.ask("DELETE", f"/{made['_id']}")
        found = await audit.list_entries(rota, OPERATOR, limit=10)
        assert [entry.action for entry in found.items] == ["task.deleted", "task.updated", "task.created"]
        assert len({entry.actor_id for entry in found.items}) == 3

    asked(rota, talk)


def counting(ask: Any, counted: list[str]) -> Any:
    def count(connection: Any, sql: str, *rest: Any) -> Any:
        counted.append(sql)
        return ask(connection, sql, *rest)

    return count


def test_a_list_costs_as_many_questions_for_fifty_as_for_one(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    from rota.store.sqlite import SqliteConnection

    counted: list[str] = []
    for name in ("rows", "batch"):
        monkeypatch.setattr(SqliteConnection, name, counting(getattr(SqliteConnection, name), counted))

    async def cost(who: People) -> int:
        counted.clear()
        await who.owner.ask("GET")
        return len(counted)

    async def talk(who: People) -> None:
        await who.owner.task()
        one = await cost(who)
        for _ in range(49):
            await who.owner.task(schedules=[{}])
        assert await cost(who) == one

    asked(rota, talk)
