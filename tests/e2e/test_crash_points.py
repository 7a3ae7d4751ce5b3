"""kill -9 at named points between "did it" and "wrote it", and a new start on the same data."""

from collections.abc import Callable

import httpx
import pytest
from tests import under
from tests.e2e.conftest import MakeServer
from tests.e2e.promise import check_journal, check_promise
from tests.e2e.server_process import ServerProcess
from tests.e2e.witness import Witness, toml_script

pytestmark = pytest.mark.e2e

WORK = f"""
[tasks.work]
run = {toml_script("echo working; sleep 0.1")}
"""
LONG = f"""
[tasks.long]
graceful_stop = "0.3s"
run = {toml_script("trap '' TERM; echo working; while true; do sleep 0.1; done")}
"""
FLAKY = f"""
[tasks.flaky]
retry_attempts = 1
retry_delay = "0.3s"
run = {toml_script('test "$ROTA_ATTEMPT" = 2')}
"""
PLANNED = f"""
[tasks.planned]
rrule = "FREQ=SECONDLY;COUNT=2"
catch_up = "all"
run = {toml_script()}
"""
LISTENER = f"""
[tasks.listener]
on_event = "door.opened"
run = {toml_script()}
"""
SERVICE = f"""
[services.web]
restart_delay = "0s"
graceful_stop = "0.3s"
run = {toml_script("echo up; while true; do sleep 0.1; done")}
"""
BRIEF_SERVICE = f"""
[services.brief]
restart_delay = "0s"
run = {toml_script('test -e "$WITNESS/stay" && exec sleep 60; touch "$WITNESS/stay"')}
"""
KEY = "asked for once"


def ask(server: ServerProcess, request: Callable[[], object]) -> None:
    """Who asks a server that dies may be left without an answer."""
    try:
        request()
    except httpx.TransportError:
        assert server.wait() == -9


def crash(server: ServerProcess, point: str, request: Callable[[], object] | None = None) -> None:
    """Start the server, have it asked, and see it die at that point."""
    server.launch(point)
    if request:
        server.until(lambda: server.has_greeted or not server.is_alive)
        ask(server, request)
    assert server.wait() == -9, server.own_log()


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("run asked for, not answered", "succeeded"),
        ("claimed, not committed", "succeeded"),
        ("claim committed, not handed to the runner", "succeeded"),
        ("journal line written, not spawned", "crashed"),
        ("spawned, pid not recorded", "crashed"),
        ("running", "crashed"),
        ("process ended, not in the journal", "crashed"),
        # The journal of a worker is for those who end what it has left; what came of it only counts once it is in the database.
        ("process ended, not settled", "crashed" if under.scale else "succeeded"),
        ("settled, not committed", "succeeded"),
        ("settlement committed, not acknowledged", "succeeded"),
    ],
)
def test_a_run_outlives_a_crash_of_its_server_and_is_carried_out_once(
    make_server: MakeServer, database_url: str | None, point: str, state: str
) -> None:
    server = make_server(WORK, database=database_url)
    crash(server, point, lambda: server.run("work", KEY))
    server.start()
    run_id = server.run("work", KEY)
    assert server.until_state(run_id)["state"] == state
    assert [run["id"] for run in server.runs(task="work")] == [run_id]
    check_promise(server)
    assert server.stop() == 0
    check_journal(server)


@pytest.mark.parametrize("point", ["slots fired, not committed", "slots committed, not dispatched"])
def test_a_slot_has_one_outcome_whenever_the_server_dies(make_server: MakeServer, database_url: str | None, point: str) -> None:
    server = make_server(PLANNED, database=database_url)
    crash(server, point)
    server.start()
    server.until(lambda: server.get("/v1/tasks/planned")["next_at"] is None)
    check_promise(server, {"planned": 2})
    assert [run["state"] for run in server.runs(task="planned", state="succeeded")] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("point", ["retry decided, not committed", "retry committed, not acknowledged"])
def test_a_retry_comes_once_whenever_the_server_dies(make_server: MakeServer, database_url: str | None, point: str) -> None:
    server = make_server(FLAKY, database=database_url)
    crash(server, point, lambda: server.run("flaky", KEY))
    server.start()
    run = server.until_state(server.run("flaky", KEY))
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    assert [attempt["state"] for attempt in server.get(f"/v1/runs/{run['id']}/attempts")["items"]] == ["failed"]
    check_promise(server)


def test_a_waiting_retry_and_a_queue_outlive_the_server(make_server: MakeServer, database_url: str | None) -> None:
    server = make_server(FLAKY + LONG, database=database_url)
    server.start()
    flaky = server.run("flaky")
    first, *queue = [server.run("long") for _ in range(3)]
    server.until_state(flaky, "pending")
    server.until(lambda: Witness(server.folder).began(first))
    server.until(lambda: Witness(server.folder).began(flaky) and server.until_state(flaky, "pending"))
    server.kill_with_worker()
    server.start()
    assert server.get(f"/v1/runs/{first}")["state"] == "crashed"
    assert server.until_state(flaky)["state"] == "succeeded"
    for run_id in queue:
        server.until(lambda waited_for=run_id: Witness(server.folder).began(waited_for))  # type: ignore[misc]
        assert server.post(f"/v1/runs/{run_id}/cancel", wait=10)["result"] == "canceled"
    check_promise(server)


