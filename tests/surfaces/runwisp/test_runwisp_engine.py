"""RunWisp's API with the engine behind it and real processes (contract §7, §8, §11, §12)."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.listening import Heard, Listener, listening
from tests.surfaces.runwisp.serving import Place, serving

from rota.ops import machine
from rota.surfaces import runwisp


def served(folder: Path, toml: str, talk: Callable[[Place], Awaitable[None]]) -> None:
    async def ask() -> None:
        async with serving(folder, toml) as place:
            await talk(place)

    asyncio.run(ask())


async def heard(listener: Listener, kind: str, task: str, *, most: int = 50) -> Heard:
    """The next event of that kind about the task."""
    for _ in range(most):
        event = await listener.next()
        assert event is not None
        if event.kind == kind and event.data["run"]["task_name"] == task:
            return event
    raise AssertionError(f"no {kind} among {most} events")


def test_line_2_skip_refuses_a_second_start_and_leaves_the_first_alone(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        async with listening(place.app, "/api/runs/stream") as listener:
            first = await place.post("/api/tasks/t/run")
            second = await place.post("/api/tasks/t/run")
            assert (second["status"], second["end_reason"], second["exit_code"]) == ("ended", "skipped", -1)
            assert (await heard(listener, "run.failed", "t")).data["run"]["id"] == second["id"]
        assert (await place.get(f"/api/runs/{first['id']}"))["status"] == "running"

    served(tmp_path, '[tasks.t]\nrun = "sleep 30"\non_overlap = "skip"\ngraceful_stop = "0s"', talk)


def test_line_2_queue_holds_up_to_its_length_in_order_and_then_says_that_it_is_full(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        made = [await place.post("/api/tasks/t/run") for _ in range(4)]
        assert [run.get("end_reason") or run["status"] for run in made[1:]] == ["pending", "pending", "queue_full"]
        await place.post(f"/api/tasks/t/runs/{made[0]['id']}/stop")
        await place.until_runs("t", "queue_full", "pending", "running", "stopped")
        assert (await place.get(f"/api/runs/{made[1]['id']}"))["status"] == "running"

    served(tmp_path, '[tasks.t]\nrun = "sleep 30"\nqueue_max = 2\ngraceful_stop = "0s"', talk)


def test_line_2_terminate_stops_the_old_run_before_it_starts_the_new_one(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        old, new = await place.post("/api/tasks/t/run"), await place.post("/api/tasks/t/run")
        await place.until_runs("t", "running", "stopped")
        stopped, started = await place.get(f"/api/runs/{old['id']}"), await place.get(f"/api/runs/{new['id']}")
        assert stopped["end_at"] <= started["start_at"]

    served(tmp_path, '[tasks.t]\nrun = "sleep 30"\non_overlap = "terminate"\nretry_attempts = 3\ngraceful_stop = "0s"', talk)


FLAKY = """
[tasks.t]
run = 'echo "try $RUNWISP_ATTEMPT of $RUNWISP_RUN_ID"; echo oops >&2; exit $((3 + RUNWISP_ATTEMPT))'
retry_attempts = 2
retry_delay = "1ms"
params = [{ option = "--db", default = "main" }]
"""


def test_line_3_a_retry_is_a_run_of_its_own_with_its_own_part_of_the_log(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        first = await place.run("t", **{"--db": "audit"})
        assert (first["end_reason"], first["exit_code"], first["retry_attempt"]) == ("failed", 3, 0)
        third, second, again = await place.until_runs("t", "failed", "failed", "failed")
        assert again == first
        assert [run["exit_code"] for run in (second, third)] == [4, 5]
        assert (second["retry_of_run_id"], third["retry_of_run_id"]) == (first["id"], second["id"])
        assert {run["triggered_by"] for run in (first, second, third)} == {"api"}
        assert all(run["params"] == {"--db": "audit"} for run in (first, second, third))
        for attempt, run in enumerate((first, second, third)):
            page = await place.log(run)
            assert f"try {attempt} of {run['id']}" in [line["text"] for line in page["lines"]]
            assert [line["n"] for line in page["lines"]] == list(range(page["total_lines"]))
            assert (page["first_available"], page["truncated"], page["finalized"]) == (0, False, True)
            raw = (await place.client.get(f"/api/tasks/t/runs/{run['id']}/log/raw")).text
            assert raw.count("try ") == 1
            assert "[ERR] oops\n" in raw
            async with listening(place.app, f"/api/tasks/t/runs/{run['id']}/log/stream") as listener:
                events = await listener.all()
            assert [event.data for event in events[:-1]] == page["lines"]
            assert events[-1].data == {"final_line": page["total_lines"] - 1, "status": "ended", "end_reason": "failed"}
        retries = (await place.get("/api/runs", retries_only="true", exit_code_min=5))["runs"]
        assert [run["id"] for run in retries] == [third["id"]]

    served(tmp_path, FLAKY, talk)


def test_line_3_each_attempt_is_told_as_created_started_and_failed_in_order(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        async with listening(place.app, "/api/runs/stream") as listener:
            assert (await listener.next()) == Heard(None, "ping", {})
            await place.post("/api/tasks/t/run")
            told = [event for _ in range(9) if (event := await listener.next()) is not None]
            kinds = [(event.kind.removeprefix("run."), event.data["run"]["retry_attempt"]) for event in told]
            assert kinds == [(kind, attempt) for attempt in range(3) for kind in ("created", "started", "failed")]
            assert told[2].data["error"] == "exit code 3"
        async with listening(place.app, "/api/runs/stream", last_event_id=str(told[1].id)) as listener:
            await listener.next()
            again = [await listener.next() for _ in range(2)]
            assert [event and event.kind for event in again] == ["run.failed", "run.created"]

    served(tmp_path, FLAKY, talk)


def test_line_3_a_stop_ends_the_chain_of_retries(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        first = await place.run("t")
        waiting, _ = await place.until_runs("t", "pending", "failed")
        assert waiting["retry_of_run_id"] == first["id"]
        reply = await place.client.post(f"/api/tasks/t/runs/{first['id']}/stop")
        assert (reply.status_code, reply.json()["detail"]) == (400, "the run is not running")
        await place.post(f"/api/tasks/t/runs/{waiting['id']}/stop")
        stopped, _ = await place.until_runs("t", "stopped", "failed")
        assert (stopped["exit_code"], "start_at" in stopped) == (-1, False)

    served(tmp_path, '[tasks.t]\nrun = "exit 1"\nretry_attempts = 2\nretry_delay = "1h"', talk)


def test_line_5_a_timeout_outranks_the_exit_code_and_a_stop_reaches_grandchildren(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        assert (await place.run("late"))["end_reason"] == "timeout"
        run = await place.post("/api/tasks/family/run")
        page = await place.until(lambda: _first_page(place, run))
        child = int(page["lines"][0]["text"])
        await place.post(f"/api/tasks/family/runs/{run['id']}/stop")
        await place.until_runs("family", "stopped")
        assert not is_working(child)

    toml = '[tasks.late]\nrun = "trap \'exit 0\' TERM; sleep 30 & wait"\ntimeout = "50ms"\n'
    served(tmp_path, toml + "[tasks.family]\nrun = '(sleep 30 & echo $!; wait) & wait'", talk)


def is_working(pid: int) -> bool:
    """A zombie has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


