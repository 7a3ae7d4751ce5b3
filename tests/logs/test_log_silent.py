"""The log of a run that prints nothing: one empty file."""

from pathlib import Path

import pytest

from rota.core.policy import LogLimit
from rota.logs import LogName, LogReader, LogWriter, RunLogs


def _hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def test_it_is_one_empty_file_that_reads_as_ended(writer: LogWriter, reader: LogReader, tmp_path: Path) -> None:
    writer.finalize(1)
    assert _hidden(tmp_path) == []
    page = reader.page(0, 10)
    assert (page.lines, page.total_lines, page.finalized) == ([], 0, True)


def test_it_is_not_ended_while_somebody_may_write(writer: LogWriter, reader: LogReader) -> None:
    assert not reader.page(0, 10).finalized
    writer.finalize(1)
    assert reader.page(0, 10).finalized


def test_it_is_not_ended_while_another_attempt_is_to_come(
    logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader
) -> None:
    writer.close(1)
    assert not reader.page(0, 10).finalized
    second = logs.writer(name, LogLimit())
    second.write("stderr", b"late\n", 2)
    second.finalize(3)
    page = reader.page(0, 10)
    assert [(line.n, line.stream, line.text) for line in page.lines] == [(0, "stderr", "late")]
    assert page.finalized


def test_an_attempt_after_its_end_makes_it_go_on(logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader) -> None:
    writer.finalize(1)
    again = logs.writer(name, LogLimit())
    assert not reader.page(0, 10).finalized
    again.close(2)
    assert not reader.page(0, 10).finalized


def test_one_that_a_crash_cut_off_is_ended_without_a_writer(
    tmp_path: Path, logs: RunLogs, name: LogName, writer: LogWriter
) -> None:
    after_crash = RunLogs(tmp_path / "logs")
    after_crash.finalize(name)
    assert after_crash.reader(name).page(0, 10).finalized
    writer.finalize(1)


def test_an_index_that_belongs_to_no_output_is_written_anew(
    logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader, tmp_path: Path
) -> None:
    writer.write("stdout", b"gone\n", 1)
    writer.finalize(2)
    next(path for path in tmp_path.rglob("*.log") if not path.name.startswith(".")).unlink()
    again = logs.writer(name, LogLimit())
    again.write("stderr", b"new\n", 3)
    again.finalize(4)
    assert [(line.n, line.stream, line.text) for line in reader.page(0, 10).lines] == [(0, "stderr", "new")]


def test_its_size_counts_as_nothing_and_it_can_be_deleted(
    logs: RunLogs, name: LogName, writer: LogWriter, tmp_path: Path
) -> None:
    writer.finalize(1)
    assert logs.sizes() == {name.run_id: 0}
    logs.delete(name)
    assert not list((tmp_path / "logs").rglob("*"))


@pytest.mark.parametrize("on_full", ["drop_old", "drop_new", "kill_task"])
def test_its_first_line_may_be_larger_than_the_log(logs: RunLogs, name: LogName, reader: LogReader, on_full: str) -> None:
    writer = logs.writer(name, LogLimit(max_size=10, on_full=on_full))  # type: ignore[arg-type]
    writer.write("stdout", b"x" * 50 + b"\n", 1)
    writer.finalize(2)
    assert reader.page(0, 10).finalized
