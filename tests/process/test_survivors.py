"""Finding and ending what a dead server left running."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.shell_workbench import IDS

from rota.process import Tree, end_group, find_start_ticks, find_survivors
from rota.process.table import find_process
from rota.process.tree import signal_one

pytestmark = pytest.mark.timeout(20)


@contextmanager
def orphan(run_id: str, script: str) -> Iterator[subprocess.Popen[str]]:
    """A session like a run's. It has printed its first line."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"PATH": "/usr/bin:/bin", "ROTA_RUN_ID": run_id},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        if process.poll() is None:
            process.kill()


def tree_of(run_id: str, process: subprocess.Popen[str], older_by: int = 0) -> Tree:
    return Tree(run_id, process.pid, (find_start_ticks(process.pid) or 0) - older_by)


def read_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def is_alive(pid: int) -> bool:
    entry = find_process(pid)
    return entry is not None and not entry.is_dead


def test_a_session_with_the_very_start_time_is_ended() -> None:
    run_id = IDS.new()
    with orphan(run_id, "trap '' TERM; sleep 30 & echo $!; while :; do sleep 0.01; done") as process:
        child, tree = read_pid(process), tree_of(run_id, process)
        assert find_survivors([tree]) == [tree]
        assert asyncio.run(end_group(tree, grace_s=0.05)) == 0
        assert process.wait() == -signal.SIGKILL
        assert not is_alive(child)
        assert find_survivors([tree]) == []


def test_another_process_with_the_same_pid_is_spared() -> None:
    with orphan("somebody-else", "echo $$; exec sleep 30") as process:
        read_pid(process)
        tree = tree_of(IDS.new(), process, older_by=1)
        assert find_survivors([tree]) == []
        assert asyncio.run(end_group(tree)) == 0
        entry = find_process(process.pid)
        assert entry
        signal_one(entry._replace(start_ticks=entry.start_ticks - 1), signal.SIGKILL)
        assert is_alive(process.pid)


def test_a_tree_without_its_leader_is_found_by_its_mark() -> None:
    run_id = IDS.new()
    with orphan(run_id, "setsid sleep 30 >/dev/null & echo $!") as process:
        child, ticks = read_pid(process), find_start_ticks(process.pid) or 0
        process.wait()
        for tree in (Tree(run_id, process.pid, ticks), Tree(run_id, 0, 0)):
            assert find_survivors([tree]) == [tree]
        assert asyncio.run(end_group(Tree(run_id, 0, 0))) == 0
        assert not is_alive(child)


def test_a_server_that_a_run_has_started_does_not_end_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """We carry the mark of the run that started us; as our environment is read from the kernel, a child has to say it."""
    run_id = IDS.new()
    program = (
        "import asyncio, sys; from rota.process import Tree, end_group, find_survivors; tree = Tree(sys.argv[1], 0, 0);"
        "print(find_survivors([tree]), asyncio.run(end_group(tree)))"
    )
    command = [os.path.realpath("/proc/self/exe"), "-c", program, run_id]
    env = {**os.environ, "ROTA_RUN_ID": run_id, "PYTHONPATH": os.pathsep.join(filter(None, __import__("sys").path))}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[] 0\n"


def test_an_unknown_leader_never_means_our_own_group() -> None:
    tree = Tree(IDS.new(), 0, 0)
    assert not tree.has_group
    assert not tree.has_leader()
    tree.signal_group(signal.SIGKILL)
