"""`rota modules`, and what `rota validate` says of modules."""

from pathlib import Path

from click.testing import CliRunner

from rota.cli import root

SETTINGS = """
[modules]
paths = ["./bad.py"]
[tasks.nap]
executor = { kind = "module", module = "sleep", params = { runtime = "long" } }
[tasks.lost]
executor = { kind = "module", module = "slep" }
"""


def test_the_modules_that_come_with_rota_are_listed_without_a_server(tmp_path: Path) -> None:
    place = ["--data", str(tmp_path / "data")]
    assert CliRunner().invoke(root, ["user", "add", "ann", *place]).exit_code == 0
    result = CliRunner().invoke(root, ["modules", *place])
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("sleep"))
    assert "runtime: int, secret: secret, input: text" in line
    assert "Waits for some seconds." in line


def test_validate_warns_of_broken_modules_and_of_tasks_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "rota.toml"
    file.write_text(SETTINGS)
    (tmp_path / "bad.py").write_text("x = 1\ny = 1 / 0\n")
    result = CliRunner().invoke(root, ["validate", str(file)])
    assert result.exit_code == 0
    assert f"{tmp_path}/bad.py:2: ZeroDivisionError: division by zero" in result.stdout
    assert f"{file}:4:1 tasks.nap: warning: executor.params.runtime: must be a whole number" in result.stdout
    assert "tasks.lost: warning: executor.module: there is no module 'slep'; did you mean sleep?" in result.stdout
