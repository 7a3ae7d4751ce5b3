"""Lists of runs, single runs, and what is done to many at once (contract §5, §12)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.factories import NOON, make_new_run
from tests.surfaces.runwisp.serving import Place, described

from rota.core.run import Run
from rota.core.ulid import to_ulid
from rota.ops.context import Rota
from rota.store import runs, tasks

TOML = """
[tasks.dump]
run = "true"
params = [{ option = "--db", default = "main" }]
[tasks.sweep]
run = "true"
[tasks.shut]
run = "true"
api_trigger = false
run_on_start = true
[services.web]
run = "sleep 9"
"""
Talk = Callable[[Place], Awaitable[None]]


def talked(rota: Rota, folder: Path, talk: Talk) -> None:
    async def ask() -> None:
        async with described(rota, folder, TOML) as place:
            await talk(place)

    asyncio.run(ask())


def add(rota: Rota, task: str, **fields: Any) -> Run:
    """An ended run, unless `state` says otherwise."""
    found = rota.database.run(lambda c: tasks.find_task_by_name(c, None, task))
    assert found is not None
    over = {} if fields.get("state") in ("pending", "running") else {"state": "succeeded", "started_at": NOON, "ended_at": NOON}
    new = make_new_run(found, **{"id": rota.ids.new(), "attempt": 1, **over, **fields})
    rota.database.run(lambda c: runs.insert_runs(c, [new]))
    return new.run


async def listed(place: Place, **query: Any) -> list[str]:
    page = await place.get("/api/runs", **query)
    assert page["total"] == len(page["runs"])
    return [run["id"] for run in page["runs"]]


@pytest.mark.parametrize(
    ("fields", "end_reason", "exit_code"),
    [
        ({"state": "succeeded", "exit_code": 0}, "success", 0),
        ({"state": "succeeded", "exit_code": 3}, "success", 3),
        ({"state": "failed", "exit_code": 7}, "failed", 7),
        ({"state": "failed", "reason": "spawn"}, "failed", -1),
        ({"state": "failed", "reason": "disk_full"}, "failed", -1),
        ({"state": "timed_out", "exit_code": 143}, "timeout", 143),
        ({"state": "crashed", "reason": "node_died"}, "crashed", -2),
        ({"state": "failed", "reason": "log_overflow", "exit_code": 137}, "log_overflow", 137),
        ({"state": "failed", "reason": "start_failed", "exit_code": 1}, "start_failed", 1),
        ({"state": "stopped", "exit_code": 143}, "stopped", 143),
        ({"state": "stopped", "reason": "replaced", "exit_code": 143}, "stopped", 143),
        ({"state": "stopped", "reason": "shutdown", "exit_code": 0}, "stopped", 0),
        ({"state": "stopped", "reason": "shutdown_overrun", "exit_code": 137}, "daemon_stopped", 137),
        ({"state": "canceled"}, "stopped", -1),
        ({"state": "skipped", "reason": "overlap"}, "skipped", -1),
        ({"state": "skipped", "reason": "dst_fold"}, "dst_skipped", -1),
        ({"state": "queue_full"}, "queue_full", -1),
        ({"state": "missed"}, "missed", -1),
    ],
)  # fmt: skip
def test_every_end_has_its_reason_and_code_and_is_found_by_them(
    rota: Rota, tmp_path: Path, fields: dict[str, Any], end_reason: str, exit_code: int
) -> None:
    async def talk(place: Place) -> None:
        run_id = to_ulid(add(rota, "dump", **fields).id)
        other = to_ulid(add(rota, "sweep", state="running").id)
        run = await place.get(f"/api/runs/{run_id}")
        assert (run["status"], run["end_reason"], run["exit_code"]) == ("ended", end_reason, exit_code)
        assert await listed(place, status=end_reason) == await listed(place, status="ended") == [run_id]
        assert await listed(place, exit_code_min=exit_code, exit_code_max=exit_code) == [run_id]
        assert await listed(place, status=f"running,{end_reason}") == [other, run_id]

    talked(rota, tmp_path, talk)


def test_a_live_run_has_neither_end_nor_code(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        run_id = to_ulid(add(rota, "dump", state="pending", attempt=0, params={"--db": "x", "n": 1}).id)
        assert await place.get(f"/api/runs/{run_id}") == {
            "id": run_id, "task_name": "dump", "status": "pending", "triggered_by": "api", "created_at": "2026-03-02T12:00:00Z",
            "retry_attempt": 0, "params": {"--db": "x", "n": "1"},
        }  # fmt: skip

    talked(rota, tmp_path, talk)


def test_a_planned_run_was_created_at_its_tick(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        tick = NOON - timedelta(minutes=3)
        jittered = add(rota, "dump", trigger="schedule", nominal_at=tick, due_at=NOON)
        missed = add(
            rota, "dump", state="missed", trigger="schedule", output={"last_at": "2026-03-02T11:00:00Z"}, reason="downtime"
        )
        run = await place.get(f"/api/runs/{to_ulid(jittered.id)}")
        assert (run["created_at"], run["start_at"], run["triggered_by"]) == (
            "2026-03-02T11:57:00Z",
            "2026-03-02T12:00:00Z",
            "cron",
        )
        run = await place.get(f"/api/runs/{to_ulid(missed.id)}")
        assert run["created_at"] == run["end_at"] == "2026-03-02T11:00:00Z"

    talked(rota, tmp_path, talk)


def test_filters(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        old = to_ulid(add(rota, "dump", created_at=NOON - timedelta(hours=1), trigger="startup").id)
        service = to_ulid(add(rota, "web", state="running", trigger="service", instance=0).id)
        sweep = to_ulid(add(rota, "sweep", trigger="cli").id)
        assert await listed(place) == [sweep, service, old]
        assert await listed(place, task_name="dump") == await listed(place, search="UM") == [old]
        assert await listed(place, task_name="nope") == await listed(place, retries_only="true") == []
        assert await listed(place, triggered_by="startup,service") == [service, old]
        assert await listed(place, triggered_by="api") == [sweep]
        assert await listed(place, created_after="2026-03-02T12:00:00Z") == [sweep, service]
        assert await listed(place, created_before="2026-03-02T12:30:00+01:00") == [old]
        assert await listed(place, search=sweep) == await listed(place, search=sweep.lower()) == [sweep]
        assert await listed(place, search=sweep, task_name="dump") == []
        assert await listed(place, search=old, task_name="dump") == [old]
        assert await listed(place, status="", search="", unknown="is passed over") == [sweep, service, old]
        page = await place.get("/api/runs", limit=1, offset=1)
        assert ([run["id"] for run in page["runs"]], page["total"]) == ([service], 3)
        assert [run["id"] for run in (await place.get("/api/tasks/dump/runs"))["runs"]] == [old]
        assert (await place.get(f"/api/runs/{service}"))["instance_index"] == 0
        by_name = await place.get("/api/runs", sort_field="task_name", sort_direction="asc")
        assert [run["task_name"] for run in by_name["runs"]] == ["dump", "sweep", "web"]

    talked(rota, tmp_path, talk)


WRONG = (
    "limit=0 limit=1001 offset=-1 status=done triggered_by=me created_after=yesterday created_after=2026-03-02T12:00:00 "
    "exit_code_min=x sort_field=id sort_direction=up"
)


@pytest.mark.parametrize("query", WRONG.split())
def test_a_wrong_filter_is_422_at_its_field(rota: Rota, tmp_path: Path, query: str) -> None:
    async def talk(place: Place) -> None:
        reply = await place.client.get(f"/api/runs?{query}")
        assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
        assert reply.json()["errors"][0]["location"] == f"query.{query.partition('=')[0]}"

    talked(rota, tmp_path, talk)


def test_line_14_a_deleted_run_is_hidden_at_once_and_restored_within_seven_seconds(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        run_id, live = to_ulid(add(rota, "dump").id), to_ulid(add(rota, "dump", state="running").id)
        path = f"/api/tasks/dump/runs/{run_id}"
        assert (await place.client.delete(f"/api/tasks/dump/runs/{live}")).status_code == 409
        assert (await place.client.delete(f"/api/tasks/sweep/runs/{run_id}")).status_code == 404
        assert (await place.client.delete(path)).status_code == 204
        assert await listed(place) == [live]
        assert [(await place.client.request(verb, path)).status_code for verb in ("GET", "DELETE")] == [404, 404]
        rota.clock.advance(6.9)  # type: ignore[attr-defined]
        assert await place.post("/api/runs/bulk/restore", {"ids": [run_id, live]}) == {"affected": 1}
        assert await listed(place) == [live, run_id]
        await place.client.delete(path)
        rota.clock.advance(7.1)  # type: ignore[attr-defined]
        assert await place.post("/api/runs/bulk/restore", {"ids": [run_id]}) == {"affected": 0}

    talked(rota, tmp_path, talk)


def test_many_are_selected_by_ids_or_by_a_filter(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        dumps = [to_ulid(add(rota, "dump").id) for _ in range(3)]
        failed = to_ulid(add(rota, "sweep", state="failed", exit_code=4).id)
        waiting = to_ulid(add(rota, "sweep", state="pending", attempt=0).id)
        by_filter = {"match_all": True, "filter": {"task_name": "dump"}, "except_ids": [dumps[1]]}
        assert await place.post("/api/runs/bulk/delete", by_filter) == {"affected": 2}
        assert await listed(place, task_name="dump") == [dumps[1]]
        assert await place.post("/api/runs/bulk/restore", by_filter) == {"affected": 2}
        coded = {"match_all": True, "filter": {"exit_code_min": 1, "exit_code_max": "4"}}
        assert await place.post("/api/runs/bulk/delete", coded) == {"affected": 1}
        assert failed not in await listed(place)
        assert await place.post("/api/runs/bulk/cancel", {"match_all": True}) == {"affected": 1}
        assert (await place.get(f"/api/runs/{waiting}"))["end_reason"] == "stopped"
        assert await place.post("/api/runs/bulk/delete", {"ids": []}) == {"affected": 0}

    talked(rota, tmp_path, talk)


def test_a_rerun_replays_the_newest_params_once_for_each_task(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        chosen = [
            add(rota, "dump", params={"--db": "old"}),
            add(rota, "dump", params={"--db": "audit"}),
            add(rota, "web", instance=0),
        ]
        chosen += [add(rota, "shut"), add(rota, "sweep")]
        done = await place.post("/api/runs/bulk/rerun", {"ids": [to_ulid(run.id) for run in chosen]})
        assert {each["task_name"] for each in done["triggered"]} == {"dump", "sweep"}
        made = {each["task_name"]: await place.get(f"/api/runs/{each['run_id']}") for each in done["triggered"]}
        assert made["dump"]["params"] == {"--db": "audit"}
        assert "params" not in made["sweep"]

    talked(rota, tmp_path, talk)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": ["x"]},
        {"ids": [], "match_all": True},
        {"match_all": True, "filter": {"status": "done"}},
        {"ids": [], "filter": {}},
    ],
)
def test_a_bad_selector_is_400(rota: Rota, tmp_path: Path, body: dict[str, Any]) -> None:
    async def talk(place: Place) -> None:
        for verb in ("cancel", "delete", "restore", "rerun"):
            assert (await place.client.post(f"/api/runs/bulk/{verb}", json=body)).status_code == 400

    talked(rota, tmp_path, talk)


def test_the_summary_counts_ends(rota: Rota, tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        for state in ("succeeded", "failed", "timed_out", "missed", "skipped"):
            add(rota, "dump", state=state)
        assert await place.get("/api/runs/summary") == {
            "total": 5, "success": 1, "failed": 2, "missed": 1, "last_failure": "2026-03-02T12:00:00Z",
        }  # fmt: skip

    talked(rota, tmp_path, talk)
