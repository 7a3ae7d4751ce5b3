import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]


def sources(call: Call, *words: str) -> dict[str, tuple[Any, str]]:
    items = json.loads(call("config", "--json", *words).stdout)["items"]
    return {item["name"]: (item["value"], item["source"]) for item in items}


def test_each_value_tells_where_it_comes_from(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "rota.toml").write_text('[server]\nlisten = "127.0.0.1:1"\nlog_level = "debug"\nmax_concurrent_runs = 3\n')
    monkeypatch.setenv("ROTA_LOG_LEVEL", "error")
    told = sources(call, "--data", "here")
    file = home / "rota.toml"
    assert told["server.listen"] == ("127.0.0.1:1", f"{file}:2")
    assert told["server.log_level"] == ("error", "ROTA_LOG_LEVEL")
    assert told["server.max_concurrent_runs"] == (3, f"{file}:4")
    assert told["server.data"] == ("here", "--data")
    assert told["server.log_format"] == ("auto", "default")


def test_an_older_name_in_the_file_is_the_source_too(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text('[daemon]\ntimezone = "Europe/Berlin"\n')
    assert sources(call)["scheduler.timezone"] == ("Europe/Berlin", f"{home / 'rota.toml'}:2")


def test_secrets_are_masked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTA_DATABASE", "postgresql://ada:hunter2@db/rota")
    result = call("config", "--json")
    assert "hunter2" not in result.output
    assert sources(call)["server.database"] == ("***", "ROTA_DATABASE")


def test_the_table_is_plain_in_a_pipe(call: Call) -> None:
    lines = call("config").stdout.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "SOURCE"]
    assert lines[1].split() == ["server.listen", "127.0.0.1:7682", "default"]


def test_a_task_with_an_error_does_not_hide_the_settings(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text('[server]\nlog_level = "debug"\n[tasks.a]\nnonsense = 1\n')
    assert sources(call)["server.log_level"][0] == "debug"


def test_a_setting_with_an_error_is_told_with_its_place(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text('[server]\nlisten = "nowhere"\n')
    result = call("config")
    assert result.exit_code == 2
    assert "rota.toml:2:10 server.listen" in result.stderr
