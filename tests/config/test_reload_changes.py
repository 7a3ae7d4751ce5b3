"""What a reload would change."""

from collections.abc import Callable

import pytest

from rota.config import Changed, Loaded, diff_units, restart_only_changes

Load = Callable[..., Loaded]
TASK = '[tasks.a]\nrun = "x"\n'


def test_a_file_read_twice_changes_nothing(load_text: Load) -> None:
    text = TASK + 'cron = "@daily"\nenv = { A = "1" }\nsecrets = { B = "1" }\n'
    diff = diff_units(load_text(text).units, load_text(f"# moved\n{text}").units)
    assert not diff
    assert restart_only_changes(load_text(text).settings, load_text(text).settings) == []


def test_it_tells_what_is_added_changed_and_removed(load_text: Load) -> None:
    old = load_text(TASK + '[tasks.gone]\nrun = "x"\n[tasks.same]\nrun = "x"\n').units
    new = load_text('[tasks.same]\nrun = "x"\n[tasks.new]\nrun = "x"\n' + TASK + 'timeout = "5s"\n').units
    diff = diff_units(old, new)
    assert (diff.added, diff.changed, diff.removed) == (["new"], [Changed("a", ["policy.timeout_s"])], ["gone"])


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        ('run = "y"', ["executor.script"]),
        ('run = "x"\nenv = { A = "2" }', ["executor.env"]),
        ('run = "x"\nsecrets = { A = "2" }', ["secrets"]),
        ('run = "x"\ncron = "@daily"', ["schedule.expr", "schedule.kind"]),
        ('run = "x"\nretry_attempts = 2\ndst = { gap = "skip" }', ["policy.dst.gap", "policy.retry.attempts"]),
        ('run = "x"\nparams = [{ arg = "a" }]', ["inputs"]),
    ],
)
def test_a_change_is_named_by_its_fields(load_text: Load, lines: str, reasons: list[str]) -> None:
    old, new = load_text(TASK).units, load_text(f"[tasks.a]\n{lines}\n").units
    assert diff_units(old, new).changed == [Changed("a", reasons)]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ('[daemon]\nshutdown_timeout = "5s"\n', "daemon.shutdown_timeout"),
        ('[scheduler]\ntimezone = "Europe/Prague"\n', "scheduler.timezone"),
        ("[storage]\nmax_size = 5\n", "storage.max_size"),
        ('[server]\ndatabase = "postgresql://x"\n', "server.database"),
        ('[[listen]]\naddress = "127.0.0.1:1"\nsurface = "nla"\n', "listen"),
    ],
)
def test_settings_that_need_a_restart_are_named(load_text: Load, text: str, change: str) -> None:
    assert change in restart_only_changes(load_text("").settings, load_text(text).settings)
