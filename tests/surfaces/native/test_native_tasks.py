"""POST GET PATCH DELETE /v1/tasks."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.asking import SHELL, People, asked, new_run, new_task
from tests.factories import NOON, at, make_task

from rota.ops.context import Rota
from rota.store import tasks

DAILY = {"kind": "cron", "expr": "0 3 * * *"}


def test_a_new_task_is_planned_from_now_and_wakes_the_scheduler(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule=DAILY, title="Backup", labels=["nightly"], params={"depth": 2})
        assert task["next_at"] == "2026-03-03T03:00:00Z"
        assert (task["status"], task["source"], task["version"]) == ("active", "api", 1)
        assert (task["title"], task["labels"], task["params"]) == ("Backup", ["nightly"], {"depth": 2})
        assert (await who.owner.get(f"/v1/tasks/{task['id']}")).json() == task

    asked(rota, talk)
    assert rota.bus.signal("scheduler").is_set()


def test_a_new_task_says_where_it_is_and_at_which_version(rota: Rota) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.post("/v1/tasks", json={"name": "backup", "executor": SHELL})
        assert reply.headers["location"] == f"/v1/tasks/{reply.json()['id']}"
        assert reply.headers["etag"] == '"1"'

    asked(rota, talk)


def test_a_policy_is_shown_whole(rota: Rota) -> None:
    async def talk(who: People) -> None:
        policy = (await new_task(who.owner, policy={"overlap": "skip", "retry": {"attempts": 3}}))["policy"]
        assert (policy["overlap"], policy["max_concurrent"]) == ("skip", 1)
        assert policy["retry"] == {"attempts": 3, "backoff": "constant", "delay_s": 5.0, "cap_s": 300.0}

    asked(rota, talk)


def test_a_moment_in_the_past_is_due_now(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule={"kind": "once", "at": "2020-01-01T00:00:00Z"})
        assert task["next_at"] == "2020-01-01T00:00:00Z"

    asked(rota, talk)


@pytest.mark.parametrize(
    ("body", "location", "hint"),
    [
        ({"name": "x y"}, "body.name", "matching"),
        ({"name": "x\n"}, "body.name", "matching"),
        ({"executor": {"kind": "shel", "script": "x"}}, "body.executor.kind", "'shell'"),
        ({"executor": {"kind": "shell", "script": "x", "sell": "/bin/sh"}}, "body.executor.sell", "'shell'"),
        ({"executor": {"kind": "shell", "script": "a\x00b"}}, "body.executor.script", "NUL"),
        ({"polisy": {}}, "body.polisy", "'policy'"),
        ({"policy": {"overlap": "qeue"}}, "body.policy.overlap", "'queue'"),
        ({"policy": {"retry": {"atempts": 1}}}, "body.policy.retry.atempts", "'attempts'"),
        ({"policy": {"priority": 10}}, "body.policy.priority", "<= 9"),
        ({"policy": {"timeout_s": 1e300}}, "body.policy.timeout_s", "<="),
        ({"policy": {"exit_codes": [0, 256]}}, "body.policy.exit_codes.1", "<= 255"),
        ({"schedule": {"kind": "corn", "expr": "* * * * *"}}, "body.schedule.kind", "'cron'"),
        ({"schedule": {"kind": "cron", "expr": "99 * * * *"}}, "body.schedule.expr", "0 to 59"),
        ({"schedule": {"kind": "cron", "exp": "* * * * *"}}, "body.schedule.exp", "'expr'"),
        ({"schedule": {**DAILY, "timezone": "Europ/Berlin"}}, "body.schedule.timezone", "Europe/Berlin"),
        ({"schedule": {"kind": "calendar", "entries": [{}, {"hours": [24]}]}}, "body.schedule.entries.1.hours", "0 to 23"),
        ({"schedule": {"kind": "once", "at": "tomorrow"}}, "body.schedule.at", "moment"),
        ({"schedule": DAILY, "service": {}}, "body.schedule", "service"),
        ({"inputs": [{"kind": "option", "key": "name"}]}, "body.inputs.0.key", "-"),
        ({"labels": [""]}, "body.labels.0", "length"),
        ({"params": {"n": 2**64}}, "body.params.n", "64 bits"),
        ({"params": []}, "body.params", "object"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_at_the_field(rota: Rota, body: dict[str, Any], location: str, hint: str) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.post("/v1/tasks", json={"name": "backup", "executor": SHELL, **body})
        assert reply.status_code == 422, reply.text
        [problem] = reply.json()["errors"]
        assert problem["location"] == location
        assert hint in problem["message"]
        assert (await who.root.get("/v1/tasks")).json()["items"] == []

    asked(rota, talk)


def test_a_name_is_taken_once_per_owner(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        again = await who.owner.post("/v1/tasks", json={"name": "backup", "executor": SHELL})
        assert again.status_code == 409
        assert "backup" in again.json()["detail"]
        await new_task(who.stranger)

    asked(rota, talk)


def test_a_shell_task_needs_the_right_to_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for reply in (
            await who.plain.post("/v1/tasks", json={"name": "b", "executor": SHELL}),
            await who.plain.post("/v1/tasks", json={"name": "b", "executor": {**SHELL, "script": "id"}}),
        ):
            assert reply.status_code == 403
            assert "task.shell" in reply.json()["detail"]

    asked(rota, talk)


def test_a_list_is_paged_without_gap_or_repetition(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = [(await new_task(who.owner, name=f"task-{number}"))["id"] for number in range(7)]
        await new_task(who.stranger)
        found, cursor = [], None
        while True:
            page = (await who.owner.get("/v1/tasks", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
            found += [task["id"] for task in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == made
        assert len((await who.root.get("/v1/tasks")).json()["items"]) == 8

    asked(rota, talk)


def test_an_unknown_name_suggests_the_nearest_of_ones_own(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        assert (await who.owner.get("/v1/tasks/bakup")).json()["hint"] == "did you mean backup?"
        assert (await who.stranger.get("/v1/tasks/bakup")).json()["hint"] is None

    asked(rota, talk)


def test_a_change_merges_into_the_document(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY, title="Old", policy={"priority": 3, "retry": {"attempts": 2}})
        reply = await who.owner.patch("/v1/tasks/backup", json={"title": None, "policy": {"retry": {"delay_s": 9}}})
        task = reply.json()
        assert (reply.status_code, task["version"], task["title"]) == (200, 2, None)
        assert (task["policy"]["priority"], task["policy"]["retry"]["attempts"], task["policy"]["retry"]["delay_s"]) == (3, 2, 9)
        assert task["next_at"] == "2026-03-03T03:00:00Z"

    asked(rota, talk)


def test_an_object_with_a_kind_takes_the_whole_place(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule={**DAILY, "timezone": "Europe/Berlin"})
        reply = await who.owner.patch("/v1/tasks/backup", json={"schedule": {"kind": "once", "at": "2026-05-01T00:00:00Z"}})
        assert reply.json()["schedule"] == {"kind": "once", "at": "2026-05-01T00:00:00Z", "after_s": None, "timezone": None}
        assert reply.json()["next_at"] == "2026-05-01T00:00:00Z"

    asked(rota, talk)


def test_a_changed_schedule_counts_from_the_change(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule={"kind": "cron", "expr": "@every 1h"})
        rota.clock.advance(1800)  # type: ignore[attr-defined]
        task = (await who.owner.patch("/v1/tasks/backup", json={"schedule": {"expr": "@every 2h"}})).json()
        assert task["next_at"] == "2026-03-02T14:30:00Z"

    asked(rota, talk)


def test_a_change_for_another_version_is_refused(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        stale = await who.owner.patch("/v1/tasks/backup", json={"title": "a"}, headers={"If-Match": '"7"'})
        assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
        fresh = await who.owner.patch("/v1/tasks/backup", json={"title": "a"}, headers={"If-Match": '"1"'})
        assert fresh.headers["etag"] == '"2"'
        wrong = await who.owner.patch("/v1/tasks/backup", json={"title": "a"}, headers={"If-Match": "new"})
        assert wrong.json()["errors"][0]["location"] == "header.If-Match"

    asked(rota, talk)


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"name": "other"}, "body.name"),
        ({"nme": "other", "polcy": {}}, "body.nme"),
        ({"policy": {"overlap": "never"}}, "body.policy.overlap"),
        ({"schedule": {"expr": "61 * * * *"}}, "body.schedule.expr"),
        ({"executor": None}, "body.executor"),
    ],
)
def test_a_wrong_change_changes_nothing(rota: Rota, change: dict[str, Any], location: str) -> None:
    async def talk(who: People) -> None:
        before = await new_task(who.owner, schedule=DAILY)
        reply = await who.owner.patch("/v1/tasks/backup", json=change)
        assert (reply.status_code, reply.json()["errors"][0]["location"]) == (422, location)
        assert (await who.owner.get("/v1/tasks/backup")).json() == before

    asked(rota, talk)


def test_what_a_newer_version_stored_survives_a_change(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner)
        document = {"name": "backup", "executor": SHELL, "color": "green"}
        rota.database.run(lambda c: tasks.update_spec(c, task["id"], document, version=1, updated_at=NOON))
        await who.owner.patch("/v1/tasks/backup", json={"title": "New"})
        assert (rota.database.run(lambda c: tasks.find_doc(c, task["id"])) or {})["color"] == "green"

    asked(rota, talk)


def test_tasks_of_the_settings_file_are_changed_there_alone(rota: Rota) -> None:
    rota.database.run(lambda c: tasks.insert_task(c, make_task(name="filed", source="file")))

    async def talk(who: People) -> None:
        for reply in (await who.root.patch("/v1/tasks/filed", json={"title": "x"}), await who.root.delete("/v1/tasks/filed")):
            assert reply.status_code == 409
            assert "settings file" in reply.json()["hint"]

    asked(rota, talk)


def test_a_removed_task_frees_its_name_and_keeps_its_history(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner)
        run = await new_run(who.owner, task)
        assert (await who.owner.delete("/v1/tasks/backup")).status_code == 204
        assert (await who.owner.get("/v1/tasks/backup")).status_code == 404
        ended = (await who.owner.get(f"/v1/runs/{run['id']}")).json()
        assert (ended["state"], ended["reason"]) == ("stopped", "task_removed")
        await new_task(who.owner)

    asked(rota, talk)
    assert rota.bus.signal("dispatcher").is_set()


def test_moments_are_utc_to_the_microsecond(rota: Rota) -> None:
    rota.clock.advance(0.25)  # type: ignore[attr-defined]

    async def talk(who: People) -> None:
        created_at = (await new_task(who.owner))["created_at"]
        assert created_at.endswith("Z")
        assert datetime.fromisoformat(created_at).astimezone(UTC) == at(0.25)

    asked(rota, talk)
