"""The log of a run that prints nothing: no file, or an empty one of an earlier version."""

from pathlib import Path

import pytest

from rota.core.policy import LogLimit
from rota.logs import LogName, LogReader, LogWriter, RunLogs


def _hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def _make_empty(folder: Path, name: LogName) -> None:
    folder = folder / "logs" / name.folder
    folder.mkdir(parents=True)
    (folder / name.file).touch()


def test_it_has_no_file_and_reads_as_an_empty_log(writer: LogWriter, reader: LogReader, tmp_path: Path) -> None:
    writer.finalize(1)
    assert list(tmp_path.rglob("*")) == []
    page = reader.page(0, 10)
    assert (page.lines, page.total_lines, page.truncated) == ([], 0, False)


def test_its_file_is_made_with_the_first_line(writer: LogWriter, reader: LogReader, tmp_path: Path) -> None:
    writer.write("stdout", b"half a line", 1)
    assert list(tmp_path.rglob("*.log")) == []
    writer.write("stdout", b" and the rest\n", 2)
    assert [line.text for line in reader.page(0, 10).lines] == ["half a line and the rest"]
    writer.finalize(3)
    assert reader.page(0, 10).finalized


def test_a_line_that_its_end_makes_whole_is_kept(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"half a line", 1)
    writer.finalize(2)
    page = reader.page(0, 10)
    assert ([line.text for line in page.lines], page.finalized) == (["half a line"], True)


def test_it_takes_lines_from_elsewhere_when_it_is_over(
    logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader
) -> None:
    writer.finalize(1)
    logs.append(name, LogLimit(), "stdout", b"late\n", 2, is_over=True)
    page = reader.page(0, 10)
    assert ([line.text for line in page.lines], page.finalized) == (["late"], True)


def test_a_disk_that_refuses_the_file_is_no_error_and_is_told(
    logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader, tmp_path: Path
) -> None:
    (tmp_path / "logs").touch()  # no folder can be there
    writer.write("stdout", b"lost\n", 1)
    assert writer.disk_pressure
    assert not writer.is_recording
    (tmp_path / "logs").unlink()
    writer.write("stdout", b"kept\n", 9000)
    writer.finalize(9001)
    assert [line.text for line in reader.page(0, 10).lines] == ["recording resumed: 5 bytes of output were lost", "kept"]


def test_an_empty_file_reads_as_ended_but_while_somebody_may_write(
    tmp_path: Path, logs: RunLogs, name: LogName, reader: LogReader
) -> None:
    _make_empty(tmp_path, name)
    assert reader.page(0, 10).finalized
    writer = logs.writer(name, LogLimit())
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
    writer.write("stdout", b"first\n", 1)
    writer.finalize(1)
    again = logs.writer(name, LogLimit())
    assert not reader.page(0, 10).finalized
    again.close(2)
    assert not reader.page(0, 10).finalized


def test_one_that_a_crash_cut_off_is_ended_without_a_writer(
    tmp_path: Path, logs: RunLogs, name: LogName, writer: LogWriter
) -> None:
    writer.write("stdout", b"first\n", 1)
    after_crash = RunLogs(tmp_path / "logs")
    after_crash.finalize(name)
    assert after_crash.reader(name).page(0, 10).finalized
    writer.finalize(1)


def test_one_that_a_crash_cut_off_before_its_first_line_stays_without_a_file(tmp_path: Path, name: LogName) -> None:
    RunLogs(tmp_path / "logs").finalize(name)
    assert list(tmp_path.rglob("*")) == []


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
    assert logs.sizes() == {}
    logs.delete(name)
    _make_empty(tmp_path, name)
    assert logs.sizes() == {name.run_id: 0}
    logs.delete(name)
    assert not list((tmp_path / "logs").rglob("*"))


@pytest.mark.parametrize("on_full", ["drop_old", "drop_new", "kill_task"])
def test_its_first_line_may_be_larger_than_the_log(logs: RunLogs, name: LogName, reader: LogReader, on_full: str) -> None:
    writer = logs.writer(name, LogLimit(max_size=10, on_full=on_full))  # type: ignore[arg-type]
    writer.write("stdout", b"x" * 50 + b"\n", 1)
    writer.finalize(2)
    assert reader.page(0, 10).finalized
