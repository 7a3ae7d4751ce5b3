"""Ordinaut's API with the engine behind it (contract §5 to §9, §15)."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.asking import make_rota
from tests.databases import open_kept
from tests.surfaces.ordinaut.agents_asking import Agent, People, asked, served

from rota.core.actor import OPERATOR
from rota.ops import tasks

QUICK_START = {
    "params": {"user": "Ana"},
    "pipeline": [
        {"id": "get", "uses": "debug.echo", "save_as": "greeting",
         "with": {"message": "Hello, ${params.user}!", "details": {"timestamp": "${now}"}}},
        {"id": "say", "uses": "debug.log", "save_as": "said",
         "with": {"message": "Step 1 said: '${steps.greeting.message}' at ${steps.greeting.details.timestamp}"}},
        {"id": "warn", "uses": "noop", "if": "length(steps.greeting.message) > 100", "timeout_seconds": 5, "max_retries": 1,
         "save_as": "warned"},
        {"uses": "debug.echo", "if": "length(steps.greeting.message) > `5`", "save_as": "ticks",
         "with": {"is": "${params.none}"}},
        {"uses": "noop", "if": "${steps.greeting.message == 'Bye'}", "save_as": "wrapped"},
    ],
}  # fmt: skip
FAILS: dict[str, Any] = {
    "pipeline": [
        {"uses": "debug.echo", "with": {"kept": "yes"}, "save_as": "first"},
        {"id": "boom", "uses": "debug.echo", "with": {"x": "${length(`1`)}"}},
    ]
}
GATED: dict[str, Any] = {"pipeline": [{"uses": "test.gate"}]}


async def run_now(who: Agent, task: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = await who.post(f"/tasks/{task['id']}/run_now")
    return told


async def hurry(who: People, task: dict[str, Any]) -> None:
    """Retries that follow at once, so that nobody waits for them."""
    await tasks.update_task(who.rota, OPERATOR, task["id"], {"policy": {"retry": {"delay_s": 0.001}}})


def test_4_the_quick_start_runs_and_skips_and_renders_what_is_missing_as_null(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(payload=QUICK_START)
        assert task["payload"] == QUICK_START
        await run_now(who.owner, task)
        (run,) = await who.owner.until_runs(task, "success")
        output = run["output"]
        now = output["now"]
        assert output["steps"]["greeting"] == {"message": "Hello, Ana!", "details": {"timestamp": now}}
        assert output["steps"]["said"]["message"] == f"Step 1 said: 'Hello, Ana!' at {now}"
        assert output["steps"]["ticks"] == {"is": "null"}
        assert set(output["steps"]) == {"greeting", "said", "ticks"}
        summary = output["_execution_summary"]
        assert (summary["total_steps"], summary["executed_steps"], summary["skipped_steps"]) == (5, 3, 2)
        assert (output["_task_id"], output["_task_title"], output["params"]) == (task["id"], "Say hello", {"user": "Ana"})
        assert await who.owner.get(f"/runs/{run['id']}") == await who.owner.get(f"/runs/task/{task['id']}/latest") == run
        assert (await who.owner.get(f"/tasks/{task['id']}"))["last_run"]["id"] == run["id"]
        assert "orchestrator_step_duration_seconds_count 3" in (await who.nobody.get("/metrics")).text

    served(tmp_path, talk)


def test_5_each_attempt_is_a_run_of_its_own_and_errors_are_told_when_asked(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(payload=FAILS, max_retries=2)
        await hurry(who, task)
        await run_now(who.owner, task)
        third, second, first = await who.owner.until_runs(task, "failed", "failed", "failed")
        assert [run["attempt"] for run in (first, second, third)] == [1, 2, 3]
        assert [run["trigger"] for run in (first, second, third)] == ["run_now", "retry", "retry"]
        assert first["finished_at"] <= second["created_at"] <= second["started_at"]
        for run in (first, second, third):
            assert run["error"].startswith("Step 'boom' template rendering failed")
            assert (run["error_type"], run["success"]) == ("TemplateRenderError", False)
            assert await who.owner.get(f"/runs/{run['id']}") == run
            assert run["output"]["steps"] == {"first": {"kept": "yes"}}
            summary = run["output"]["_execution_summary"]
            assert (summary["failed_step_index"], summary["failed_step_id"], run["output"]["success"]) == (1, "boom", False)
        hidden = await who.owner.runs(task)
        assert {run["error"] for run in hidden} == {"[Error details hidden - use include_errors=true]"}
        assert "rendering failed" not in str(hidden)
        assert len(await who.owner.runs(task, success=False)) == 3
        assert await who.owner.runs(task, success=True) == []
        assert [run["id"] for run in await who.owner.runs(task, limit=1, offset=1)] == [second["id"]]
        assert await who.owner.runs(task, start_time="2100-01-01T00:00:00Z") == []
        assert len(await who.owner.runs(task, start_time=first["created_at"], end_time="2100-01-01T00:00:00+02:00")) == 3
        stats = await who.owner.get(f"/runs/task/{task['id']}/stats")
        assert (stats["total_runs"], stats["failed_runs"], stats["failure_rate"], stats["last_success"]) == (3, 3, 1.0, None)
        assert stats["last_failure"] == third["started_at"]
        summary = await who.owner.get("/runs/stats/summary", days=1)
        assert (summary["total_runs"], summary["total_tasks_executed"], summary["runs_per_day"]) == (3, 1, 3.0)
        assert (await who.other.get("/runs/stats/summary"))["total_runs"] == 0

    served(tmp_path, talk)


def test_5_a_failing_task_holds_nobody_up(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        failing = await who.owner.task(payload=FAILS, max_retries=3, backoff_strategy="fixed")
        fine = await who.owner.task()
        await run_now(who.owner, failing)
        await who.owner.until_runs(failing, "queued", "failed")
        await run_now(who.owner, fine)
        await who.owner.until_runs(fine, "success")
        await who.owner.post(f"/tasks/{failing['id']}/pause")
        await who.owner.until_runs(failing, "failed", "failed")

    served(tmp_path, talk, "[server]\nmax_concurrent_runs = 1")


def test_5_a_final_error_is_not_tried_again(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(payload={"pipeline": [{"uses": "echo.test", "with": {}}]})
        await run_now(who.owner, task)
        (run,) = await who.owner.until_runs(task, "failed")
        assert (run["error_type"], run["attempt"]) == ("InputValidationError", 1)

    served(tmp_path, talk)


def test_6_a_running_run_finishes_while_its_task_is_paused_or_canceled(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task, other = await who.owner.task(payload=GATED), await who.owner.task(payload=GATED)
        for each, action in ((task, "pause"), (other, "cancel")):
            await run_now(who.owner, each)
            await who.owner.until_runs(each, "running")
            told = await who.owner.post(f"/tasks/{each['id']}/{action}")
            assert told["details"]["removed_work_items"] == 0
        running = (await who.owner.runs(task))[0]
        assert (running["success"], running["lease_owner"][:7]) == (None, "worker-")
        who.gate.set()
        for each in (task, other):
            await who.owner.until_runs(each, "success")

    served(tmp_path, talk)


def test_6_a_once_fires_on_time_and_keeps_its_task_active(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        at = who.rota.clock.now() + timedelta(milliseconds=150)
        task = await who.owner.task(schedule_kind="once", schedule_expr=at.isoformat())
        (run,) = await who.owner.until_runs(task, "success")
        assert (run["trigger"], run["scheduled_for"]) == ("schedule", at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        assert run["scheduled_for"] <= run["started_at"] < (at + timedelta(seconds=1)).isoformat()
        shown = await who.owner.get(f"/tasks/{task['id']}")
        assert (shown["status"], shown["next_run_at"], shown["next_runs"]) == ("active", None, [])

    served(tmp_path, talk)


def test_8_a_once_that_came_while_nothing_ran_is_run_after_the_start(tmp_path: Path) -> None:
    async def plan(who: People) -> dict[str, Any]:
        at = who.rota.clock.now() + timedelta(seconds=60)
        return await who.owner.task(schedule_kind="once", schedule_expr=at.isoformat())

    async def look(who: People) -> None:
        missed, run = await who.admin.until_runs(task, "skipped", "success")
        assert (run["trigger"], missed["error_type"], missed["output"]["made_up"]) == ("schedule", "downtime", 1)

    (tmp_path / "data").mkdir()
    with closing(open_kept(tmp_path / "data")) as database:
        task = asked(make_rota(database, tmp_path), plan)  # its clock stands in the past
    served(tmp_path, look)


def test_8_a_second_run_with_a_dedupe_key_is_recorded_as_skipped(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(dedupe_key="daily", dedupe_window_seconds=3600)
        assert (await run_now(who.owner, task))["success"] is True
        await who.owner.until_runs(task, "success")
        told = await run_now(who.owner, task)
        assert (told["success"], set(told["details"])) == (False, {"task_id", "due_work_id", "run_id"})
        skipped, _ = await who.owner.until_runs(task, "skipped", "success")
        assert (skipped["id"], skipped["success"], skipped["started_at"]) == (told["details"]["run_id"], None, None)
        await who.owner.put(f"/tasks/{task['id']}", {"dedupe_window_seconds": 0})
        assert (await run_now(who.owner, task))["success"] is True

    served(tmp_path, talk)


def test_8_one_run_at_a_time_for_a_concurrency_key_and_without_one_runs_overlap(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        keyed = [await who.owner.task(payload=GATED, concurrency_key="disk") for _ in range(2)]
        free = await who.owner.task(payload=GATED)
        for task in (keyed[0], keyed[1], free, free):
            await run_now(who.owner, task)
        await who.owner.until_runs(keyed[0], "running")
        await who.owner.until_runs(keyed[1], "queued")
        await who.owner.until_runs(free, "running", "running")
        who.gate.set()
        (first,) = await who.owner.until_runs(keyed[0], "success")
        (second,) = await who.owner.until_runs(keyed[1], "success")
        assert second["started_at"] >= first["finished_at"]

    served(tmp_path, talk)


def test_8_the_lowest_priority_number_goes_first(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await run_now(who.owner, await who.owner.task(payload=GATED))
        waiting = [await who.owner.task(priority=priority) for priority in (9, 1, 5)]
        for task in waiting:
            await run_now(who.owner, task)
        who.gate.set()
        started = {task["priority"]: (await who.owner.until_runs(task, "success"))[0]["started_at"] for task in waiting}
        assert started[1] <= started[5] <= started[9]
        assert started[1] < started[9]

    served(tmp_path, talk, "[server]\nmax_concurrent_runs = 1")


def test_8_an_event_reaches_the_pipelines_of_all_agents(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        payload = {"pipeline": [{"uses": "debug.echo", "save_as": "seen", "with": {
            "order": "${event.payload.order.id}", "topic": "${event.topic}", "from": "${event.source_agent_id}"}}]}  # fmt: skip
        listening = {"schedule_kind": "event", "schedule_expr": "orders.new", "payload": payload}
        mine, theirs = await who.owner.task(**listening), await who.other.task(**listening)
        paused, elsewhere = await who.owner.task(**listening), await who.owner.task(**{**listening, "schedule_expr": "orders.*"})
        await who.owner.post(f"/tasks/{paused['id']}/pause")
        event = {"topic": "orders.new", "payload": {"order": {"id": 7}}, "source_agent_id": who.owner.id}
        told = await who.owner.post("/events", event, 202)
        assert (told["details"]["triggered_tasks"], told["details"]["triggered_total"]) == ([mine["id"]], 2)
        (run,) = await who.owner.until_runs(mine, "success")
        assert run["output"]["steps"]["seen"] == {"order": "7", "topic": "orders.new", "from": who.owner.id}
        assert (run["trigger"], run["output"]["event"]["event_id"]) == ("event", told["details"]["event_id"])
        await who.other.until_runs(theirs, "success")
        assert await who.owner.runs(paused) == await who.owner.runs(elsewhere) == []

    served(tmp_path, talk)


def test_the_end_of_a_run_is_an_event_and_no_secret_of_others(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        work = await who.owner.task()
        echo = {"pipeline": [{"uses": "debug.echo", "with": {"of": "${event.payload.task_id}"}, "save_as": "end"}]}
        after = await who.owner.task(schedule_kind="event", schedule_expr="run.succeeded", payload=echo)
        await run_now(who.owner, work)
        looped, run = await who.owner.until_runs(after, "skipped", "success")  # its own end does not start it again
        assert looped["error_type"] == "event_loop"
        assert run["output"]["steps"]["end"] == {"of": work["id"]}
        assert (await who.other.get("/events/stream/recent"))["events"] == []
        assert len((await who.admin.get("/events/stream/recent"))["events"]) >= 1

    served(tmp_path, talk)
