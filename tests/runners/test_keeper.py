"""The process that ends what a frozen or dead server, or worker, has left running."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rota.process import RUN_ID_VARIABLE, find_start_ticks
from rota.runners.keeper import EVERYTHING, Keeper, note
from rota.runners.ledger import LedgerEntry, ProcessLedger

pytestmark = pytest.mark.e2e

RUN_ID = "01900000-0000-7000-8000-000000000001"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that sleeps, as the journal of its server knows it."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, RUN_ID_VARIABLE: RUN_ID}, start_new_session=True) as work:
        with closing(ProcessLedger(tmp_path / "processes.log")) as ledger:
            ledger.started(LedgerEntry(RUN_ID, 1, work.pid, find_start_ticks(work.pid) or 0))
        yield work
        work.kill()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with closing(Keeper(tmp_path / "processes.log")) as keeper:
        yield keeper


def test_all_that_runs_is_ended_when_it_is_held_no_more(work: subprocess.Popen[bytes], keeper: Keeper) -> None:
    keeper.hold_all(time.monotonic() + 60)
    keeper.hold_all(time.monotonic())
    assert work.wait(10) == -signal.SIGKILL


def test_one_attempt_is_ended_when_it_is_held_no_more(work: subprocess.Popen[bytes], keeper: Keeper) -> None:
    keeper.hold("another", 1, time.monotonic())
    keeper.hold(RUN_ID, 1, time.monotonic() + 0.2)
    assert work.wait(10) == -signal.SIGKILL


def test_all_that_runs_is_ended_when_whoever_began_it_is_gone(work: subprocess.Popen[bytes], keeper: Keeper) -> None:
    keeper.hold_all(time.monotonic() + 60)
    keeper.close()
    assert work.wait(10) == -signal.SIGKILL


def test_whoever_begins_on_the_same_journal_waits_until_it_has_ended_what_was_left(tmp_path: Path) -> None:
    path = tmp_path / "processes.log"
    keeper = Keeper(path)
    pid = keeper._process.pid
    os.kill(pid, signal.SIGSTOP)
    begin = threading.Thread(target=lambda: ProcessLedger(path).close())
    begin.start()
    begin.join(0.1)
    assert begin.is_alive()
    os.kill(pid, signal.SIGCONT)
    keeper.close()
    begin.join(10)
    assert not begin.is_alive()


def test_what_is_over_is_held_no_more() -> None:
    held: dict[tuple[str, int], float] = {}
    for line in (f"{RUN_ID} 1 12.5", "all 3.5", f"{RUN_ID} 1 -"):
        note(held, line)
    assert held == {EVERYTHING: 3.5}
    note(held, "all -")
    assert held == {}
