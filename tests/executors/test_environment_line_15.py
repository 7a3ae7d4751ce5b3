"""Line 15 of RunWisp's checklist: the environment layer by layer, success codes, umask, user, working directory."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.shell_workbench import run_script

from rota.config import load
from rota.core.inputs import Input
from rota.core.work import Shell

# From the lowest layer to the highest, as they are written.
LEVELS = [
    ("defaults", "env_file"),
    ("defaults", "env"),
    ("tasks.a", "env_file"),
    ("tasks.a", "env"),
    ("defaults", "secrets_file"),
    ("defaults", "secrets"),
    ("tasks.a", "secrets_file"),
    ("tasks.a", "secrets"),
]


def settings(folder: Path, levels: list[tuple[str, str]]) -> str:
    """A file in which LEVEL is set at these levels, to the level's place."""
    sections: dict[str, list[str]] = {"defaults": [], "tasks.a": ['run = "x"']}
    for section, key in levels:
        value = f"{section}.{key}"
        if key.endswith("_file"):
            (folder / value).write_text(f"LEVEL={value}\n")
            sections[section].append(f'{key} = "{value}"')
        else:
            sections[section].append(f'{key} = {{ LEVEL = "{value}" }}')
    return "\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections.items()) + "\n"


def seen(folder: Path, levels: list[tuple[str, str]], **run: Any) -> str:
    """What a run finds in LEVEL."""
    path = folder / "rota.toml"
    path.write_text(settings(folder, levels))
    [unit] = load(path, {}, etc=folder).units
    assert isinstance(unit.spec.executor, Shell)
    server = {"PATH": "/usr/bin:/bin", "LEVEL": "server"}
    inputs = {"inputs": [Input(kind="env", key="LEVEL")]}
    script = f"printf %s \"$LEVEL\" > '{folder}/seen'"
    run_script(
        folder, script, work={"env": unit.spec.executor.env}, secrets=unit.secrets, server_env=server, task=inputs, run=run
    )
    return (folder / "seen").read_text()


@pytest.mark.parametrize("count", range(len(LEVELS) + 1))
def test_line_15_each_level_outranks_those_below_it(tmp_path: Path, count: int) -> None:
    expected = ".".join(LEVELS[count - 1]) if count else "server"
    assert seen(tmp_path, LEVELS[:count]) == expected


def test_line_15_a_parameter_outranks_them_all(tmp_path: Path) -> None:
    assert seen(tmp_path, LEVELS, params={"LEVEL": "param"}) == "param"


def test_line_15_the_servers_own_variables_do_not_leak(tmp_path: Path) -> None:
    server = {"PATH": "/usr/bin:/bin", "RUNWISP_PASSWORD": "hush", "ROTA_DATABASE": "hush"}
    assert run_script(tmp_path, 'echo "${RUNWISP_PASSWORD-none} ${ROTA_DATABASE-none}"', server_env=server).texts() == [
        "none none"
    ]


@pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (3, "succeeded"), (4, "failed")])
def test_line_15_exit_codes_say_what_success_is(tmp_path: Path, code: int, state: str) -> None:
    outcome = run_script(tmp_path, f"exit {code}", policy={"exit_codes": [0, 3]}).outcome
    assert (outcome.state, outcome.exit_code) == (state, code)


def test_line_15_the_umask_is_the_childs_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    assert run_script(tmp_path, "umask", work={"umask": "027"}).texts() == ["0027"]
    assert os.umask(before) == before


def test_line_15_only_root_takes_on_a_user_and_never_falls_back(tmp_path: Path) -> None:
    result = run_script(tmp_path, "id -un", work={"user": "nobody"})
    if os.geteuid() == 0:
        assert result.texts() == ["nobody"]
    else:
        assert "does not run as root" in " ".join(result.texts("system"))


def test_line_15_a_working_directory_that_is_missing_fails_the_run_with_a_note(tmp_path: Path) -> None:
    result = run_script(tmp_path, "true", work={"working_dir": str(tmp_path / "gone")})
    assert (result.outcome.state, result.outcome.reason) == ("failed", "spawn")
    assert "gone" in " ".join(result.texts("system"))
