"""A log that is copied while it is written, byte for byte."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rota.core.policy import LogLimit
from rota.logs import LogName, RunLogs
from rota.logs.changes import LogChanges

NAME = LogName("backup", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "0190")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("max_size", [100_000, 300])
@pytest.mark.parametrize("every", [1, 7])
def test_a_copy_is_the_same_byte_for_byte_also_through_rotations(tmp_path: Path, max_size: int, every: int) -> None:
    here, there = RunLogs(tmp_path / "here"), RunLogs(tmp_path / "there")
    changes, copy = LogChanges(here.paths(NAME)), there.begin_copy(NAME)
    writer = here.writer(NAME, LogLimit(max_size=max_size))
    for number in range(60):
        writer.write("stdout" if number % 3 else "stderr", f"line {number}\n".encode() * 2, 1000 + number // 2)
        if number % every == 0:
            for change in changes.take():
                copy.write(*change)
            if every == 1:
                assert there.reader(NAME).page(-1, 1).lines[0].text == f"line {number}"
    writer.finalize(5000)
    for change in changes.take():
        copy.write(*change)
    there.end_copy(NAME)
    changes.close()
    assert there.reader(NAME).page(0, 1000) == here.reader(NAME).page(0, 1000)
    assert there.reader(NAME).page(0, 0).finalized
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_a_log_that_goes_on_here_has_the_lines_from_there_before_it(tmp_path: Path) -> None:
    here, there = RunLogs(tmp_path / "here"), RunLogs(tmp_path / "there")
    first = here.writer(NAME, LogLimit())
    first.write("stdout", b"one\n", 1)
    first.close(2)
    copy = there.begin_copy(NAME)
    for change in LogChanges(here.paths(NAME)).take():
        copy.write(*change)
    there.end_copy(NAME)
    again = there.writer(NAME, LogLimit())
    again.write("stdout", b"two\n", 3)
    again.finalize(4)
    assert [(line.n, line.text) for line in there.reader(NAME).page(0, 10).lines] == [(0, "one"), (1, "two")]
