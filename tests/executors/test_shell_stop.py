"""How scripts are stopped, and that nothing of them is left."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.shell_workbench import IDS, Script, carry_out, run_script

from rota.core.outcome import StopCause
from rota.core.policy import Stop
from rota.executors import StopRequest, command
from rota.process import Tree, is_gone_within
from rota.process.table import find_process, find_variable, list_processes

LONG = Stop(grace_s=10)


def is_alive(pid: str | int) -> bool:
    entry = find_process(int(pid))
    return entry is not None and not entry.is_dead


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def marked(run_id: str) -> list[int]:
    return [entry.pid for entry in list_processes() if find_variable(entry.pid, "ROTA_RUN_ID") == run_id]


def test_a_stop_asks_by_signal(tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
    result = run_script(tmp_path, script, stop_at=1, policy={"stop": LONG})
    assert (result.outcome.state, result.outcome.exit_code) == ("stopped", 7)
    assert result.texts() == ["ready", "bye"]
    assert result.deliveries == 1
    assert result.texts("system") == ["asked to stop: SIGTERM to all processes of the run"]


def test_the_signal_is_the_tasks_own(tmp_path: Path) -> None:
    script = "trap 'echo usr1; exit 0' USR1; echo ready; while :; do sleep 0.01; done"
    assert run_script(tmp_path, script, stop_at=1, policy={"stop": Stop(signal="SIGUSR1", grace_s=10)}).texts() == [
        "ready",
        "usr1",
    ]


def test_who_ignores_the_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    result = run_script(
        tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.01; done", stop_at=1, policy={"stop": Stop(grace_s=0.1)}
    )
    assert (result.outcome.state, result.outcome.exit_code) == ("stopped", 137)


@pytest.mark.parametrize("rule", [Stop(grace_s=0), Stop(signal="SIGKILL", grace_s=10)])
def test_without_grace_it_is_killed_at_once(tmp_path: Path, rule: Stop) -> None:
    result = run_script(
        tmp_path, "trap 'echo no; exit 0' TERM; echo ready; while :; do sleep 0.01; done", stop_at=1, policy={"stop": rule}
    )
    assert (result.outcome.exit_code, result.texts()) == (137, ["ready"])
    assert result.deliveries == 1


def test_grandchildren_are_reached(tmp_path: Path) -> None:
    script = "sh -c 'sleep 30 & echo $!; sh -c \"echo \\$\\$; sleep 30\"; :' ; :"
    result = run_script(tmp_path, script, stop_at=2, policy={"stop": LONG})
    assert result.outcome.state == "stopped"
    assert not any(map(is_alive, result.texts()))


def test_children_outlive_the_leader_only_until_the_grace_is_over(tmp_path: Path) -> None:
    script = "(trap '' TERM; echo ready; while :; do sleep 0.01; done) & wait"
    run_id = IDS.new()
    result = run_script(tmp_path, script, stop_at=1, run={"id": run_id}, policy={"stop": Stop(grace_s=0.1)})
    assert result.outcome.exit_code == 143
    assert marked(run_id) == []


def test_who_left_the_session_is_swept_when_the_run_is_stopped(tmp_path: Path) -> None:
    """One keeps the mark, one loses the parent too, one even ignores the signal."""
    script = """
        setsid sh -c 'echo ready; sleep 30' &
        (setsid sh -c 'echo ready; sleep 30' &)
        setsid sh -c 'trap "" TERM; echo ready; while :; do sleep 0.01; done' &
        sleep 30
    """
    run_id = IDS.new()
    result = run_script(tmp_path, script, stop_at=3, run={"id": run_id}, cause="cancel")
    assert result.outcome.state == "canceled"
    assert marked(run_id) == []


def test_a_descendant_without_the_mark_is_found_by_its_parents(tmp_path: Path) -> None:
    script = "setsid env -i /bin/sh -c 'echo $$; /bin/sleep 30; :' & sleep 30"
    result = run_script(tmp_path, script, stop_at=1, policy={"stop": Stop(grace_s=0)})
    assert not is_alive(result.texts()[0])


def test_what_is_left_in_the_session_goes_with_a_run_that_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LINGER_S", 0.05)
    result = run_script(tmp_path, "sleep 30 >/dev/null 2>&1 & echo $!", policy={"stop": LONG})
    assert result.outcome.state == "succeeded"
    assert not is_alive(result.texts()[0])
    assert result.texts("system") == ["ending the processes it left behind"]


def test_a_daemon_that_left_the_session_goes_on_when_the_run_ends_by_itself(tmp_path: Path) -> None:
    result = run_script(tmp_path, "setsid sleep 30 >/dev/null 2>&1 & echo $!")
    pid = int(result.texts()[0])
    assert result.outcome.state == "succeeded"
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_the_strongest_cause_counts(tmp_path: Path) -> None:
    def ask(stop: StopRequest) -> None:
        causes: list[StopCause] = ["stop", "timeout", "cancel"]
        for cause in causes:
            stop.ask(cause)

    result = run_script(
        tmp_path, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", on_growth=ask, policy={"stop": LONG}
    )
    assert (result.outcome.state, result.outcome.exit_code) == ("timed_out", 0)


def test_haste_ends_the_grace(tmp_path: Path) -> None:
    async def scenario() -> None:
        ready = asyncio.Event()
        requests: list[StopRequest] = []

        def ask(stop: StopRequest) -> None:
            requests.append(stop)
            ready.set()

        script = Script(
            "trap '' TERM; echo ready; while :; do sleep 0.01; done", on_growth=ask, policy={"stop": Stop(grace_s=60)}
        )
        running = asyncio.create_task(carry_out(tmp_path, script))
        await ready.wait()
        requests[0].ask("stop")
        requests[0].ask("shutdown", hurry=True)
        outcome = (await running).outcome
        assert (outcome.state, outcome.reason, outcome.exit_code) == ("stopped", "shutdown", 137)

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_an_attempt_cut_off_leaves_no_process(tmp_path: Path) -> None:
    run_id = IDS.new()

    async def scenario() -> None:
        ready = asyncio.Event()
        script = Script(
            "trap '' TERM; echo ready; while :; do sleep 0.01; done", run={"id": run_id}, on_growth=lambda _: ready.set()
        )
        running = asyncio.create_task(carry_out(tmp_path, script))
        await ready.wait()
        leader = next(entry for entry in list_processes() if entry.pid == entry.session and entry.pid in marked(run_id))
        running.cancel()
        await asyncio.wait([running])
        assert await is_gone_within(Tree(run_id, *leader.identity), 5, asyncio.Event())

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_two_hundred_at_once_leave_neither_descriptors_nor_zombies(tmp_path: Path) -> None:
    async def scenario() -> None:
        await carry_out(tmp_path, Script("true"))  # what a first run opens for good
        before, dead_before = descriptors(), dead_children()
        results = await asyncio.gather(*(carry_out(tmp_path, Script("echo a; echo b >&2")) for _ in range(200)))
        assert {result.outcome.state for result in results} == {"succeeded"}
        assert all(result.texts() == ["a"] and result.texts("stderr") == ["b"] for result in results)
        assert descriptors() == before
        assert dead_children() <= dead_before

    asyncio.run(scenario())


def dead_children() -> set[int]:
    """Those that nobody has waited for: other tests that killed theirs have left some."""
    return {entry.pid for entry in list_processes() if entry.parent == os.getpid() and entry.is_dead}
