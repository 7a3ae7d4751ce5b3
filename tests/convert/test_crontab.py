"""Crontabs as tasks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rota.config import Loaded, load
from rota.convert.crontab import convert_crontab
from rota.convert.draft import Draft
from rota.core.schedule import CronSchedule
from rota.core.work import Shell

LoadDraft = Callable[[Draft], Loaded]


@pytest.fixture
def load_draft(tmp_path: Path) -> LoadDraft:
    """What the settings come to; they must load without an error."""

    def loads(draft: Draft) -> Loaded:
        path = tmp_path / "rota.toml"
        path.write_text(draft.render("a test"))
        return load(path, {"HOME": "/home/ann"}, etc=tmp_path)

    return loads


def scripts(loaded: Loaded) -> dict[str, str]:
    return {unit.name: unit.spec.executor.script for unit in loaded.units if isinstance(unit.spec.executor, Shell)}


def test_a_job_becomes_a_task_with_what_stood_above_it(load_draft: LoadDraft) -> None:
    text = """
SHELL=/bin/bash
CRON_TZ = Europe/Prague
PATH="/opt/bin:/usr/bin"
# Nightly dump
15 1 * * mon-fri /usr/local/bin/dump.sh --all "a b"
"""
    [unit] = load_draft(convert_crontab(text)).units
    assert (unit.name, unit.spec.description, unit.spec.policy.catch_up) == ("dump.sh", "Nightly dump", "skip")
    assert unit.spec.schedule == CronSchedule(expr="15 1 * * mon-fri", timezone="Europe/Prague")
    assert unit.spec.executor == Shell(  # noqa: S604  a task, no call of a shell
        script='/usr/local/bin/dump.sh --all "a b"', shell="/bin/bash", env={"PATH": "/opt/bin:/usr/bin"}, working_dir="/home/ann"
    )


def test_settings_hold_for_the_jobs_below_them(load_draft: LoadDraft) -> None:
    loaded = load_draft(convert_crontab("0 1 * * * a\nMODE=late\n0 2 * * * b\n"))
    envs = [unit.spec.executor.env for unit in loaded.units if isinstance(unit.spec.executor, Shell)]
    assert envs == [{}, {"MODE": "late"}]


def test_names_are_told_apart(load_draft: LoadDraft) -> None:
    loaded = load_draft(convert_crontab("0 1 * * * /a/x\n0 2 * * * cd /srv && /b/x\n0 3 * * * MODE=1 nice -n 5 x\n"))
    assert list(scripts(loaded)) == ["x", "x-2", "x-3"]


def test_percent_signs_are_input_or_plain(load_draft: LoadDraft) -> None:
    draft = convert_crontab("0 8 * * 1 mail -s 100\\% me%Hello%World\n")
    assert scripts(load_draft(draft)) == {"mail": "mail -s 100% me <<'END_OF_INPUT'\nHello\nWorld\nEND_OF_INPUT\n"}
    assert "here-document" in draft.entries[0].checks[0]


def test_a_list_of_commands_goes_on_after_a_failing_one(load_draft: LoadDraft) -> None:
    assert scripts(load_draft(convert_crontab("* * * * * false; date\n"))) == {"false": "set +e\nfalse; date"}


def test_a_nickname_is_a_schedule_and_reboot_is_a_start(load_draft: LoadDraft) -> None:
    daily, reboot = load_draft(convert_crontab("@daily a\n@reboot b\n")).units
    assert daily.spec.schedule == CronSchedule(expr="@daily")
    assert (reboot.spec.schedule, reboot.spec.run_on_start) == (None, True)


def test_jobs_of_the_system_name_their_users(load_draft: LoadDraft) -> None:
    draft = convert_crontab("17 * * * * root cd / && run-parts /etc/cron.hourly\n", is_system=True)
    [unit] = load_draft(draft).units
    assert isinstance(unit.spec.executor, Shell)
    assert (unit.name, unit.spec.executor.user) == ("run-parts", "root")
    assert "home of root" in draft.entries[0].checks[0]


@pytest.mark.parametrize("line", ["0 0 30 2 * never", "61 * * * * late", "~ * * * * random", "nonsense"])
def test_what_cannot_be_carried_over_stands_there_as_a_comment(load_draft: LoadDraft, line: str) -> None:
    draft = convert_crontab(f"{line}\n0 1 * * * good\n")
    assert list(scripts(load_draft(draft))) == ["good"]
    assert draft.entries[0].is_off
    assert line.split()[-1] in draft.render("x")


def test_mail_and_what_is_dropped_are_told() -> None:
    draft = convert_crontab('MAILTO="ops@example.com"\nRANDOM_DELAY=5\nSHELL=bash\n0 1 * * * a\n')
    told = " ".join(draft.entries[0].checks)
    assert "ops@example.com" in told
    assert "RANDOM_DELAY" in told
    assert "SHELL=bash" in told


@pytest.mark.parametrize("script", ["echo 'a' \"b\"", "printf '\\x7f'", "echo \\", "echo 'é' # ${HOME}", "echo '''"])
def test_any_command_comes_through_the_file_as_it_was(load_draft: LoadDraft, script: str) -> None:
    assert list(scripts(load_draft(convert_crontab(f"0 1 * * * {script}\n"))).values()) == [script]