async def _first_page(place: Place, run: dict[str, Any]) -> Any:
    page = await place.log(run)
    return page if page["lines"] else None


def test_line_10_params_reach_the_script_as_inert_arguments(tmp_path: Path) -> None:
    async def lines(place: Place, **params: Any) -> list[str]:
        page = await place.log(await place.run("t", **params))
        return [line["text"] for line in page["lines"]]

    async def talk(place: Place) -> None:
        assert await lines(place) == ["env=3", "<--db>", "<main>"]
        assert await lines(place, **{"--db": None, "DEPTH": None, "--to=": ""}) == ["env=", "<--to=>"]
        assert await lines(place, **{"--db": "'; rm -rf /", "--dry": True}) == ["env=3", "<--db>", "<'; rm -rf />", "<--dry>"]
        assert await lines(place, **{"--to=": "x y", "FILE": "$(id)"}) == ["env=3", "<--db>", "<main>", "<--to=x y>", "<$(id)>"]
        run = await place.run("t", **{"--dry": False})
        assert run["params"] == {"DEPTH": "3", "--db": "main", "--dry": "false"}

    toml = """
[tasks.t]
run = '''
echo "env=$DEPTH"
printf '<%s>\\n'
'''
params = [{ env = "DEPTH", type = "number", default = 3 }, { option = "--db", default = "main" }, { option = "--to=" },
    { arg = "FILE" }, { flag = "--dry" }]
"""
    served(tmp_path, toml, talk)


