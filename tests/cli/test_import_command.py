"""`rota import`."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Call = Callable[..., Result]
CRONTAB = "# Dump\n15 1 * * * /usr/local/bin/dump\nMAILTO=me\n0 2 * * * sync\n"


def test_a_crontab_is_printed_as_settings(call: Call, home: Path) -> None:
    (home / "tab").write_text(CRONTAB)
    result = call("import", "cron", "tab")
    assert result.exit_code == 0
    assert "[tasks.dump]" in result.stdout
    assert "2 of 2 carried over" in result.stderr
    assert (home / "tab").read_text() == CRONTAB
    assert not (home / "rota.toml").exists()


def test_it_reads_stdin_and_is_quiet_if_asked(call: Call) -> None:
    result = call("import", "cron", "-", "--quiet", stdin=CRONTAB)
    assert (result.stderr, "[tasks.sync]" in result.stdout) == ("", True)


def test_it_writes_the_settings_file_and_replaces_none_unasked(call: Call, home: Path) -> None:
    (home / "tab").write_text(CRONTAB)
    assert call("import", "cron", "tab", "--write").exit_code == 0
    assert call("validate").exit_code == 0
    again = call("import", "cron", "tab", "--write")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert call("import", "cron", "tab", "--write", "--force").exit_code == 0
    assert call("import", "cron", "tab", "-o", "other.toml").exit_code == 0
    assert (home / "other.toml").exists()


def test_a_dry_run_writes_nothing(call: Call, home: Path) -> None:
    (home / "tab").write_text(CRONTAB)
    result = call("import", "cron", "tab", "--write", "--dry-run")
    assert "[tasks.dump]" in result.stdout
    assert not (home / "rota.toml").exists()


def test_nothing_that_can_be_carried_over_is_a_failure(call: Call) -> None:
    assert call("import", "cron", "-", stdin="nonsense\n").exit_code == 1


def test_several_files_of_supervisord_become_one(call: Call, home: Path) -> None:
    for name in ("a", "b"):
        (home / f"{name}.conf").write_text("[program:web]\ncommand = /srv/web\ndirectory = %(here)s\n")
    result = call("import", "supervisord", "a.conf", "b.conf", "--write")
    assert result.exit_code == 0
    text = (home / "rota.toml").read_text()
    assert "[services.web]" in text
    assert "[services.web-2]" in text
    assert str(home) in text
    assert call("validate").exit_code == 0


def test_supervisord_needs_a_file(call: Call) -> None:
    assert call("import", "supervisord").exit_code == 2
