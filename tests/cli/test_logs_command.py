"""`rota logs` of runs that have ended: the same with a server and without."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
TEXT = "one\n!two\nthree\n"


@pytest.fixture(params=["server up", "server down"], autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """Every test of this file runs both ways."""
    if request.param == "server up":
        request.getfixturevalue("server")
    return str(request.param)


def test_each_line_goes_to_the_stream_it_was_written_to(call: Call, world: Any) -> None:
    run = world.run(world.task("backup"), text=TEXT)
    result = call("logs", run.id)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "one\nthree\n", "!two\n")


def test_a_tasks_name_stands_for_its_latest_run(call: Call, world: Any) -> None:
    task = world.task("backup")
    world.run(task, text="old\n")
    world.run(task, text="new\n")
    assert call("logs", "backup").stdout == "new\n"


def test_the_beginning_of_an_id_is_enough(call: Call, world: Any) -> None:
    task = world.task("backup")
    runs = [world.run(task, text=f"{number}\n") for number in range(3)]
    assert call("logs", runs[1].id[:30]).stdout == "1\n"


def test_a_beginning_that_several_runs_share_is_refused(call: Call, world: Any) -> None:
    task = world.task("backup")
    runs = [world.run(task) for _ in range(2)]
    result = call("logs", runs[0].id[:8])
    assert result.exit_code == 2
    assert all(run.id in result.stderr for run in runs)


def test_a_task_may_be_named_like_the_beginning_of_an_id(call: Call, world: Any) -> None:
    world.run(world.task("deadbeef"), text="hello\n")
    assert call("logs", "deadbeef").stdout == "hello\n"


def test_only_the_last_lines(call: Call, world: Any) -> None:
    world.run(world.task("backup"), text=TEXT)
    result = call("logs", "backup", "-n", "2")
    assert (result.stdout, result.stderr) == ("three\n", "!two\n")


def test_a_log_longer_than_a_page_is_whole(call: Call, world: Any) -> None:
    text = "".join(f"{number}\n" for number in range(2500))
    world.run(world.task("backup"), text=text)
    assert call("logs", "backup").stdout == text
    assert call("logs", "backup", "-n", "1500").stdout == "".join(f"{number}\n" for number in range(1000, 2500))


def test_lines_in_json_tell_number_time_and_stream(call: Call, world: Any) -> None:
    world.run(world.task("backup"), text=TEXT)
    result = call("logs", "backup", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["n"], line["stream"], line["text"]) for line in lines] == [
        (0, "stdout", "one"),
        (1, "stderr", "!two"),
        (2, "stdout", "three"),
    ]
    assert lines[0]["at"] == "1970-01-01T00:00:00Z"


def test_following_a_run_that_has_ended_ends(call: Call, world: Any) -> None:
    world.run(world.task("backup"), text=TEXT)
    result = call("logs", "backup", "-f", "-n", "1")
    assert (result.exit_code, result.stdout) == (0, "three\n")


def test_a_task_that_never_ran_has_no_log(call: Call, world: Any) -> None:
    world.task("backup")
    result = call("logs", "backup")
    assert result.exit_code == 2
    assert "backup has not run yet" in result.stderr


def test_an_unknown_run_is_told(call: Call, world: Any) -> None:
    world.task("backup")
    result = call("logs", "01a2007f-6aab-7000-a211-1eb494660859")
    assert result.exit_code == 2
    assert "there is no run" in result.stderr
