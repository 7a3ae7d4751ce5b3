"""What comes from the pipes, and what is on disk then."""

import random
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.errors import Conflict
from rota.core.policy import LogLimit
from rota.logs import LogName, LogReader, LogWriter, RunLogs
from rota.logs.cutter import MAX_LINE_BYTES, LineCutter

Show = Callable[[], list[tuple[int, str, str]]]


def test_lines_are_stored_as_they_are_in_a_plain_file(logs: RunLogs, writer: LogWriter, tmp_path: Path) -> None:
    writer.write("stdout", b"one\n[ERR] two\n", 1)
    writer.write("stderr", b"three\n", 2)
    writer.finalize(3)
    plain = tmp_path / "logs" / "nightly_backup" / "20250304_050607_0195-run.log"
    assert plain.read_bytes() == b"one\n[ERR] two\nthree\n"


def test_each_line_has_its_number_time_and_stream(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"a\nb\n", 1_700_000_000_123)
    writer.write("stderr", b"c\n", 1_700_000_000_456)
    first, second, third = reader.page(0, 10).lines
    assert (first.n, second.n, third.n) == (0, 1, 2)
    assert first.at == second.at == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
    assert third.at.microsecond == 456000
    assert (second.stream, third.stream) == ("stdout", "stderr")
    writer.close(0)


def test_streams_never_mix_inside_a_line(writer: LogWriter, show: Show) -> None:
    writer.write("stdout", b"out-", 1)
    writer.write("stderr", b"err-", 1)
    writer.write("stdout", b"one\nout-", 1)
    writer.system("note", 1)
    writer.write("stderr", b"one\n", 1)
    writer.write("stdout", b"two\n", 1)
    writer.close(2)
    assert show() == [(0, "stdout", "out-one"), (1, "system", "note"), (2, "stderr", "err-one"), (3, "stdout", "out-two")]


def test_a_partial_line_is_kept_at_the_end(writer: LogWriter, show: Show) -> None:
    writer.write("stdout", b"no newline", 1)
    assert show() == []
    writer.finalize(2)
    assert show() == [(0, "stdout", "no newline")]


def test_small_writes_of_one_millisecond_share_a_record(writer: LogWriter, tmp_path: Path, show: Show) -> None:
    for n in range(1000):
        writer.write("stdout", b"%d\n" % n, 7)
    writer.close(8)
    index = tmp_path / "logs" / "nightly_backup" / ".20250304_050607_0195-run.log.meta"
    assert index.stat().st_size == 80
    assert [text for _, _, text in show()] == [str(n) for n in range(1000)]


def test_a_line_over_64_kib_is_split_and_goes_on(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"before\n" + b"x" * (2 * MAX_LINE_BYTES + 5), 1)
    writer.write("stdout", b"y\nafter\n", 2)
    writer.close(3)
    lines = reader.page(0, 10).lines
    assert [(len(line.text), line.continued) for line in lines] == [
        (6, False),
        (65536, False),
        (65536, True),
        (6, True),
        (5, False),
    ]


def test_a_line_of_exactly_64_kib_is_one_line(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"x" * MAX_LINE_BYTES, 1)
    writer.write("stdout", b"\nnext\n", 1)
    assert [len(line.text) for line in reader.page(0, 10).lines] == [MAX_LINE_BYTES, 4]
    writer.close(1)


def test_a_split_does_not_cut_a_character(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"a" + "ä€😀".encode() * 20_000 + b"\n", 1)
    writer.close(1)
    lines = reader.page(0, 10).lines
    assert "".join(line.text for line in lines) == "a" + "ä€😀" * 20_000
    assert len(lines) == 3


@given(st.integers(0, 10_000))
def test_lines_do_not_depend_on_how_the_bytes_were_chunked(seed: int) -> None:
    chance = random.Random(seed)
    lengths = [chance.choice([0, 1, 100, 65535, 65536, 65537, 140_000]) for _ in range(4)]
    data = b"\n".join(bytes([97 + n]) * length for n, length in enumerate(lengths))
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(6)))
    chunks = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _cut(chunks) == _cut([data])


