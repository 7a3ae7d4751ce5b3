"""Commands that only a server can carry out, and how they meet one: none, a dead one, a living one."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from rota.cli.online import answers
from rota.cli.place import Place
from rota.datadir import PLACE

Call = Callable[..., Result]
Told = Callable[..., Any]
NEED_SERVER = [("run", "backup"), ("stop", "backup"), ("events", "publish", "file.arrived"), ("reload",)]


@pytest.mark.parametrize("words", NEED_SERVER)
def test_without_a_server_they_say_so(call: Call, world: Any, words: tuple[str, ...]) -> None:
    world.task("backup")
    result = call(*words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "needs a running server" in result.stderr
    assert "rota serve" in result.stderr


def test_they_say_so_in_json_too(call: Call) -> None:
    error = json.loads(call("run", "backup", "--json").stderr)["error"]
    assert (error["code"], error["exit_code"]) == ("unreachable", 3)


def test_a_socket_that_a_dead_server_left_is_no_server(call: Call, world: Any, home: Path) -> None:
    world.task("backup")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / ".rota" / "rota.sock"))
    assert call("run", "backup").exit_code == 3
    assert call("tasks").exit_code == 0


def test_lists_of_a_directory_without_rota_leave_it_alone(call: Call, home: Path) -> None:
    result = call("tasks")
    assert result.exit_code == 3
    assert "there is no Rota in" in result.stderr
    assert list(home.iterdir()) == []


def test_a_data_directory_with_a_long_path_is_reached(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = home.joinpath(*["a" * 40] * 3)
    (deep / ".rota").mkdir(parents=True)
    monkeypatch.chdir(deep)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(".rota/rota.sock")
        listener.listen()
        monkeypatch.setenv("ROTA_DATA", str(deep / ".rota"))
        assert answers(Place().socket)


def test_run_prints_the_id_alone(call: Call, told: Told, world: Any, server: Path) -> None:
    world.task("backup")
    result = call("run", "backup")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == told("runs", "--json")["items"][0]["id"] + "\n"


def test_params_are_text_or_json(told: Told, world: Any, server: Path) -> None:
    world.task("backup", params={"target": "nas"})
    run = told("run", "backup", "--param", "version=1.10", "-p", "full:=true", "-p", "note=a=b", "--json")
    assert run["params"] == {"target": "nas", "version": "1.10", "full": True, "note": "a=b"}


@pytest.mark.parametrize("word", ["full", "=true", "full:={"])
def test_a_param_without_form_is_a_usage_error(call: Call, word: str) -> None:
    result = call("run", "backup", "--param", word)
    assert result.exit_code == 2
    assert repr(word) in result.stderr


def test_a_param_that_the_task_does_not_take_is_told(call: Call, world: Any, server: Path) -> None:
    world.task("backup", inputs=[{"kind": "env", "key": "TARGET"}])
    result = call("run", "backup", "-p", "TRAGET=nas")
    assert result.exit_code == 2
    assert "TRAGET" in result.stderr


def test_an_unknown_task_is_not_run_and_the_nearest_is_told(call: Call, world: Any, server: Path) -> None:
    world.task("backup")
    result = call("run", "bakcup")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean backup?" in result.stderr


def test_stop_of_a_waiting_run_is_a_receipt(call: Call, world: Any, server: Path) -> None:
    world.task("backup")
    run_id = call("run", "backup").stdout.strip()
    result = call("stop", "backup")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{run_id} canceled")


def test_stop_prefers_the_run_that_lives(call: Call, told: Told, world: Any, server: Path) -> None:
    task = world.task("backup")
    run_id = call("run", "backup").stdout.strip()
    world.run(task)
    assert told("stop", "backup", "--json")["run_id"] == run_id


def test_stop_of_a_run_that_had_ended_says_so(call: Call, world: Any, server: Path) -> None:
    run = world.run(world.task("backup"))
    result = call("stop", run.id)
    assert (result.exit_code, result.stdout) == (0, f"{run.id} had finished first\n")


def test_stop_that_takes_too_long_fails_and_says_so(call: Call, world: Any, server: Path) -> None:
    run = world.run(world.task("backup"), "running", exit_code=None)
    result = call("stop", run.id, "--timeout", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has not ended yet" in result.stderr


def test_an_event_is_published_with_its_payload(told: Told, world: Any, server: Path) -> None:
    task = world.task("import", schedule={"kind": "event", "topic": "file.arrived"})
    event = told("events", "publish", "file.arrived", '{"path": "/in/a"}', "--json")
    assert event["topic"] == "file.arrived"
    (run,) = told("runs", "--json")["items"]
    assert (run["task_id"], run["trigger"], [run["id"]]) == (task.id, "event", event["started"])


def test_a_payload_may_come_from_stdin(call: Call, server: Path) -> None:
    assert call("events", "publish", "file.arrived", "-", stdin='{"path": "/in/a"}').exit_code == 0


@pytest.mark.parametrize("payload", ["{", "[1]", "7"])
def test_a_payload_is_a_json_object(call: Call, server: Path, payload: str) -> None:
    result = call("events", "publish", "file.arrived", payload)
    assert (result.exit_code, result.stdout) == (2, "")


def test_users_and_keys_are_made_beside_a_running_server(told: Told, call: Call, server: Path) -> None:
    told("user", "add", "ada")
    assert call("key", "add", "--user", "ada", "--for", "native").exit_code == 0


def test_beside_a_server_on_postgresql_no_file_is_begun(call: Call, home: Path) -> None:
    (home / ".rota").mkdir()
    (home / ".rota" / PLACE).write_text("which such a server leaves there")
    for words in (("user", "add", "ada"), ("tasks",)):
        result = call(*words)
        assert result.exit_code == 1
        assert "keeps its state in PostgreSQL" in result.stderr
        assert "--config FILE" in result.stderr
    assert not (home / ".rota" / "rota.db").exists()