@pytest.mark.parametrize("point", ["cancel requested, not delivered", "cancel delivered, not dead"])
def test_a_cancel_has_its_receipt_whenever_the_server_dies(make_server: MakeServer, database_url: str | None, point: str) -> None:
    server = make_server(LONG, database=database_url)

    def cancel() -> None:
        run_id = server.run("long", KEY)
        server.until(lambda: Witness(server.folder).began(run_id))
        server.post(f"/v1/runs/{run_id}/cancel")

    crash(server, point, cancel)
    assert server.work_pids() or under.scale  # the process beside a worker that died ends them at once
    server.start()
    run_id = server.run("long", KEY)
    assert server.pids_of(run_id) == []
    assert server.until_state(run_id)["state"] in ("canceled", "crashed")
    receipt = server.post(f"/v1/runs/{run_id}/cancel")
    assert (receipt["result"], receipt["ended_at"] is None) == ("canceled", False)
    check_promise(server)


def test_processes_of_a_dead_server_are_gone_wherever_they_went(make_server: MakeServer) -> None:
    server = make_server("""
        [tasks.tree]
        run = '''
        setsid sh -c 'trap "" TERM; echo escaped; while :; do sleep 0.1; done' &
        sh -c 'while :; do sleep 0.1; done' &
        echo leader
        wait
        '''
    """)
    server.start()
    run_id = server.run("tree")
    server.until(lambda: set(server.log_texts(run_id)) == {"leader", "escaped"})
    server.kill_with_worker()
    assert len(server.pids_of(run_id)) >= 3
    server.start()
    assert server.pids_of(run_id) == []
    assert server.get(f"/v1/runs/{run_id}")["state"] == "crashed"


def test_a_run_that_is_to_survive_its_server_is_carried_out_again(make_server: MakeServer, database_url: str | None) -> None:
    script = 'test -e "$WITNESS/again" || { touch "$WITNESS/again"; exec sleep 60; }'
    server = make_server(f"[tasks.tough]\nresume_after_crash = true\nrun = {toml_script(script)}", database=database_url)
    server.start()
    run_id = server.run("tough")
    server.until((server.folder / "again").exists)
    server.kill_with_worker()
    server.start()
    assert server.until_state(run_id)["state"] == "succeeded"
    assert len(Witness(server.folder).began(run_id)) == 2


def test_a_service_has_one_process_after_a_crash(make_server: MakeServer, database_url: str | None) -> None:
    server = make_server(SERVICE, database=database_url)
    server.start()
    first = server.until(lambda: Witness(server.folder).began())[0]
    server.kill_with_worker()
    server.start()
    second = server.until(lambda: Witness(server.folder).began()[1:])[0]
    assert server.get(f"/v1/runs/{first.run_id}")["state"] == "crashed"
    server.until(lambda: set(server.work_pids().values()) == {second.run_id})
    check_promise(server)


def test_a_service_starts_again_when_the_server_dies_at_the_end_of_an_instance(
    make_server: MakeServer, database_url: str | None
) -> None:
    server = make_server(BRIEF_SERVICE, database=database_url)
    crash(server, "instance ended, not committed")
    server.start()
    server.until(lambda: len(Witness(server.folder).began()) == 2)
    check_promise(server)


@pytest.mark.parametrize(
    ("point", "stored"),
    [("event stored, not committed", 0), ("event committed with its runs, not dispatched", 1)],
)
def test_an_event_is_there_with_its_runs_or_not_at_all(
    make_server: MakeServer, database_url: str | None, point: str, stored: int
) -> None:
    server = make_server(LISTENER, database=database_url)
    crash(server, point, lambda: server.post("/v1/events", {"topic": "door.opened"}))
    server.start()
    check_promise(server)
    assert [run["state"] for run in server.runs(task="listener")] == ["succeeded"] * stored


@pytest.mark.parametrize("point", ["reload written, not committed", "reload committed, not told"])
def test_a_reload_is_whole_after_a_crash(make_server: MakeServer, database_url: str | None, point: str) -> None:
    server = make_server(LONG, database=database_url)
    server.start()
    removed = server.run("long")
    server.until(lambda: Witness(server.folder).began(removed))
    server.stop()

    def reload() -> None:
        run_id = server.run("long", KEY)
        server.until(lambda: Witness(server.folder).began(run_id))
        server.write_settings(WORK + LISTENER)
        server.post("/v1/reload")

    crash(server, point, reload)
    server.kill_with_worker()
    server.start()
    assert {task["name"] for task in server.get("/v1/tasks")["items"]} >= {"work", "listener"}
    assert server.until_state(server.run("work"))["state"] == "succeeded"
    check_promise(server)


@pytest.mark.parametrize("point", ["survivors ended, not settled", "survivors settled, journal not cleared"])
def test_a_crash_in_the_repair_after_a_crash_is_repaired(make_server: MakeServer, database_url: str | None, point: str) -> None:
    server = make_server(WORK + LONG, database=database_url)
    crash(server, "running", lambda: server.run("long", KEY))
    crash(server, point)
    server.start()
    assert server.until_state(server.run("long", KEY))["state"] == "crashed"
    check_promise(server)