def _cut(chunks: list[bytes]) -> list[tuple[bytes, bool]]:
    cutter = LineCutter()
    blocks = [block for chunk in chunks for block in cutter.feed(chunk)] + cutter.flush()
    assert all(block.joined().count(b"\n") == block.lines for block in blocks)
    return [
        (line, block.continued and at == 0)
        for block in blocks
        for at, line in enumerate(block.joined().removesuffix(b"\n").split(b"\n"))
    ]


def test_a_later_attempt_goes_on_numbering(logs: RunLogs, name: LogName, writer: LogWriter, show: Show) -> None:
    writer.write("stdout", b"first\n", 1)
    writer.close(2)
    again = logs.writer(name, LogLimit())
    assert again.lines_written == 1
    again.system("attempt 2", 3)
    again.write("stderr", b"second\n", 4)
    again.finalize(5)
    assert show() == [(0, "stdout", "first"), (1, "system", "attempt 2"), (2, "stderr", "second")]


def test_a_log_is_finalized_until_another_attempt_begins(
    logs: RunLogs, name: LogName, writer: LogWriter, reader: LogReader
) -> None:
    writer.write("stdout", b"first\n", 1)
    writer.finalize(1)
    assert reader.page(0, 1).finalized
    again = logs.writer(name, LogLimit())
    assert not reader.page(0, 1).finalized
    again.close(2)
    assert not reader.page(0, 1).finalized


def test_a_log_has_one_writer(logs: RunLogs, name: LogName, writer: LogWriter) -> None:
    with pytest.raises(Conflict):
        logs.writer(name, LogLimit())
    writer.close(1)
    logs.writer(name, LogLimit()).close(2)


def test_files_are_for_the_owner_alone(writer: LogWriter, tmp_path: Path) -> None:
    writer.write("stdout", b"first\n", 1)
    folder = tmp_path / "logs" / "nightly_backup"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    writer.close(1)


def test_drop_old_keeps_numbers_over_rotations(logs: RunLogs, name: LogName, reader: LogReader) -> None:
    writer = logs.writer(name, LogLimit(max_size=200))
    for n in range(60):
        writer.write("stdout", b"line %04d\n" % n, n)
    writer.finalize(99)
    page = reader.page(0, 1000)
    assert page.truncated
    assert page.first_available > 0
    assert [line.n for line in page.lines] == list(range(page.first_available, page.total_lines))
    assert page.total_lines == 60 + sum(line.stream == "system" for line in reader.page(0, 1000).lines) + _lost_markers(
        page.first_available
    )
    assert page.lines[-1].text == "line 0059"
    assert {line.text for line in page.lines if line.stream == "system"} == {
        "log size cap of 200 bytes reached: older lines are dropped"
    }


