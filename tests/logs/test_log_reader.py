"""Pages, search and download."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from rota.core.errors import Invalid
from rota.core.policy import LogLimit
from rota.logs import LogLine, LogName, LogReader, LogWriter, Pattern, RunLogs, Stream

CHUNK = st.tuples(
    st.sampled_from(["stdout", "stderr", "system", "entry"]), st.lists(st.text("ab ", max_size=6), min_size=1, max_size=9)
)


@settings(max_examples=examples(40))
@given(st.lists(CHUNK, max_size=12), st.integers(-30, 60), st.integers(0, 20), st.booleans())
def test_a_page_equals_naive_reading(chunks: list[tuple[Stream, list[str]]], from_line: int, limit: int, live: bool) -> None:
    with TemporaryDirectory() as folder:
        logs, name = RunLogs(Path(folder)), LogName("task", datetime(2025, 1, 1, tzinfo=UTC), "run")
        writer = logs.writer(name, LogLimit())
        expected: list[tuple[Stream, str]] = []
        for at, (stream, lines) in enumerate(chunks):
            writer.write(stream, "".join(f"{line}\n" for line in lines).encode(), at // 2)
            expected += [(stream, line) for line in lines]
        if not live:
            writer.finalize(9)
        page = logs.reader(name).page(from_line, limit)
        start = from_line if from_line >= 0 else max(0, len(expected) + from_line)
        assert [(line.n, line.stream, line.text) for line in page.lines] == [
            (n, *expected[n]) for n in range(start, min(start + limit, len(expected)))
        ]
        assert (page.first_available, page.total_lines, page.truncated) == (0, len(expected), False)
        assert page.finalized == bool(expected and not live)  # without a line there is no file to say so
        if live:
            writer.close(9)


@pytest.mark.parametrize("page_lines", [1, 7, 100])
def test_pages_join_over_rotations(logs: RunLogs, name: LogName, reader: LogReader, page_lines: int) -> None:
    writer = logs.writer(name, LogLimit(max_size=2000))
    for n in range(500):
        writer.write("stderr" if n % 3 else "stdout", b"line %d\n" % n, n)
    writer.finalize(1)
    whole = reader.page(0, 10_000)
    lines: list[LogLine] = []
    position = whole.first_available
    while page := reader.page(position, page_lines).lines:
        lines += page
        position = page[-1].n + 1
    assert lines == whole.lines
    assert position == whole.total_lines
    assert reader.page(-page_lines, page_lines).lines == whole.lines[-page_lines:]


def test_a_tail_longer_than_what_is_left_is_truncated(logs: RunLogs, name: LogName, reader: LogReader) -> None:
    writer = logs.writer(name, LogLimit(max_size=100))
    writer.write("stdout", b"0123456789\n" * 100, 1)
    writer.finalize(1)
    page = reader.page(-1000, 1000)
    assert page.truncated
    assert page.lines[0].n == page.first_available
    assert not reader.page(page.first_available, 1).truncated


def test_an_absent_log_is_an_empty_page(reader: LogReader) -> None:
    page = reader.page(-10, 10)
    assert (page.lines, page.total_lines, page.first_available, page.finalized, page.truncated) == ([], 0, 0, False, False)
    assert list(reader.raw()) == []


def test_undecodable_bytes_become_replacement_characters(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"a\xff\n\xe2\x82\nz\x00\r\n", 1)
    writer.close(1)
    assert [line.text for line in reader.page(0, 9).lines] == ["a\ufffd", "\ufffd", "z\0\r"]


def test_raw_shows_what_pages_show(logs: RunLogs, name: LogName, reader: LogReader) -> None:
    writer = logs.writer(name, LogLimit(max_size=300))
    for n in range(40):
        writer.write("stderr" if n % 2 else "stdout", b"line %d\nand\n" % n, n)
    writer.finalize(1)
    prefixes = {"stdout": "", "stderr": "[ERR] ", "system": "1970-01-01T00:00:00.025Z [SYSTEM] "}
    lines = reader.page(0, 1000).lines
    assert b"".join(reader.raw()).decode() == "".join(f"{prefixes[line.stream]}{line.text}\n" for line in lines)
    assert b"".join(reader.raw(prefixes=False)).decode() == "".join(f"{line.text}\n" for line in lines)


@pytest.mark.parametrize(
    ("pattern", "regex", "case", "found"),
    [
        ("error", False, False, [1, 3]),
        ("error", False, True, [3]),
        ("^an.*ERR", True, False, [3]),
        ("e.ror", False, False, []),
        (r"\d$", True, True, [0]),
    ],
)
def test_search(writer: LogWriter, reader: LogReader, pattern: str, regex: bool, case: bool, found: list[int]) -> None:
    writer.write("stdout", b"line 0\nERROR one\n", 1)
    writer.write("stderr", b"fine\nan error\n", 1)
    wanted = Pattern(pattern, regex=regex, case=case)
    assert [line.n for line in reader.search(wanted, most=9).lines] == found
    assert [line.n for line in reader.search(wanted, most=9, from_line=2).lines] == [n for n in found if n >= 2]
    assert [line.n for line in reader.search(wanted, most=9, end_line=2).lines] == [n for n in found if n < 2]
    writer.close(1)


@pytest.mark.parametrize("pattern", ["", "(", "[z-a]", "x" * 1001])
def test_search_refuses_a_bad_pattern_at_once(pattern: str) -> None:
    with pytest.raises(Invalid):
        Pattern(pattern, regex=True)


def test_a_search_goes_on_where_it_stopped_by_number_or_by_time(writer: LogWriter, reader: LogReader) -> None:
    for n in range(20):
        writer.write("stdout", b"odd\n" if n % 2 else b"even\n", n)
    writer.close(1)
    wanted = Pattern("odd")
    assert reader.search(wanted, most=3).next_line == 6
    assert [line.n for line in reader.search(wanted, from_line=6, most=3).lines] == [7, 9, 11]
    late = reader.search(wanted, most=99, is_late=lambda: True)
    assert late.next_line == 1
    assert reader.search(wanted, from_line=14, most=99).next_line is None


def test_an_expression_that_tries_every_way_is_stopped(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"a" * 64 + b"b\n", 1)
    writer.close(1)
    with pytest.raises(Invalid, match="too long"):
        reader.search(Pattern("(a|a)+$", regex=True), most=1)


def test_a_page_of_huge_lines_ends_early_and_goes_on(writer: LogWriter, reader: LogReader) -> None:
    for _ in range(20):
        writer.write("stdout", (b"x" * 65_000 + b"\n") * 20, 1)
    writer.close(1)
    first = reader.page(0, 400)
    assert 100 < len(first.lines) < 400
    assert len(first.lines) + len(reader.page(len(first.lines), 400).lines) == 400


def test_who_follows_takes_huge_lines_a_few_at_a_time(writer: LogWriter, reader: LogReader) -> None:
    for at in range(20):
        writer.write("stdout", (b"x" * 65_000 + b"\n") * 20, at)
    writer.close(1)
    assert 1 <= len(reader.page(7, 400, 100_000).lines) <= 10


def test_a_look_outlives_rotation_and_deletion(logs: RunLogs, name: LogName, reader: LogReader) -> None:
    writer = logs.writer(name, LogLimit(max_size=4000))
    writer.write("stdout", b"first\n" * 600, 1)
    raw = reader.raw()
    begun = next(raw)
    for _ in range(3):
        writer.write("stdout", b"later\n" * 600, 2)
    writer.finalize(3)
    logs.delete(name)
    assert begun + b"".join(raw) == b"first\n" * 600


def test_pages_cost_the_same_in_a_long_log(writer: LogWriter, reader: LogReader, reads: Callable[[], int]) -> None:
    for n in range(20_000):
        writer.write("stdout", b"%d\n" % n, n)
    reader.page(10_000, 10)
    assert reads() < 60
    writer.close(1)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many reads there were."""
    real, count = os.pread, [0]

    def pread(fd: int, size: int, offset: int) -> bytes:
        count[0] += 1
        assert size <= 300_000
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    return lambda: count[0]
