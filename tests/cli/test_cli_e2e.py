"""The command line against a real server that carries real processes out."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rota

pytestmark = pytest.mark.e2e

SETTINGS = """\
[tasks.talk]
run = "echo out; echo err >&2"

[tasks.fail]
run = "echo before; exit 7"

[tasks.fine]
run = "exit 3"
exit_codes = [0, 3]

[tasks.killed]
run = "kill -9 $$"

[tasks.greet]
run = 'echo "hello $NAME"'
params = [{ env = "NAME" }]

[tasks.alone]
run = "sleep 600"
on_overlap = "skip"

[tasks.slow]
run = "echo begun; sleep 600"
on_overlap = "queue"
max_concurrent = 9
"""
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rota.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
Rota = Callable[..., "subprocess.CompletedProcess[str]"]


class Workplace:
    """A directory with settings, and `rota` as a process in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "rota", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.path, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True)

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*words) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def on_terminal(self, *words: str) -> list[str]:
        """The lines that a terminal of 80 columns without colour shows."""
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "rota", *words]
        environment = ENVIRONMENT | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
        subprocess.run(command, cwd=self.path, env=environment, stdout=theirs, check=True)
        os.close(theirs)
        with open(ours, encoding="utf-8", errors="replace") as terminal:  # noqa: PTH123  it is a descriptor
            return os.read(terminal.fileno(), 65536).decode().splitlines()

    def json(self, *words: str) -> Any:
        result = self(*words, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A server that runs for the tests of this file."""
    place = Workplace(tmp_path_factory.mktemp("server"))
    (place.path / "rota.toml").write_text(SETTINGS)
    with place.start("serve", "--listen", "127.0.0.1:0") as server:
        assert server.stdout is not None
        assert "Rota" in server.stdout.readline()
        yield place
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0


def test_wait_passes_streams_and_success_on(at: Workplace) -> None:
    result = at("run", "talk", "--wait")
    assert (result.returncode, result.stdout) == (0, "out\n")
    told, said = result.stderr.splitlines()
    assert told.startswith("rota: run ")
    assert said == "err"


def test_wait_exits_with_the_childs_own_code(at: Workplace) -> None:
    result = at("run", "fail", "--wait")
    assert (result.returncode, result.stdout) == (7, "before\n")
    assert "rota: run failed" in result.stderr


def test_a_code_that_counts_as_success_is_passed_on_too(at: Workplace) -> None:
    result = at("run", "fine", "--wait")
    assert result.returncode == 3
    assert "failed" not in result.stderr


def test_a_child_that_a_signal_ended_exits_as_in_a_shell(at: Workplace) -> None:
    assert at("run", "killed", "--wait").returncode == 128 + signal.SIGKILL


def test_wait_with_json_prints_the_run_as_it_ended(at: Workplace) -> None:
    run = at.json("run", "talk", "--wait")
    assert (run["state"], run["trigger"], run["exit_code"]) == ("succeeded", "cli", 0)


def test_params_reach_the_process(at: Workplace) -> None:
    assert at("run", "greet", "--param", "NAME=Ada", "--wait").stdout == "hello Ada\n"


def test_ctrl_c_leaves_the_run_going_and_says_how_to_stop_it(at: Workplace) -> None:
    with at.start("run", "slow", "--wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    run_id = err.split()[2]
    assert process.returncode == 130
    assert f"rota stop {run_id}" in err
    (running,) = at.json("runs", "--state", "running")["items"]
    assert running["id"] == run_id
    receipt = at.json("stop", run_id)
    assert (receipt["run_id"], receipt["result"]) == (run_id, "canceled")


def test_logs_follow_a_run_to_its_end(at: Workplace) -> None:
    run_id = at("run", "slow").stdout.strip()
    with at.start("logs", run_id, "-f") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "begun\n"
        assert at("stop", run_id).stdout.startswith(f"{run_id} canceled, all its processes ended")
        follower.communicate(timeout=30)
    assert follower.returncode == 0


def test_logs_into_a_pipe_that_closes_end_quietly(at: Workplace) -> None:
    run_id = at("run", "slow").stdout.strip()
    with at.start("logs", run_id, "-f") as follower:
        assert follower.stdout is not None
        follower.stdout.readline()
        follower.stdout.close()
        at("stop", run_id)
        assert follower.stderr is not None
        assert "Traceback" not in follower.stderr.read()


def test_a_stopped_run_is_a_failure_for_who_waits(at: Workplace) -> None:
    with at.start("run", "slow", "--wait") as process:
        assert process.stdout is not None
        process.stdout.readline()
        at("stop", "slow")
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "rota: run canceled" in err


def test_a_run_that_never_started_is_a_failure_with_its_reason(at: Workplace) -> None:
    first = at("run", "alone").stdout.strip()
    result = at("run", "alone", "--wait")
    at("stop", first)
    assert (result.returncode, result.stdout) == (1, "")
    assert "rota: run skipped: overlap" in result.stderr


def test_reload_takes_the_changed_file(at: Workplace) -> None:
    settings = at.path / "rota.toml"
    settings.write_text(SETTINGS + '[tasks.added]\nrun = "true"\n')
    assert at("reload").stdout == "added added\n"
    settings.write_text(SETTINGS)
    assert at("reload").stdout == "removed added\n"
    assert at("reload").stdout == "nothing changed\n"


def test_reload_of_a_bad_file_changes_nothing_and_names_the_place(at: Workplace) -> None:
    settings = at.path / "rota.toml"
    settings.write_text(SETTINGS + '[tasks.added]\nrnu = "true"\n')
    result = at("reload")
    settings.write_text(SETTINGS)
    assert result.returncode == 2
    assert "rota.toml:27:1 tasks.added.rnu: unknown key; did you mean run?" in result.stderr
    assert "added" not in [task["name"] for task in at.json("tasks")["items"]]


def test_runs_on_a_terminal_fit_its_width_and_their_ids_are_good_enough(at: Workplace) -> None:
    run_id = at("run", "talk", "--wait").stderr.split()[2]
    lines = at.on_terminal("runs", "-n", "1")
    assert [len(line) <= 80 for line in lines] == [True, True]
    shown = lines[1].split()[0]
    assert run_id.startswith(shown)
    assert at("logs", shown).stdout == "out\n"


def test_a_second_server_is_refused(at: Workplace) -> None:
    result = at("serve", "--listen", "127.0.0.1:0")
    assert result.returncode == 1
    assert "already runs on" in result.stderr


def test_who_waits_is_told_that_the_server_went_away(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    (tmp_path / "rota.toml").write_text(SETTINGS)
    with place.start("serve", "--listen", "127.0.0.1:0") as server:
        assert server.stdout is not None
        server.stdout.readline()
        with place.start("run", "slow", "--wait") as waiting:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            server.kill()
            _, err = waiting.communicate(timeout=30)
        server.communicate(timeout=30)
    assert waiting.returncode == 3
    assert "went away" in err
    # Killed, it left its run's processes behind; the next server ends them.
    with place.start("serve", "--listen", "127.0.0.1:0") as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert [run["state"] for run in place.json("runs")["items"]] == ["crashed"]
        server.terminate()
        server.communicate(timeout=30)
