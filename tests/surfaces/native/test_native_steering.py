"""Pause, resume, cancel and snooze."""

import json
from typing import Any

import pytest
from tests.asking import People, asked, new_run, new_task
from tests.factories import make_id

from rota.core.service import Instance
from rota.ops.context import Rota
from rota.store import admission, instances, runs

DAILY = {"kind": "cron", "expr": "0 3 * * *"}


def begin(rota: Rota, run_id: str) -> None:
    """As the dispatcher does."""
    rota.database.run(lambda c: admission.claim_direct(c, [run_id], "node", rota.clock.now()))


def stop_cause_of(rota: Rota, run_id: str) -> Any:
    return rota.database.run(lambda c: c.row("SELECT stop_cause FROM runs WHERE id = ?", (run_id,)), write=False)


def test_a_pause_drops_what_waits_and_lets_go_on_what_runs(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule=DAILY)
        running, waiting = await new_run(who.owner, task), await new_run(who.owner, task)
        begin(rota, running["id"])
        assert (await who.owner.post("/v1/tasks/backup/pause")).json()["status"] == "paused"
        states = {run["id"]: (run["state"], run["reason"]) for run in (await who.owner.get("/v1/runs")).json()["items"]}
        assert states == {running["id"]: ("running", None), waiting["id"]: ("skipped", "task_paused")}
        assert (await who.owner.post("/v1/tasks/backup/pause")).status_code == 200

    asked(rota, talk)


def test_nothing_missed_in_a_pause_is_made_up(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        await who.owner.post("/v1/tasks/backup/pause")
        rota.clock.advance(3 * 86_400)  # type: ignore[attr-defined]
        task = (await who.owner.post("/v1/tasks/backup/resume")).json()
        assert (task["status"], task["next_at"]) == ("active", "2026-03-06T03:00:00Z")
        slots = (await who.owner.get("/v1/tasks/backup/slots?at=2026-03-04T03:00:00Z")).json()["items"]
        assert slots[0]["reason"] == "task_paused"

    asked(rota, talk)


def test_a_paused_service_is_stopped_and_a_resumed_one_may_try_again(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, service={})
        run_id = make_id()
        await rota.database.write(
            lambda c: c.run(
                "INSERT INTO runs (id, task_id, state, admission, trigger_kind, created_at, due_at, instance)"
                " VALUES (?, ?, 'pending', 'new', 'service', 0, 0, 0)",
                (run_id, task["id"]),
            )
        )
        begin(rota, run_id)
        await who.owner.post("/v1/tasks/backup/pause")
        assert stop_cause_of(rota, run_id) == ("stop",)
        rota.database.run(lambda c: instances.upsert_instances(c, [Instance(task_id=task["id"], number=0, fatal=True)]))
        await who.owner.post("/v1/tasks/backup/resume")
        assert rota.database.run(lambda c: instances.list_instances(c, task["id"])) == []

    asked(rota, talk)
    assert rota.bus.signal("supervisor").is_set()


def test_a_canceled_task_is_canceled_for_good(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, schedule=DAILY)
        waiting = await new_run(who.owner, task)
        assert (await who.owner.post("/v1/tasks/backup/cancel")).json()["status"] == "canceled"
        run = rota.database.run(lambda c: runs.get_run(c, waiting["id"]))
        assert (run.state, run.reason) == ("skipped", "task_removed")
        for verb in ("pause", "resume", "cancel", "run"):
            assert (await who.owner.post(f"/v1/tasks/backup/{verb}")).status_code == 409, verb
        assert (await who.owner.patch("/v1/tasks/backup", json={"title": "x"})).status_code == 409
        assert (await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 60})).status_code == 409
        assert (await who.owner.delete("/v1/tasks/backup")).status_code == 204

    asked(rota, talk)


def test_a_snooze_puts_off_the_next_occurrence_alone(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        told = (await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 600, "reason": "busy"})).json()
        assert (told["run"]["nominal_at"], told["run"]["due_at"]) == ("2026-03-03T03:00:00Z", "2026-03-03T03:10:00Z")
        assert told["task"]["next_at"] == "2026-03-04T03:00:00Z"
        [slot] = (await who.owner.get("/v1/tasks/backup/slots")).json()["items"]
        assert slot == {"nominal_at": "2026-03-03T03:00:00Z", "outcome": "pending", "run_id": told["run"]["id"], "reason": None}

    asked(rota, talk)


def test_a_second_snooze_adds_up_while_the_first_lasts(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        first = (await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 600})).json()
        second = (await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 60})).json()
        assert second["run"]["id"] == first["run"]["id"]
        assert second["run"]["due_at"] == "2026-03-03T03:11:00Z"
        assert second["task"]["next_at"] == first["task"]["next_at"]

    asked(rota, talk)


def test_a_slot_put_off_before_a_pause_is_not_planned_again(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 600})
        await who.owner.post("/v1/tasks/backup/pause")
        task = (await who.owner.post("/v1/tasks/backup/resume")).json()
        assert task["next_at"] == "2026-03-04T03:00:00Z"

    asked(rota, talk)


@pytest.mark.parametrize("schedule", [None, {"kind": "event", "topic": "t"}, {"kind": "manual"}])
def test_without_a_next_occurrence_there_is_nothing_to_put_off(rota: Rota, schedule: dict[str, Any] | None) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=schedule)
        reply = await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 60})
        assert reply.status_code == 409
        assert "no next occurrence" in reply.json()["detail"]

    asked(rota, talk)


@pytest.mark.parametrize("body", [{}, {"delay_s": 0}, {"delay_s": 604_801}, {"delay_s": 1.5}, {"delay_s": 60, "resaon": "x"}])
def test_a_wrong_snooze_is_refused(rota: Rota, body: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        assert (await who.owner.post("/v1/tasks/backup/snooze", json=body)).status_code == 422

    asked(rota, talk)


def test_nothing_is_put_off_beyond_the_end_of_time(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule={"kind": "once", "at": "9999-12-31T23:59:59Z"})
        reply = await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 60})
        assert (reply.status_code, reply.json()["errors"][0]["location"]) == (422, "body.delay_s")

    asked(rota, talk)


def test_the_reason_of_a_snooze_is_kept(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=DAILY)
        await who.owner.post("/v1/tasks/backup/snooze", json={"delay_s": 600, "reason": "busy"})

    asked(rota, talk)
    details = rota.database.run(lambda c: c.rows("SELECT details FROM audit WHERE action = 'task.snoozed'"))
    assert [json.loads(row[0])["reason"] for row in details] == ["busy"]
