"""`${…}`, paths, dotenv files, the layers of variables, and what is never shown."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.shell_of import shell_of

from rota.config import Finding, Loaded, Secret, Unit
from rota.config.dotenv import read_dotenv
from rota.config.kinds import BadValue
from rota.core.work import Shell

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]
LoadUnit = Callable[..., Unit]


def _env(unit: Unit) -> dict[str, str]:
    assert isinstance(unit.spec.executor, Shell)
    return unit.spec.executor.env


def test_references_are_replaced_once(load_unit: LoadUnit, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  ${A}\n")
    text = """\
[tasks.a]
run = "echo ${A} ${file:token}"
env = { A = "x${A}y", B = "${file:token}", C = "$${A} $A $$ 5$", D = "${EMPTY}" }
"""
    unit = load_unit(text, {"A": "1", "EMPTY": ""})
    assert _env(unit) == {"A": "x1y", "B": "${A}", "C": "${A} $A $$ 5$", "D": ""}
    assert shell_of(unit.spec).script == "echo ${A} ${file:token}"


def test_an_executors_script_is_left_alone_too(load_unit: LoadUnit) -> None:
    unit = load_unit('[tasks.a]\nexecutor = { kind = "shell", script = "echo ${A}" }\n')
    assert shell_of(unit.spec).script == "echo ${A}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${NONE}", "the variable NONE is not set"),
        ("a ${NONE", "without its }"),
        ("${}", "without a name"),
        ("${file:none}", "none cannot be read: No such file"),
        ("${file:.}", "cannot be read: Is a directory"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_at_its_value(refuse: Refuse, value: str, message: str) -> None:
    finding = refuse(f'[tasks.a]\nrun = "x"\nenv = {{ A = "{value}" }}\n')[0]
    assert finding.key == "tasks.a.env.A"
    assert (finding.line, finding.column) == (3, 13)
    assert message in finding.message


def test_keys_are_never_replaced(load_unit: LoadUnit) -> None:
    text = '[tasks.a]\nrun = "x"\nparams = { "${A}" = "v" }\n'
    assert load_unit(text).spec.params == {"${A}": "v"}


def test_paths_are_relative_to_their_file_or_the_home_directory(load_unit: LoadUnit, tmp_path: Path) -> None:
    text = '[tasks.a]\nrun = "x"\nworking_dir = "{}"\n'
    places = [
        shell_of(load_unit(text.replace("{}", path), {"HOME": "/home/me"}).spec).working_dir for path in ("sub", "~/sub", "/abs")
    ]
    assert places == [str(tmp_path / "sub"), "/home/me/sub", "/abs"]


def test_a_dotenv_file_is_literal(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# note\n\nA=1\n B = two words \nC=\"quo'ted\"\nD='x=y'\nE=${A}\nF=\nG=\"open\nA=again\n")
    assert read_dotenv(path) == {"A": "again", "B": "two words", "C": "quo'ted", "D": "x=y", "E": "${A}", "F": "", "G": '"open'}


@pytest.mark.parametrize(("line", "message"), [("hunter2", "line 2: is not KEY=VALUE"), ("1A=hunter2", "line 2: is not a name")])
def test_a_bad_dotenv_line_is_named_without_its_value(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / ".env"
    path.write_text(f"A=1\n{line}\n")
    with pytest.raises(BadValue) as caught:
        read_dotenv(path)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


LAYERS = """\
[defaults]
env_file = "0.env"
env = {{ {1} }}
secrets_file = "4.env"
secrets = {{ {5} }}
[tasks.a]
run = "x"
env_file = "2.env"
env = {{ {3} }}
secrets_file = "6.env"
secrets = {{ {7} }}
"""


@pytest.mark.parametrize("top", range(8))
def test_a_later_layer_of_variables_wins(load_unit: LoadUnit, tmp_path: Path, top: int) -> None:
    """One variable is set at every level up to `top`."""
    levels = ['X = "{}"' if level % 2 else "X={}" for level in range(8)]
    lines = [line.format(level) if level <= top else "" for level, line in enumerate(levels)]
    for level in (0, 2, 4, 6):
        (tmp_path / f"{level}.env").write_text(lines[level])
    unit = load_unit(LAYERS.format(*lines))
    assert _env(unit)["X"] == str(min(top, 3))
    assert unit.secrets.get("X") == (str(top) if top >= 4 else None)
    assert {**_env(unit), **unit.secrets}["X"] == str(top)


def test_secrets_appear_in_no_repr(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "s.env").write_text("FILED=hunter2\n")
    text = """\
[server]
database = "postgresql://u:hunter2@h/d"
[defaults]
secrets = { SHARED = "hunter2" }
[tasks.a]
run = "x"
secrets = { OWN = "${S}" }
secrets_file = "s.env"
"""
    loaded = load_text(text, {"S": "hunter2", "RUNWISP_PASSWORD": "hunter2"})
    assert "hunter2" not in repr(loaded) + repr(loaded.settings) + repr(loaded.units) + str(loaded.settings.server.database)
    assert b"hunter2" not in msgspec.json.encode(loaded.units[0].spec)
    assert loaded.units[0].secrets == {"SHARED": "hunter2", "OWN": "hunter2", "FILED": "hunter2"}


@pytest.mark.parametrize(
    "lines",
    [
        'run = "x"\nsecrets = { A = "${S}\\u0000" }',
        'run = "x"\nsecrets = { "1A" = "hunter2" }',
        'run = "x"\nsecrets = { A = 1, B = "hunter2" }',
        'run = "x"\nsecrets = "hunter2"',
        'run = "x"\ncron = "${S}"',
        'run = "x"\non_overlap = "${S}"',
        'run = "x"\ntimezone = "${S}"',
        'run = "x"\nonce = "${S}"',
        'run = "x"\nschedule = { kind = "${S}" }',
        'run = "x"\nschedule = { kind = "cron", expr = "${S}" }',
        'run = "x"\ntimeout = "${S}"',
        'run = "x"\nexecutor = { kind = "${S}" }',
        'run = "x"\nparams = [{ arg = "a", type = "number", default = "${file:s}" }]',
        'run = "x"\nenv_file = "${S}"',
        'run = "x"\nsecrets_file = "s"',
        'run = "x"\ncalendar = [{ weekdays = ["${S}"] }]',
    ],
)
def test_secrets_appear_in_no_error(refuse: Refuse, tmp_path: Path, lines: str) -> None:
    (tmp_path / "s").write_text("hunter2")
    findings = refuse(f"[tasks.a]\n{lines}\n", {"S": "hunter2"})
    assert "hunter2" not in repr(findings)


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r}"
    assert secret == Secret("hunter2")
    assert len({secret, Secret("hunter2"), Secret("other")}) == 2