def test_line_11_a_reader_resumes_a_log_without_gap_or_repetition(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        run = await place.run("t")
        path = f"/api/tasks/t/runs/{run['id']}/log"
        page = await place.get(path, **{"from": 0})
        texts = [line["text"] for line in page["lines"]]
        assert texts == [str(number) for number in range(1, 51)]
        assert (await place.get(path, **{"from": -2}))["lines"] == page["lines"][-2:]
        assert (await place.get(path, **{"from": 10, "limit": 3}))["lines"] == page["lines"][10:13]
        assert (await place.client.get(f"{path}/raw")).text == "".join(f"{text}\n" for text in texts)
        async with listening(place.app, f"{path}/stream?from=0", last_event_id="29") as listener:
            events = await listener.all()
        assert [event.id for event in events[:-1]] == [str(number) for number in range(30, 50)]
        async with listening(place.app, f"{path}/stream?replay_limit=5") as listener:
            dropped, *lines, done = await listener.all()
        assert (dropped.kind, dropped.data) == ("dropped", {"after": -1, "count": 45})
        assert [line.data["n"] for line in lines] == [45, 46, 47, 48, 49]
        assert done.data == {"final_line": 49, "status": "ended", "end_reason": "success"}

    served(tmp_path, '[tasks.t]\nrun = "seq 50"', talk)


def test_line_11_lines_that_a_rotation_took_are_told(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        run = await place.run("t")
        page = await place.log(run, **{"from": 0})
        assert page["truncated"]
        assert page["lines"][0]["n"] == page["first_available"] > 0
        assert page["lines"][-1]["text"] == "2000"
        async with listening(place.app, f"/api/tasks/t/runs/{run['id']}/log/stream?from=0") as listener:
            events = await listener.all()
        assert (events[0].kind, events[0].data) == ("rotated", {"first_available": page["first_available"]})
        assert (events[1].kind, events[1].data) == ("dropped", {"after": -1, "count": page["first_available"]})

    served(tmp_path, '[tasks.t]\nrun = "seq 2000"\nlog_max_size = "2kb"', talk)


def test_the_log_of_a_waiting_run_is_an_empty_page(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        await place.post("/api/tasks/t/run")
        waiting = await place.post("/api/tasks/t/run")
        page = await place.log(waiting)
        assert page == {"lines": [], "first_available": 0, "total_lines": 0, "truncated": False, "finalized": False}

    served(tmp_path, '[tasks.t]\nrun = "sleep 30"\ngraceful_stop = "0s"', talk)


def test_a_service_is_stopped_started_and_restarted(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        [run] = await place.until_runs("web", "running")
        assert (run["triggered_by"], run["instance_index"]) == ("service", 0)
        await place.post("/api/tasks/web/stop")
        await place.until_runs("web", "stopped")
        await place.post("/api/tasks/web/start")
        started, _ = await place.until_runs("web", "running", "stopped")
        assert started["triggered_by"] == "api"
        await place.post("/api/tasks/web/restart")
        await place.until_runs("web", "running", "stopped", "stopped")

    served(tmp_path, '[services.web]\nrun = "exec sleep 30"', talk)


def test_line_12_a_reload_is_all_or_nothing_and_a_restart_only_change_is_refused(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        file = place.folder / "runwisp.toml"
        file.write_text('[tasks.a]\nrun = "echo two"\n[tasks.c]\nrun = "true"\n')
        assert (await place.get("/api/info"))["config_stale"]
        changed = [{"name": "a", "reasons": ["executor.script"]}]
        assert await place.post("/api/reload") == {"added": ["c"], "changed": changed, "removed": ["b"]}
        assert not (await place.get("/api/info"))["config_stale"]
        file.write_text('[tasks.a]\nrun = "true"\ntimeuot = "1m"\n')
        bad = await place.client.post("/api/reload")
        assert (bad.status_code, "timeuot" in bad.json()["detail"] + str(bad.json()["errors"])) == (400, True)
        file.write_text('[daemon]\nshutdown_timeout = "1m"\n')
        assert (await place.client.post("/api/reload")).status_code == 409
        assert [task["name"] for task in await place.get("/api/tasks")] == ["a", "c"]

    served(tmp_path, '[tasks.a]\nrun = "echo one"\n[tasks.b]\nrun = "true"\n', talk)


def test_line_15_variables_are_layered_and_ours_do_not_leak(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("A=secrets-file\nB=secrets-file\n")

    async def talk(place: Place) -> None:
        page = await place.log(await place.run("t"))
        texts = {line["text"] for line in page["lines"]}
        assert {"A=[redacted]", "C=env"} <= texts
        assert not any(text.startswith(("RUNWISP_NO_AUTH", "RUNWISP_PASSWORD")) for text in texts)
        assert (await place.run("three"))["end_reason"] == "success"
        gone = await place.run("gone")
        assert (gone["end_reason"], gone["exit_code"]) == ("failed", -1)
        everything = [await place.get(path) for path in ("/api/tasks", "/api/runs", "/api/info", "/api/system")]
        assert "inline-secret" not in str(everything) and "secrets-file'" not in str(everything)

    os.environ["RUNWISP_PASSWORD_OF_TEST"] = "x"
    toml = """
[tasks.t]
run = "env"
env = { A = "env", B = "env", C = "env" }
secrets_file = "s"
secrets = { A = "inline-secret" }
[tasks.three]
run = "exit 3"
exit_codes = [0, 3]
[tasks.gone]
run = "true"
working_dir = "/nowhere/at/all"
"""
    try:
        served(tmp_path, toml, talk)
    finally:
        del os.environ["RUNWISP_PASSWORD_OF_TEST"]


def test_the_machine_and_the_server_tell_how_they_are(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        info = await place.get("/api/info")
        assert (info["auth_disabled"], info["scheduling_active"], info["timezone_source"]) == (True, True, "config")
        assert info["tasks"] == [{"name": "t", "kind": "task"}]
        system = await place.get("/api/system")
        assert system["mem_total"] > system["mem_used"] > 0
        [sample] = await place.get("/api/system/history")
        assert set(sample) == {"ts", "cpu", "mem", "mem_used", "mem_total"}
        await place.run("t")
        text = (await place.client.get("/metrics")).text
        assert 'runwisp_runs_total{status="success"} 1\n' in text
        assert 'runwisp_task_active_runs{task="t",kind="task"} 0\n' in text
        assert text.endswith("# EOF\n")
        async with listening(runwisp.metrics_app(place.rota), "/metrics") as listener:
            assert listener.status == 200

    toml = '[daemon]\nmetrics_enabled = true\n[scheduler]\ntimezone = "Europe/Rome"\n[tasks.t]\nrun = "true"'
    served(tmp_path, toml, talk)


def test_who_watches_hears_of_the_machine_and_of_a_changed_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EVERY_S", 0.02)

    async def talk(place: Place) -> None:
        async with listening(place.app, "/api/stream") as listener:
            told = [await listener.next() for _ in range(2)]
            (place.folder / "runwisp.toml").write_text("[tasks.other]\nrun = 'true'\n")
            while told[-1] and told[-1].kind != "config.stale":
                told.append(await listener.next())
            assert [event and event.kind for event in told[:2]] == ["ping", "system"]
            assert told[1] and set(told[1].data["sample"]) == {"ts", "cpu", "mem", "mem_used", "mem_total"}
            assert told[-1] and told[-1].data == {"stale": True}

    served(tmp_path, '[tasks.t]\nrun = "true"', talk)


def test_a_wait_ends_with_its_time_and_the_live_run_cannot_be_deleted(tmp_path: Path) -> None:
    async def talk(place: Place) -> None:
        run = await place.post("/api/tasks/t/run?wait=true&wait_timeout=1")
        assert run["status"] == "running"
        path = f"/api/tasks/t/runs/{run['id']}"
        assert (await place.client.delete(path)).status_code == 409
        assert await place.post(f"{path}/stop") == {"message": "stopping"}
        await place.until_runs("t", "stopped")
        assert (await place.client.post(f"{path}/stop")).status_code == 400
        assert (await place.client.delete(path)).status_code == 204

    served(tmp_path, '[tasks.t]\nrun = "sleep 30"\ngraceful_stop = "0s"', talk)
