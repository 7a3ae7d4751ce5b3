"""`rota tasks`, `rota runs`, `rota next`: the same with a server and without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
Told = Callable[..., Any]
NIGHTLY = {"kind": "cron", "expr": "30 2 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture(params=["server up", "server down"], autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """Every test of this file runs both ways."""
    if request.param == "server up":
        request.getfixturevalue("server")
    return str(request.param)


def columns(result: Result) -> list[list[str]]:
    assert result.exit_code == 0, result.output
    return [line.split() for line in result.stdout.splitlines()]


def test_tasks_show_schedule_state_next_and_last_run(call: Call, world: Any) -> None:
    task = world.task("backup", schedule=NIGHTLY)
    world.run(task, "failed", exit_code=3)
    head, row = columns(call("tasks"))
    assert head == ["NAME", "SCHEDULE", "STATE", "NEXT", "LAST", "RUN"]
    assert row[:8] == ["backup", "30", "2", "*", "*", "*", "Europe/Berlin", "active"]
    assert row[8].endswith("Z")
    assert row[9] == "failed"


def test_tasks_in_json_are_those_of_the_api_with_the_last_run(told: Told, world: Any) -> None:
    run = world.run(world.task("backup"))
    (task,) = told("tasks", "--json")["items"]
    assert (task["name"], task["last_run"]["id"], task["last_run"]["state"]) == ("backup", run.id, "succeeded")


@pytest.mark.parametrize(
    ("schedule", "shown"),
    [
        (None, "manual"),
        ({"kind": "cron", "expr": "@daily"}, "@daily"),
        ({"kind": "once", "at": "2099-01-01T00:00:00Z"}, "once 2099-01-01T00:00:00Z"),
        ({"kind": "event", "topic": "file.arrived"}, "on file.arrived"),
    ],
)
def test_every_kind_of_schedule_has_its_words(call: Call, world: Any, schedule: dict[str, Any] | None, shown: str) -> None:
    world.task("backup", schedule=schedule)
    _, row = columns(call("tasks"))
    assert " ".join(row).startswith(f"backup {shown} active")


def test_no_tasks_leave_stdout_empty(call: Call, world: Any, home: Path) -> None:
    call("user", "add", "ada")
    result = call("tasks")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No tasks" in result.stderr


def test_runs_are_newest_first(call: Call, world: Any) -> None:
    task = world.task("backup")
    older, newer = world.run(task), world.run(task, "failed", exit_code=3)
    _, first, second = columns(call("runs"))
    assert [first[0], second[0]] == [newer.id, older.id]
    assert first[1:4] == ["backup", "failed", "schedule"]
    assert first[-1] == "3"


def test_runs_are_those_of_a_task_in_a_state(told: Told, world: Any) -> None:
    backup, report = world.task("backup"), world.task("report")
    wanted = world.run(backup, "failed", exit_code=1)
    world.run(backup)
    world.run(report, "failed", exit_code=1)
    items = told("runs", "--task", "backup", "--state", "failed", "--json")["items"]
    assert [item["id"] for item in items] == [wanted.id]


def test_only_so_many_runs_are_shown(told: Told, world: Any) -> None:
    task = world.task("backup")
    runs = [world.run(task) for _ in range(3)]
    assert [item["id"] for item in told("runs", "-n", "2", "--json")["items"]] == [runs[2].id, runs[1].id]


def test_an_unknown_task_suggests_the_nearest(call: Call, world: Any) -> None:
    world.task("backup")
    for words in (("runs", "--task", "bakcup"), ("next", "bakcup"), ("logs", "bakcup")):
        result = call(*words)
        assert result.exit_code == 2
        assert "did you mean backup?" in result.stderr
        assert result.stdout == ""


def test_a_name_with_a_slash_is_only_unknown(call: Call, world: Any) -> None:
    world.task("backup")
    result = call("next", "../../v1/users")
    assert result.exit_code == 2
    assert "no task is named" in result.stderr


def test_next_tells_local_time_and_utc(call: Call, world: Any) -> None:
    world.task("backup", schedule=NIGHTLY)
    _, row = columns(call("next", "backup", "-n", "1", "--after", "2026-07-01T00:00:00Z"))
    assert row == ["2026-07-01T02:30:00+02:00", "2026-07-01T00:30:00Z", "-"]


def test_next_tells_what_the_clocks_do(call: Call, world: Any) -> None:
    world.task("backup", schedule=NIGHTLY)
    forward = call("next", "backup", "-n", "1", "--after", "2026-03-28T12:00:00Z").stdout
    back = call("next", "backup", "-n", "1", "--after", "2026-10-24T12:00:00Z").stdout
    assert "2026-03-29T03:00:00+02:00  2026-03-29T01:00:00Z  clocks go forward" in forward
    assert "2026-10-25T02:30:00+02:00  2026-10-25T00:30:00Z  clocks go back" in back


def test_next_in_json_is_the_reply_of_the_api(told: Told, world: Any) -> None:
    world.task("backup", schedule=NIGHTLY)
    items = told("next", "backup", "-n", "2", "--json")["items"]
    assert [set(item) for item in items] == [{"at", "local", "note"}] * 2


def test_a_task_without_times_says_so(call: Call, world: Any) -> None:
    world.task("backup")
    result = call("next", "backup")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "backup has no next time" in result.stderr


def test_a_bad_moment_is_a_usage_error_that_names_it(call: Call, world: Any) -> None:
    world.task("backup", schedule=NIGHTLY)
    result = call("next", "backup", "--after", "tomorrow")
    assert result.exit_code == 2
    assert "query.after" in result.stderr


def test_a_users_task_is_found_by_its_name(told: Told, world: Any) -> None:
    told("user", "add", "ada")
    world.task("mine", owner="ada", schedule=NIGHTLY)
    assert told("next", "mine", "--json")["items"]


def test_a_name_of_several_users_must_be_told_by_id(call: Call, told: Told, world: Any) -> None:
    tasks = []
    for name in ("ada", "bob"):
        told("user", "add", name)
        tasks.append(world.task("mine", owner=name, schedule=NIGHTLY))
    result = call("next", "mine")
    assert result.exit_code == 2
    assert all(task.id in result.stderr for task in tasks)
    assert told("next", tasks[0].id, "--json")["items"]