def _lost_markers(first_available: int) -> int:
    # The first segment has 20 lines of output, each later one a marker and 13.
    return max(0, (first_available - 20) // 14)


@pytest.mark.parametrize("chunk_lines", [1, 7, 1000])
def test_no_segment_grows_over_the_cap(logs: RunLogs, name: LogName, tmp_path: Path, chunk_lines: int) -> None:
    writer = logs.writer(name, LogLimit(max_size=1000))
    for _ in range(0, 1000, chunk_lines):
        writer.write("stdout", b"0123456789\n" * chunk_lines, 1)
        for file in tmp_path.rglob("*.log*"):
            assert file.name.endswith(".meta") or file.stat().st_size <= 1000
    writer.close(1)


def test_drop_old_keeps_a_line_longer_than_the_cap(logs: RunLogs, name: LogName, show: Show) -> None:
    writer = logs.writer(name, LogLimit(max_size=100))
    writer.write("stdout", b"short\n" + b"x" * 500 + b"\n" + b"y" * 500 + b"\n", 1)
    writer.close(1)
    assert [(n, stream, text[:1]) for n, stream, text in show()] == [
        (1, "system", "l"),
        (2, "stdout", "x"),
        (3, "system", "l"),
        (4, "stdout", "y"),
    ]


def test_drop_new_says_so_once_and_goes_on_discarding(logs: RunLogs, name: LogName, show: Show) -> None:
    limit = LogLimit(max_size=20, on_full="drop_new")
    writer = logs.writer(name, limit)
    for n in range(10):
        writer.write("stdout", b"line %d\n" % n, 1)
    writer.close(1)
    again = logs.writer(name, limit)
    again.write("stdout", b"more\n", 2)
    again.finalize(2)
    assert not writer.overflowed
    assert show() == [
        (0, "stdout", "line 0"),
        (1, "stdout", "line 1"),
        (2, "system", "log size cap of 20 bytes reached: further output is dropped"),
    ]


def test_kill_task_asks_for_the_stop_of_the_run(logs: RunLogs, name: LogName, show: Show) -> None:
    writer = logs.writer(name, LogLimit(max_size=20, on_full="kill_task"))
    asked = []
    for chunk in (b"line 0\nline 1\n", b"line 2\nline 3\n"):
        writer.write("stdout", chunk, 1)
        asked.append(writer.overflowed)
    writer.finalize(1)
    assert asked == [False, True]
    assert show()[2:] == [(2, "system", "log size cap of 20 bytes reached: stopping the run")]


def test_each_attempt_of_a_killed_run_has_the_whole_cap(logs: RunLogs, name: LogName, show: Show) -> None:
    limit = LogLimit(max_size=20, on_full="kill_task")
    for attempt in range(3):
        writer = logs.writer(name, limit)
        writer.write("stdout", b"a%d line 0\na%d line 1\na%d line 2\n" % (attempt, attempt, attempt), 1)
        assert writer.overflowed
        writer.close(1)
    assert [text for _, stream, text in show() if stream == "stdout"] == ["a1 line 0", "a1 line 1", "a2 line 0", "a2 line 1"]


@pytest.mark.parametrize("on_full", ["drop_old", "drop_new", "kill_task"])
def test_a_partial_line_does_not_outlive_its_policy(
    logs: RunLogs, name: LogName, on_full: Literal["drop_old", "drop_new", "kill_task"]
) -> None:
    writer = logs.writer(name, LogLimit(max_size=10, on_full=on_full))
    writer.write("stderr", b"partial", 1)
    writer.write("stdout", b"0123456\n0123456\n", 1)
    writer.finalize(1)
    texts = [line.text for line in logs.reader(name).page(0, 100).lines]
    assert ("partial" in texts) == (on_full == "drop_old")


def test_system_lines_are_masked_and_split(logs: RunLogs, name: LogName, show: Show) -> None:
    writer = logs.writer(name, LogLimit(), ["hunter22"])
    writer.system("started with hunter22\nand more", 1)
    writer.close(1)
    assert show() == [(0, "system", "started with [redacted]"), (1, "system", "and more")]


def test_secrets_are_masked_across_reads_in_both_streams(logs: RunLogs, name: LogName, show: Show) -> None:
    writer = logs.writer(name, LogLimit(), ["hunter22"])
    writer.write("stdout", b"key=hun", 1)
    writer.write("stderr", b"hunter2", 1)
    writer.write("stdout", b"ter22 ok\n", 1)
    writer.write("stderr", b"2\n", 1)
    writer.write("stdout", b"hunter", 1)
    writer.close(1)
    assert show() == [(0, "stdout", "key=[redacted] ok"), (1, "stderr", "[redacted]"), (2, "stdout", "hunter")]


def test_growth_is_told_when_lines_were_added_or_one_was_begun(logs: RunLogs, name: LogName) -> None:
    told: list[int] = []
    writer = logs.writer(name, LogLimit(), on_growth=lambda: told.append(1))
    writer.write("stdout", b"partial", 1)
    assert (len(told), writer.begun_line()) == (1, "partial")
    writer.write("stdout", b" line\nand\n", 1)
    assert (len(told), writer.begun_line()) == (2, "")
    writer.finalize(2)
    assert len(told) == 3
