"""GET /api/tasks, field by field (contract §4)."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.surfaces.runwisp.serving import described

from rota.ops.context import Rota
from rota.surfaces.runwisp import wire

EXAMPLE = """
[defaults]
keep_runs = 200
[tasks.nightly-dump]
cron = "15 1 * * *"
timezone = "Europe/Prague"
jitter = "20m"
on_overlap = "skip"
timeout = "45m"
retry_attempts = 2
retry_delay = "30s"
retry_backoff = "exponential"
exit_codes = [0, 3]
secrets_file = "dump.secret"
run = "./dump.sh"
params = [ { option = "--db", choices = ["main", "audit"], default = "main" }, { flag = "--dry-run" } ]
"""
# As the contract prints it, §5.
EXAMPLE_TASK = {
    "name": "nightly-dump", "kind": "task", "group": "Tasks", "api_trigger": True, "autostart": True, "cron": "15 1 * * *",
    "timezone": "Europe/Prague", "next_run_at": "2026-07-03T01:15:00+02:00", "jitter": 1200000000000, "catch_up": "latest",
    "max_catch_up_runs": 100, "max_concurrent": 1, "on_overlap": "skip", "queue_max": 100, "timeout": 2700000000000,
    "graceful_stop": 5000000000, "stop_signal": "SIGTERM", "exit_codes": [0, 3], "restart": "never", "retry_attempts": 2,
    "retry_delay": 30000000000, "retry_backoff": "exponential", "log_max_size": 104857600, "log_on_full": "drop_old",
    "keep_runs": 200, "secrets_file": "dump.secret", "shell": "/bin/sh",
    "parameters": [{"kind": "option", "key": "--db", "type": "string", "choices": ["main", "audit"], "default": "main"},
                   {"kind": "flag", "key": "--dry-run"}],
}  # fmt: skip
TASK = '[tasks.a]\nrun = "true"\n'
SERVICE = '[services.a]\nrun = "sleep 9"\n'
LEFT_OUT_OF_A_TASK = """
    description cron timezone next_run_at jitter run_on_start timeout retry_attempts keep_runs keep_for env env_file secrets_file
    parameters working_dir umask user compose instances healthy_after depends_on priority restart_delay run script secrets"""
LEFT_OUT_OF_A_SERVICE = """
    cron next_run_at catch_up max_catch_up_runs max_concurrent queue_max retry_attempts retry_delay parameters priority depends_on
    secrets"""
MINUTE_NS = 60 * 10**9


def shown(rota: Rota, folder: Path, toml: str) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        async with described(rota, folder, toml) as place:
            found: list[dict[str, Any]] = await place.get("/api/tasks")
            return found

    return asyncio.run(ask())


def test_the_example_of_the_contract_is_shown_as_it_stands_there(rota: Rota, tmp_path: Path) -> None:
    (tmp_path / "dump.secret").write_text("PASSWORD=hunter2\n")
    passed = datetime(2026, 7, 2, 12, 0, tzinfo=UTC) - rota.clock.now()
    rota.clock.advance(passed.total_seconds())  # type: ignore[attr-defined]
    [task] = shown(rota, tmp_path, EXAMPLE)
    assert task == EXAMPLE_TASK
    assert list(task) == list(EXAMPLE_TASK)


@pytest.mark.parametrize(
    ("toml", "field", "value"),
    [
        (TASK, "kind", "task"),
        (SERVICE, "kind", "service"),
        (TASK + 'description = "What for"', "description", "What for"),
        (TASK + 'group = "Night"', "group", "Night"),
        (SERVICE, "group", "Services"),
        (TASK + "api_trigger = false\nrun_on_start = true", "api_trigger", False),
        (SERVICE + "autostart = false", "autostart", False),
        (TASK + 'cron = "*/5 * * * *"', "cron", "*/5 * * * *"),
        (TASK + 'cron = "@every 90m"', "next_run_at", "2026-03-02T13:30:00Z"),
        (TASK + 'cron = "0 3 * * *"\ntimezone = "America/New_York"', "next_run_at", "2026-03-03T03:00:00-05:00"),
        (TASK + 'cron = "0 3 * * *"\njitter = "90s"', "jitter", 90 * 10**9),
        (TASK + "run_on_start = true", "run_on_start", True),
        (TASK + 'cron = "0 3 * * *"\ncatch_up = "skip"', "catch_up", "skip"),
        (TASK + "max_catch_up_runs = 7", "max_catch_up_runs", 7),
        (TASK + "max_concurrent = 3", "max_concurrent", 3),
        (TASK + 'on_overlap = "terminate"', "on_overlap", "terminate"),
        (SERVICE, "on_overlap", "skip"),
        (TASK + "queue_max = 4", "queue_max", 4),
        (TASK + 'timeout = "1m"', "timeout", MINUTE_NS),
        (TASK + 'graceful_stop = "1m30s"', "graceful_stop", 90 * 10**9),
        (TASK + 'stop_signal = "INT"', "stop_signal", "SIGINT"),
        (TASK + "exit_codes = [0, 75]", "exit_codes", [0, 75]),
        (TASK + "retry_attempts = 3", "retry_attempts", 3),
        (TASK + 'retry_delay = "300ms"', "retry_delay", 300 * 10**6),
        (TASK + 'retry_backoff = "linear"', "retry_backoff", "linear"),
        (TASK + 'restart = "on_failure"', "restart", "on_failure"),
        (SERVICE, "restart", "always"),
        (SERVICE + 'restart_delay = "2s"', "restart_delay", 2 * 10**9),
        (SERVICE + 'restart_backoff = "constant"', "restart_backoff", "constant"),
        (SERVICE + 'healthy_after = "1m"', "healthy_after", MINUTE_NS),
        (SERVICE + "start_retries = 5", "start_retries", 5),
        (SERVICE + "instances = 2", "instances", 2),
        (SERVICE + "priority = -3", "priority", -3),
        (SERVICE + 'depends_on = ["b"]\n[services.b]\nrun = "sleep 9"', "depends_on", ["b"]),
        (TASK + 'log_max_size = "1.5kb"', "log_max_size", 1536),
        (TASK + 'log_on_full = "kill_task"', "log_on_full", "kill_task"),
        (TASK + "keep_runs = 9", "keep_runs", 9),
        (TASK + 'keep_for = "1w"', "keep_for", 7 * 86_400 * 10**9),
        (TASK + 'umask = "027"', "umask", "027"),
        (TASK + 'user = "nobody:nogroup"', "user", "nobody:nogroup"),
        (TASK + 'shell = "/bin/bash"', "shell", "/bin/bash"),
        (TASK + 'working_dir = "/srv"', "working_dir", "/srv"),
    ],
)  # fmt: skip
def test_each_key_is_shown_in_its_field(rota: Rota, tmp_path: Path, toml: str, field: str, value: object) -> None:
    assert shown(rota, tmp_path, toml)[0][field] == value


@pytest.mark.parametrize(
    ("toml", "left_out"),
    [
        (TASK, LEFT_OUT_OF_A_TASK),
        (SERVICE, LEFT_OUT_OF_A_SERVICE),
        (TASK + 'graceful_stop = "0s"\nqueue_max = 0\nretry_delay = "0s"', "graceful_stop queue_max retry_delay"),
    ],
)  # fmt: skip
def test_what_is_unset_zero_false_or_empty_is_left_out(rota: Rota, tmp_path: Path, toml: str, left_out: str) -> None:
    assert set(left_out.split()) & set(shown(rota, tmp_path, toml)[0]) == set()


def test_line_1_the_list_is_a_bare_array_by_name_with_the_required_three_and_whole_numbers(rota: Rota, tmp_path: Path) -> None:
    toml = "".join(f'[tasks."{name}"]\nrun = "true"\njitter = "1m"\n' for name in ("b", "a.z", "B", "a:1", "Z", "a"))
    tasks = shown(rota, tmp_path, toml + SERVICE.replace("services.a", "services.c"))
    assert [task["name"] for task in tasks] == ["B", "Z", "a", "a.z", "a:1", "b", "c"]
    for task in tasks:
        assert {"name", "api_trigger", "autostart"} <= set(task)
        for field in ("jitter", "timeout", "graceful_stop", "retry_delay", "restart_delay", "healthy_after", "log_max_size"):
            assert isinstance(task.get(field, 0), int), field


def test_env_is_merged_and_visible_with_files_beneath_inline_values(rota: Rota, tmp_path: Path) -> None:
    (tmp_path / "common.env").write_text("A=file\nB=file\n")
    (tmp_path / "own.env").write_text("C=own-file\nD=own-file\n")
    toml = (
        '[defaults]\nenv_file = "common.env"\n[defaults.env]\nB = "inline"\nC = "inline"\n'
        '[tasks.a]\nrun = "true"\nenv_file = "own.env"\n[tasks.a.env]\nD = "own"\n'
    )
    [task] = shown(rota, tmp_path, toml)
    assert task["env"] == {"A": "file", "B": "inline", "C": "own-file", "D": "own"}
    assert task["env_file"] == "own.env"


def test_a_relative_working_dir_is_shown_resolved(rota: Rota, tmp_path: Path) -> None:
    assert shown(rota, tmp_path, TASK + 'working_dir = "sub"')[0]["working_dir"] == str(tmp_path / "sub")


def test_parameters_show_what_was_declared(rota: Rota, tmp_path: Path) -> None:
    params = (
        'params = [{ env = "DEPTH", type = "number", required = true, description = "How deep" }, '
        '{ option = "--to=", choices = ["x"], allow_custom = true }, { arg = "FILE" }]'
    )
    assert shown(rota, tmp_path, TASK + params)[0]["parameters"] == [
        {"kind": "env", "key": "DEPTH", "type": "number", "required": True, "description": "How deep"},
        {"kind": "option", "key": "--to=", "type": "string", "choices": ["x"], "allow_custom": True},
        {"kind": "arg", "key": "FILE", "type": "string"},
    ]


def test_the_fields_are_those_of_the_contract() -> None:
    assert set(wire.Task.__struct_fields__) == {
        "name", "api_trigger", "autostart", "kind", "description", "group", "cron", "timezone", "next_run_at", "jitter",
        "run_on_start", "catch_up", "max_catch_up_runs", "max_concurrent", "queue_max", "on_overlap", "timeout", "graceful_stop",
        "stop_signal", "exit_codes", "retry_attempts", "retry_delay", "retry_backoff", "restart", "restart_delay",
        "restart_backoff", "healthy_after", "start_retries", "instances", "priority", "depends_on", "log_max_size", "log_on_full",
        "keep_runs", "keep_for", "env", "env_file", "secrets_file", "parameters", "shell", "working_dir", "umask", "user",
        "compose",
    }  # fmt: skip


def test_a_paused_task_has_no_next_run(rota: Rota, tmp_path: Path) -> None:
    from rota.core.actor import OPERATOR
    from rota.ops import steering

    async def ask() -> Any:
        async with described(rota, tmp_path, TASK + 'cron = "0 3 * * *"') as place:
            await steering.pause_task(rota, OPERATOR, "a")
            return await place.get("/api/tasks")

    assert "next_run_at" not in asyncio.run(ask())[0]
