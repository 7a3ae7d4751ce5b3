"""`rota service`, with a systemctl that writes down what it is asked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from rota.cli.systemd import Systemd

Call = Callable[..., Result]
SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$ASKED"
case "$*" in
  *show*) printf '%s\\n' LoadState=loaded "ActiveState=${STATE:-active}" SubState=running UnitFileState=enabled MainPID=42;;
esac
"""


@pytest.fixture(autouse=True)
def asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl was asked; the unit goes below the test's own folder."""
    (home / "bin").mkdir()
    command = home / "bin" / "systemctl"
    command.write_text(SYSTEMCTL)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("ASKED", str(home / "asked"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    return home / "asked"


def unit(home: Path) -> Path:
    return home / "config" / "systemd" / "user" / "rota.service"


def test_the_unit_is_printed(call: Call, home: Path, asked: Path) -> None:
    (home / "rota.toml").write_text('[daemon]\nshutdown_timeout = "25s"\n')
    text = call("service", "install", "--user", "--print").stdout
    assert "Type=notify\n" in text
    assert f"serve --config {home / 'rota.toml'} --data {home / '.rota'}\n" in text
    assert "TimeoutStopSec=45\n" in text
    assert "WatchdogSec=30\n" in text
    assert "WantedBy=default.target\n" in text
    assert not asked.exists()


def test_installing_writes_enables_and_starts_it(call: Call, home: Path, asked: Path) -> None:
    assert call("service", "install", "--user", "-y").exit_code == 0
    assert "ExecReload=/bin/kill -HUP $MAINPID" in unit(home).read_text()
    assert asked.read_text().splitlines() == ["--user daemon-reload", "--user enable --now rota.service"]


def test_a_unit_that_differs_is_replaced_only_by_force(call: Call, home: Path) -> None:
    unit(home).parent.mkdir(parents=True)
    unit(home).write_text("mine")
    assert call("service", "install", "--user", "-y").exit_code == 2
    assert unit(home).read_text() == "mine"
    assert call("service", "install", "--user", "-y", "--force").exit_code == 0


def test_a_dry_run_does_nothing(call: Call, home: Path, asked: Path) -> None:
    result = call("service", "install", "--user", "--dry-run")
    assert (result.exit_code, "enable --now" in result.stdout) == (0, True)
    assert not unit(home).exists()
    assert not asked.exists()


def test_without_anybody_to_ask_it_needs_a_yes(call: Call, home: Path) -> None:
    assert call("service", "install", "--user").exit_code == 2
    assert not unit(home).exists()


def test_settings_that_do_not_load_install_nothing(call: Call, home: Path) -> None:
    (home / "rota.toml").write_text("[nonsense]\n")
    assert call("service", "install", "--user", "-y").exit_code == 2
    assert not unit(home).exists()


def test_a_database_url_does_not_go_into_a_unit(call: Call) -> None:
    result = call("service", "install", "--user", "--print", "--database", "postgresql://u:hidden@h/d")
    assert (result.exit_code, "hidden" in result.output) == (2, False)


def test_uninstalling_stops_it_and_leaves_the_data(call: Call, home: Path, asked: Path) -> None:
    assert call("service", "uninstall", "--user", "-y").exit_code == 2
    call("service", "install", "--user", "-y")
    assert call("service", "uninstall", "--user", "-y").exit_code == 0
    assert not unit(home).exists()
    assert asked.read_text().splitlines()[2:] == ["--user disable --now rota.service", "--user daemon-reload"]


@pytest.mark.parametrize(("state", "code"), [("active", 0), ("failed", 1)])
def test_the_status_is_that_of_systemd(call: Call, monkeypatch: pytest.MonkeyPatch, state: str, code: int) -> None:
    monkeypatch.setenv("STATE", state)
    result = call("service", "status", "--user", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == code
    assert (told["schema_version"], told["active"], told["pid"], told["installed"]) == (1, state, 42, False)
    assert state in call("service", "status", "--user").stdout


def test_without_systemctl_it_says_so(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    result = call("service", "status", "--user")
    assert (result.exit_code, "no systemctl" in result.stderr) == (1, True)


def test_odd_paths_are_quoted_for_systemd() -> None:
    text = Systemd(is_user=False).render(["serve", "--data", '/a b/100%/$x"y'], Path("/srv/100%"), 10)
    assert 'serve --data "/a b/100%%/$$x\\"y"\n' in text
    assert "WorkingDirectory=/srv/100%%\n" in text
    assert Systemd(is_user=False).unit_path == Path("/etc/systemd/system/rota.service")
