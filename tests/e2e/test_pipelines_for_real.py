"""Pipelines on a real server: killed at every step, stopped, waiting for one another."""

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.e2e

# What a tool does that minds its key: called twice, it acts once.
ONCE = """
echo call >> "$WITNESS/calls"
grep -qx "$ROTA_IDEMPOTENCY_KEY" "$WITNESS/effects" || echo "$ROTA_IDEMPOTENCY_KEY" >> "$WITNESS/effects"
echo "$STEP"
"""
STEPS = "\n".join(
    f"  {{ id = 's{n}', uses = 'shell.run', save_as = 's{n}', with = {{ script = '''{ONCE}''', env = {{ STEP = '{n}' }} }} }},"
    for n in range(10)
)
TEN = f"""
[tools]
shell = true
[tasks.ten]
steps = [
{STEPS}
]
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("point", "nth"), [("step done, not written", 2), ("step written, next not begun", 1)])
def test_ten_steps_killed_at_every_boundary_are_each_done_once(make_server: MakeServer, point: str, nth: int) -> None:
    server = make_server(TEN)
    (server.folder / "effects").touch()
    server.start(point, nth)
    run_id = ask_to_start(server)
    assert server.wait() == -9
    for _ in range(8):
        server.launch(point, nth)
        assert server.wait() == -9
    server.start()
    run = server.until_state(run_id)
    assert (run["state"], run["attempt"]) == ("succeeded", 1), run
    assert [run["output"]["steps"][f"s{n}"]["stdout"] for n in range(10)] == [f"{n}\n" for n in range(10)]
    assert lines(server, "effects") == [f"{run_id}.{n}" for n in range(10)]
    assert len(lines(server, "calls")) <= 10 + 9
    assert run["output"]["_execution_summary"]["executed_steps"] == 10


def test_a_server_that_is_stopped_and_started_goes_on_with_its_pipelines(make_server: MakeServer) -> None:
    wait = 'echo began >> "$WITNESS/began2"; while ! test -e "$WITNESS/go"; do sleep 0.05; done'
    server = make_server(
        f"""
[tools]
shell = true
[tasks.long]
steps = [
  {{ uses = 'debug.echo', with = {{ at = '${{now}}' }}, save_as = 'first' }},
  {{ uses = 'shell.run', with = {{ script = '''{wait}''' }}, timeout_seconds = 60 }},
  {{ uses = 'debug.echo', with = {{ at = '${{now}}' }}, save_as = 'last' }},
]
"""
    )
    server.start()
    run_id = server.run("long")
    server.until(lambda: (server.folder / "began2").exists())
    assert server.stop() == 0
    (server.folder / "go").touch()
    server.start()
    run = server.until_state(run_id)
    assert (run["state"], run["attempt"]) == ("succeeded", 1), run
    assert run["output"]["steps"]["first"] == run["output"]["steps"]["last"]
    assert any(text.startswith("goes on behind step_0") for text in server.log_texts(run_id, "system"))


def test_pipelines_that_wait_for_others_take_no_place(make_server: MakeServer) -> None:
    server = make_server(
        """
[server]
max_concurrent_runs = 2
[tasks.child]
max_concurrent = 8
run = "sleep 0.1; echo done"
[tasks.middle]
max_concurrent = 8
steps = [{ uses = 'task.run', with = { task = 'child' }, save_as = 'child' }]
[tasks.parent]
max_concurrent = 8
steps = [
  { uses = 'task.run', with = { task = 'middle' }, save_as = 'm' },
  { uses = 'debug.log', with = { message = 'child ${steps.m.output.steps.child.state}' } },
]
[tasks.itself]
steps = [{ uses = 'task.run', with = { task = 'itself' } }]
"""
    )
    server.start()
    for run_id in [server.run("parent") for _ in range(6)]:
        run = server.until_state(run_id)
        assert run["state"] == "succeeded", run
        assert "child succeeded" in server.log_texts(run_id, "system")
    run = server.until_state(server.run("itself"))
    assert (run["state"], run["output"]["_execution_summary"]["error_type"]) == ("failed", "InputValidationError")


def test_canceling_a_pipeline_cancels_what_it_waits_for(make_server: MakeServer) -> None:
    server = make_server(
        """
[tasks.child]
graceful_stop = "1s"
run = "exec sleep 600"
[tasks.parent]
steps = [{ uses = 'task.run', with = { task = 'child' } }]
"""
    )
    server.start()
    run_id = server.run("parent")
    (child,) = server.until(lambda: server.runs(task="child", state="running"))
    receipt = server.post(f"/v1/runs/{run_id}/cancel", wait=10)
    assert receipt["result"] == "canceled"
    assert server.until_state(child["id"])["state"] == "canceled"
    assert child["cause_run_id"] == run_id


def test_an_event_starts_a_pipeline_with_its_payload_and_a_pipeline_publishes_events(make_server: MakeServer) -> None:
    server = make_server(
        """
[tasks.first]
on_event = "door"
steps = [{ uses = 'events.publish', with = { topic = 'opened', payload = { by = '${event.payload.by}' } } }]
[tasks.second]
on_event = "opened"
steps = [{ uses = 'debug.echo', with = { by = '${event.payload.by}', topic = '${event.topic}' }, save_as = 'seen' }]
"""
    )
    server.start()
    server.post("/v1/events", {"topic": "door", "payload": {"by": "Ana"}})
    (run,) = server.until(lambda: server.runs(task="second", state="succeeded"))
    assert run["output"]["steps"]["seen"] == {"by": "Ana", "topic": "opened"}
    (first,) = server.runs(task="first")
    assert (run["depth"], run["cause_run_id"]) == (1, first["id"])


def ask_to_start(server: ServerProcess) -> str:
    """The server may die before it answers."""
    try:
        return server.run("ten")
    except httpx.TransportError:
        server.wait()
        server.start()
        return str(server.runs(task="ten")[0]["id"])


def lines(server: ServerProcess, name: str) -> list[str]:
    return (server.folder / name).read_text().split()
