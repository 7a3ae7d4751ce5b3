"""Logs whose writer died at any moment."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rota.core.policy import LogLimit
from rota.logs import LogName, LogPage, RunLogs
from rota.logs.name import LogPaths

LINES = [("stdout", "alpha"), ("stdout", "beta"), ("stderr", "gamma"), ("stdout", "delta")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def paths(root: Path, name: LogName) -> LogPaths:
    """A log that was never closed properly."""
    logs = RunLogs(root)
    writer = logs.writer(name, LogLimit())
    for at, (stream, text) in enumerate(LINES):
        writer.write("stderr" if stream == "stderr" else "stdout", f"{text}\n".encode(), at)
    writer.close(9)
    return LogPaths.of(root, name)


def _texts(page: LogPage) -> list[tuple[int, str]]:
    return [(line.n, line.text) for line in page.lines]


def _torn(path: Path) -> Iterator[int]:
    """The file cut at every byte, from its full length down."""
    content = path.read_bytes()
    for size in range(len(content), -1, -1):
        path.write_bytes(content[:size])
        yield size


def test_an_index_torn_at_any_byte_loses_no_line(root: Path, name: LogName, paths: LogPaths) -> None:
    expected = [(n, text) for n, (_, text) in enumerate(LINES)]
    for size in _torn(paths.current.index):
        page = RunLogs(root).reader(name).page(0, 100)
        assert _texts(page) == expected
        whole_records = max(0, size // 40 - 1)
        assert [line.stream for line in page.lines[:whole_records]] == [stream for stream, _ in LINES[:whole_records]]
        assert {line.stream for line in page.lines[whole_records:]} <= {"stdout"}


def test_data_torn_at_any_byte_keeps_what_is_left(root: Path, name: LogName, paths: LogPaths) -> None:
    content = paths.current.data.read_text()
    for size in _torn(paths.current.data):
        left = content[:size].split("\n")
        expected = [(n, text) for n, text in enumerate(left) if text]
        assert _texts(RunLogs(root).reader(name).page(0, 100)) == expected


@pytest.mark.parametrize("which", ["data", "index", "both"])
def test_a_writer_goes_on_after_a_tear_at_any_byte(
    root: Path, name: LogName, paths: LogPaths, tmp_path: Path, which: str
) -> None:
    spare = tmp_path / "spare"
    shutil.copytree(root, spare)
    torn = {"data": [paths.current.data], "index": [paths.current.index], "both": [paths.current.data, paths.current.index]}[
        which
    ]
    for cut in range(max(path.stat().st_size for path in torn) + 1):
        shutil.rmtree(root)
        shutil.copytree(spare, root)
        for path in torn:
            path.write_bytes(path.read_bytes()[: max(0, path.stat().st_size - cut)])
        _assert_goes_on(RunLogs(root), name)


def _assert_goes_on(logs: RunLogs, name: LogName) -> None:
    before = _texts(logs.reader(name).page(0, 100))
    writer = logs.writer(name, LogLimit())
    assert writer.lines_written == len(before)
    writer.write("stderr", b"again\n", 10)
    writer.finalize(11)
    page = logs.reader(name).page(0, 100)
    assert _texts(page) == [*before, (len(before), "again")]
    assert page.lines[-1].stream == "stderr"
    assert page.finalized


def test_a_damaged_record_at_the_end_is_left_out(root: Path, name: LogName, paths: LogPaths) -> None:
    content = bytearray(paths.current.index.read_bytes())
    content[-80:] = bytes(80)
    paths.current.index.write_bytes(content)
    page = RunLogs(root).reader(name).page(0, 100)
    assert [(line.stream, line.text) for line in page.lines] == [("stdout", text) for _, text in LINES[:2]] + [
        ("stdout", "gamma"),
        ("stdout", "delta"),
    ]


def test_a_log_without_any_index_is_readable(root: Path, name: LogName, paths: LogPaths) -> None:
    paths.current.index.unlink()
    page = RunLogs(root).reader(name).page(-2, 100)
    assert _texts(page) == [(2, "gamma"), (3, "delta")]
    assert page.lines[0].at.timestamp() == pytest.approx(paths.current.data.stat().st_mtime, abs=0.001)


def test_a_long_line_without_index_is_one_line(root: Path, name: LogName, paths: LogPaths) -> None:
    paths.current.index.unlink()
    paths.current.data.write_bytes(b"a\n" + b"x" * 1_000_000 + b"\nb\n")
    assert [len(line.text) for line in RunLogs(root).reader(name).page(0, 100).lines] == [1, 1_000_000, 1]


def test_a_crashed_log_is_finalized_without_a_writer(root: Path, name: LogName, paths: LogPaths) -> None:
    paths.current.data.write_bytes(paths.current.data.read_bytes() + b"torn")
    logs = RunLogs(root)
    logs.finalize(name)
    page = logs.reader(name).page(0, 100)
    assert page.finalized
    assert _texts(page)[-1] == (4, "torn")


def test_finalizing_an_absent_log_makes_no_file(root: Path, name: LogName) -> None:
    RunLogs(root).finalize(name)
    assert not root.exists()


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
def test_a_rotation_cut_off_between_renames_loses_no_line(root: Path, name: LogName, renames: int) -> None:
    logs = RunLogs(root)
    writer = logs.writer(name, LogLimit())
    writer.write("stderr", b"one\ntwo\n", 1)
    writer.close(2)
    paths = LogPaths.of(root, name)
    paths.next.data.write_bytes(b"")
    steps: list[Callable[[], object]] = [
        lambda: paths.current.data.replace(paths.previous.data),
        lambda: paths.current.index.replace(paths.previous.index),
        lambda: paths.next.data.replace(paths.current.data),
    ]
    for step in steps[:renames]:
        step()
    assert [(line.n, line.stream, line.text) for line in logs.reader(name).page(0, 9).lines] == [
        (0, "stderr", "one"),
        (1, "stderr", "two"),
    ]
    _assert_goes_on(logs, name)


def test_a_live_writer_hides_bytes_that_have_no_record_yet(root: Path, name: LogName, paths: LogPaths) -> None:
    logs = RunLogs(root)
    writer = logs.writer(name, LogLimit())
    with paths.current.data.open("ab") as data:
        data.write(b"half a chunk\nand")
    assert logs.reader(name).page(0, 9).total_lines == len(LINES)
    writer.close(9)
