"""The journal of attempts."""

import os
import resource
from pathlib import Path

import pytest
from tests.factories import NOON

from rota.core.outcome import Outcome
from rota.process import boot_id
from rota.runners import Finished, LedgerEntry, ProcessLedger
from rota.runners import ledger as module

ONE, OTHER = LedgerEntry("one", 1), LedgerEntry("other", 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "processes.log"


def opened(path: Path) -> ProcessLedger:
    """As after a kill -9: nobody has closed the one before."""
    return ProcessLedger(path)


def make_finished(run_id: str = "one", fence: int = 1, output: object = None) -> Finished:
    return Finished(
        run_id=run_id, fence=fence, outcome=Outcome(state="failed", exit_code=3, output=output), ended_at=NOON, next_line=5
    )


def test_an_attempt_is_open_from_its_beginning_to_its_settlement(path: Path) -> None:
    ledger = opened(path)
    ledger.starting([ONE, OTHER])
    assert opened(path).open_entries() == [ONE, OTHER]
    ledger = opened(path)
    ledger.started(LedgerEntry("one", 1, 4711, 99))
    assert opened(path).open_entries() == [LedgerEntry("one", 1, 4711, 99), OTHER]
    ledger = opened(path)
    ledger.ended([("one", 1)])
    assert opened(path).open_entries() == [OTHER]


def test_what_an_open_attempt_came_to_is_known(path: Path) -> None:
    ledger = opened(path)
    ledger.starting([ONE])
    assert ledger.find_account("one", 1) is None
    ledger.finished(make_finished(output={"lines": "a\nb"}))
    again = opened(path)
    assert again.open_entries() == [ONE]
    assert again.find_account("one", 1) == make_finished(output={"lines": "a\nb"})
    again = opened(path)  # it survives the compaction too
    assert again.find_account("one", 1) is not None
    again.ended([("one", 1)])
    assert opened(path).find_account("one", 1) is None


def test_an_output_too_large_for_a_journal_is_left_out(path: Path) -> None:
    ledger = opened(path)
    ledger.starting([ONE])
    ledger.finished(make_finished(output="x" * module.LONGEST_ACCOUNT_BYTES))
    assert ledger.find_account("one", 1) is None
    assert path.stat().st_size < 1000


@pytest.mark.parametrize(
    "torn", ["start other 7 0", "start one 1 12", "ended one", 'finish {"run_id": "one', "\xff", "start a b c d\n"]
)
def test_a_torn_last_line_is_ignored(path: Path, torn: str) -> None:
    opened(path).starting([ONE])
    with path.open("a") as file:
        file.write(torn)
    ledger = opened(path)
    assert ledger.open_entries() == [ONE]
    ledger.starting([OTHER])
    assert opened(path).open_entries() == [ONE, OTHER]


def test_a_missing_entry_says_something_only_while_the_journal_is_whole(path: Path) -> None:
    assert not opened(path).is_complete  # there was none
    assert not opened(path).is_complete  # nothing was started since, so there may be older runs still
    opened(path).starting([ONE])
    assert opened(path).is_complete
    path.unlink()
    assert not opened(path).is_complete


def test_processes_of_another_boot_are_gone(path: Path) -> None:
    ledger = opened(path)
    ledger.starting([ONE])
    ledger.started(LedgerEntry("one", 1, 4711, 99))
    path.write_text(path.read_text().replace(boot_id(), "another-boot"))
    ledger = opened(path)
    assert ledger.open_entries() == [ONE]
    assert not ledger.is_complete


def test_it_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_BYTES", 2000)
    ledger = opened(path)
    ledger.starting([ONE])
    for number in range(200):
        ledger.starting([LedgerEntry("many", number)])
        ledger.started(LedgerEntry("many", number, 4711, 99))
        ledger.ended([("many", number)])
    assert path.stat().st_size < 2200
    assert opened(path).open_entries() == [ONE]


def test_a_line_that_a_full_disk_cuts_short_spoils_no_other(path: Path) -> None:
    ledger = opened(path)
    ledger.starting([ONE])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, hard))
    try:
        with pytest.raises(OSError, match="only part of a line"):
            ledger.starting([OTHER])
        with pytest.raises(OSError):
            ledger.starting([OTHER])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.starting([LedgerEntry("third", 3)])
    assert opened(path).open_entries() == [ONE, LedgerEntry("third", 3)]


def test_nobody_else_can_read_what_attempts_came_to(path: Path) -> None:
    before = os.umask(0o022)
    try:
        opened(path).starting([ONE])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
