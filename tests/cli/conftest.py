"""A data directory of its own for every test, and the command line called in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rota.cli import root

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, without settings from outside."""
    for name in ("ROTA_DATA", "ROTA_CONFIG", "ROTA_DATABASE", "ROTA_LISTEN", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call() -> Call:
    """`call("tasks", "--json")` runs `rota tasks --json`."""

    def call(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(root, list(words), input=stdin, prog_name="rota", catch_exceptions=False)

    return call


@pytest.fixture
def told(call: Call) -> Callable[..., Any]:
    """The decoded stdout of a command that must succeed."""

    def told(*words: str, stdin: str | None = None) -> Any:
        result = call(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return told
