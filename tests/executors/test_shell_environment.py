"""The environment of a run, and its params."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from tests.factories import make_run, make_task
from tests.shell_workbench import IDS, run_script

from rota.core.inputs import Input
from rota.core.ulid import to_ulid
from rota.executors.environment import inherited, layered, params_variables, run_variables

SHOW = "env | grep -E '^(ROTA_|RUNWISP_|LEVEL)' | sort"


def test_the_servers_own_settings_are_not_inherited() -> None:
    server = {"PATH": "/bin", "ROTA_DATABASE": "x", "RUNWISP_PASSWORD": "y", "ROTATION": "kept"}
    assert inherited(server) == {"PATH": "/bin", "ROTATION": "kept"}


def test_no_run_can_speak_to_the_service_manager_for_the_server() -> None:
    server = {"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1", "INVOCATION_ID": "kept"}
    assert inherited(server) == {"INVOCATION_ID": "kept"}


def test_a_later_layer_wins() -> None:
    names = ("A", "B", "C")
    assert layered({name: str(level) for name in names[level:]} for level in range(3)) == {"A": "0", "B": "1", "C": "2"}


def test_one_variable_at_all_levels_has_the_value_of_the_highest(tmp_path: Path) -> None:
    """RunWisp §10: server, identity, unit, secrets, env parameters."""
    server = {"PATH": "/usr/bin:/bin", "LEVEL": "server", "HOME": "server", "ROTA_SECRET_KEY": "leaked", "RUNWISP_PORT": "leaked"}
    script = 'echo "$LEVEL $HOME ${ROTA_SECRET_KEY-none} ${RUNWISP_PORT-none}"'
    levels: list[str] = []
    for work, secrets, run in (
        ({}, {}, {}),
        ({"env": {"LEVEL": "unit", "HOME": "unit"}}, {}, {}),
        ({"env": {"LEVEL": "unit", "HOME": "unit"}}, {"LEVEL": "hush"}, {}),
        ({"env": {"LEVEL": "unit", "HOME": "unit"}}, {"LEVEL": "hush"}, {"params": {"LEVEL": "param"}}),
    ):
        result = run_script(
            tmp_path,
            script,
            work=work,
            secrets=secrets,
            server_env=server,
            run=run,
            task={"inputs": [Input(kind="env", key="LEVEL")]},
        )
        levels += result.texts()
    assert levels == [
        "server server none none",
        "unit unit none none",
        "[redacted] unit none none",
        "param unit none none",
    ]


def test_a_run_knows_itself(tmp_path: Path) -> None:
    prague = timezone(timedelta(hours=1))
    nominal = datetime(2026, 3, 1, 4, 0, tzinfo=prague)
    run_id = IDS.new()
    fields = {"id": run_id, "attempt": 2, "trigger": "schedule", "nominal_at": nominal}
    result = run_script(tmp_path, SHOW, run=fields, work={"env": {"ROTA_RUN_ID": "no", "ROTA_EXTRA": "mine"}})
    assert result.texts() == [
        "ROTA_ATTEMPT=2",
        "ROTA_EXTRA=mine",
        "ROTA_FENCE=0",
        "ROTA_NOMINAL_AT=2026-03-01T03:00:00Z",
        "ROTA_PARAMS={}",
        f"ROTA_RUN_ID={run_id}",
        "ROTA_TASK=backup",
        "ROTA_TRIGGER=schedule",
    ]


def test_a_task_from_a_settings_file_has_the_names_of_runwisp_too() -> None:
    task = make_task(source="file", name="nightly")
    run = make_run(task, attempt=3, trigger="catch_up")
    names = {name: value for name, value in run_variables(task, run).items() if name.startswith("RUNWISP_")}
    assert names == {
        "RUNWISP_RUN_ID": to_ulid(run.id),
        "RUNWISP_TASK": "nightly",
        "RUNWISP_TRIGGERED_BY": "cron",
        "RUNWISP_ATTEMPT": "2",
    }
    instance = make_run(task, attempt=1, trigger="service", instance=4)
    assert run_variables(task, instance)["RUNWISP_INSTANCE_INDEX"] == "4"
    assert run_variables(task, instance)["ROTA_NOMINAL_AT"] == ""
    assert not any(name.startswith("RUNWISP_") for name in run_variables(make_task(), run))


def test_moments_are_written_in_utc() -> None:
    task = make_task()
    run = make_run(task, nominal_at=datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC))
    assert run_variables(task, run)["ROTA_NOMINAL_AT"] == "2026-01-02T03:04:05.600000Z"


def test_params_without_inputs_are_variables() -> None:
    params = {"name": "x y", "count": 3, "deep": {"a": [1]}, "on": True, "none": None, "not-a-name": 1, "nul": "\0"}
    assert params_variables(params) == {
        "ROTA_PARAMS": '{"name":"x y","count":3,"deep":{"a":[1]},"on":true,"none":null,"not-a-name":1,"nul":"\\u0000"}',
        "ROTA_PARAM_NAME": "x y",
        "ROTA_PARAM_COUNT": "3",
        "ROTA_PARAM_DEEP": '{"a":[1]}',
        "ROTA_PARAM_ON": "true",
    }


def test_params_of_the_run_stand_over_those_of_the_task(tmp_path: Path) -> None:
    script = 'echo "$ROTA_PARAM_A $ROTA_PARAM_B"'
    assert run_script(tmp_path, script, task={"params": {"a": 1, "b": 2}}, run={"params": {"b": 3}}).texts() == ["1 3"]


def test_tokens_reach_the_last_command_as_inert_arguments(tmp_path: Path) -> None:
    """RunWisp §11, with its own example."""
    inputs = [
        Input(kind="arg", key="TARGET"),
        Input(kind="option", key="--db"),
        Input(kind="option", key="--level="),
        Input(kind="flag", key="--dry-run"),
        Input(kind="flag", key="--absent"),
    ]
    params = {
        "TARGET": "'; rm -rf /",
        "--db": '$(id) `id` \\ "q"',
        "--level=": "two words",
        "--dry-run": "true",
        "--absent": "false",
    }
    result = run_script(tmp_path, "true\nprintf '%s\\n'\n\n", task={"inputs": inputs}, run={"params": params})
    assert result.outcome.state == "succeeded"
    assert result.texts() == ["'; rm -rf /", "--db", '$(id) `id` \\ "q"', "--level=two words", "--dry-run"]
