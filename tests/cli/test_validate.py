import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Call = Callable[..., Result]
GOOD = '[tasks.backup]\nrun = "true"\ncron = "0 3 * * *"\n'
BAD = '[tasks.backup]\nrun = "true"\ncrn = "0 3 * * *"\n'


def test_a_good_file_is_told_with_what_it_defines(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text(GOOD)
    result = call("validate")
    assert (result.exit_code, result.stdout) == (0, "ok: 1 task, 0 services\n")


def test_a_problem_names_file_line_column_and_key(call: Call, home: Path) -> None:
    (home / "mine.toml").write_text(BAD)
    result = call("validate", "mine.toml")
    assert result.exit_code == 1
    assert result.stderr.startswith("mine.toml:3:1 tasks.backup.crn: unknown key; did you mean cron?")


def test_the_file_may_be_named_by_option(call: Call, home: Path) -> None:
    (home / "mine.toml").write_text(BAD)
    assert call("validate", "--config", "mine.toml").exit_code == 1


def test_problems_are_json_when_asked_for(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text(BAD)
    result = call("validate", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"]) == (1, False)
    assert answer["errors"][0] == {
        "file": str(home / "rota.toml"),
        "line": 3,
        "column": 1,
        "key": "tasks.backup.crn",
        "message": "unknown key; did you mean cron?",
    }


def test_a_good_file_is_json_when_asked_for(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text(GOOD)
    assert json.loads(call("validate", "--json").stdout) == {"ok": True, "errors": [], "warnings": [], "units": ["backup"]}


def test_warnings_do_not_make_a_file_bad(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text(GOOD + "manual_trigger = false\n")
    result = call("validate")
    assert result.exit_code == 0
    assert "warning: deprecated" in result.stdout


def test_a_file_that_is_not_there_is_told(call: Call) -> None:
    result = call("validate", "absent.toml")
    assert result.exit_code == 1
    assert "absent.toml" in result.stderr


def test_no_file_at_all_is_a_usage_error(call: Call) -> None:
    result = call("validate")
    assert result.exit_code == 2
    assert "there is no rota.toml" in result.stderr


def test_validating_starts_nothing_and_leaves_nothing_behind(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text(GOOD)
    call("validate")
    assert [path.name for path in home.iterdir()] == ["rota.toml"]


def test_a_step_that_calls_a_tool_which_is_not_there_is_a_warning(call: Call, home: Path) -> None:
    steps = 'steps = [{ uses = "debug.echo" }, { uses = "nope.go" }, { uses = "later.go" }]\n'
    (home / "rota.toml").write_text('[tools]\nnamespaces = ["later"]\n[tasks.greet]\n' + steps)
    result = call("validate")
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if "warning" in line] == [
        f"{home / 'rota.toml'}:3:1 tasks.greet.steps.1.uses: warning: there is no tool 'nope.go'"
    ]
