"""What is drawn over and over stays as its last frame."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from rota.core.policy import LogLimit
from rota.logs import LiveRegion, LogName, LogReader, LogWriter, RunLogs
from rota.logs.cutter import LineCutter
from rota.logs.frames import LARGEST_FILE, MOST_FRAMES
from rota.logs.redraw import Drawn, Redraw

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Show = Callable[[], list[tuple[int, str, str]]]


def texts(logs: RunLogs, name: LogName, chunks: Sequence[bytes]) -> list[str]:
    writer = logs.writer(name, LogLimit())
    for chunk in chunks:
        writer.write("stdout", chunk, 1)
    writer.finalize(2)
    return [line.text for line in logs.reader(name).page(0, 10_000).lines]


def in_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


CASES = {
    "a progress bar": (
        b"start\n" + b"".join(b"\r%3d%%|##" % n for n in range(101)) + b"\ndone\n",
        ["start", "100%|##", "done"],
    ),
    "a bar that ends each frame with CR": (b"10%\r20%\r30%\nnext\n", ["30%", "next"]),
    "a shorter frame over a longer one": (b"working hard\rdone\n", ["doneing hard"]),
    "a frame that erases the rest": (b"working hard\rdone\x1b[K\n", ["done"]),
    "a line that is wiped before another": (b"0% [Working]\r            \rGet:1 packages\n", ["Get:1 packages"]),
    "a bar that is wiped at the end": (b"a\n\r50%\r   \r", ["a"]),
    "a spinner by backspaces": (b"\rwait -\b\\\b|\b/\b-\b done\n", ["wait  done"]),
    "two lines drawn again": (b"a 1\nb 1\n\x1b[2Aa 2\nb 2\n\x1b[2Aa 3\nb 3\nend\n", ["a 1", "b 1", "a 3", "b 3", "end"]),
    "one of three lines drawn again": (b"a\nb\nc\n\x1b[2A\x1b[2KB\x1b[2B\rend\n", ["a", "b", "c", "B", "c", "end"]),
    "a live display without a last newline": (b"\r\x1b[2Ka\nb\r\x1b[2K\x1b[1A\x1b[2KA\nB\n", ["a", "A", "B"]),
    "colours of a frame": (b"\r\x1b[31m10%\x1b[0m\r\x1b[32m20%\x1b[0m\n", ["\x1b[32m20%\x1b[0m"]),
    "colours alone": (b"\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
    "lines that end in CR LF": (b"one\r\ntwo\r\n", ["one\r", "two\r"]),
    "a bar among CR LF lines": (b"one\r\n\r10%\r20%\r\ntwo\r\n", ["one\r", "20%", "two\r"]),
    "characters of several bytes": ("\r▏ 0 %\r█ ✓ ✅\n".encode(), ["█ ✓ ✅"]),
    "bytes that are no text": (b"\r\xff1\r\xff2\n", ["\ufffd2"]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cut", [lambda data: [data], in_bytes], ids=["whole", "byte by byte"])
def test_only_the_last_frame_stays(logs: RunLogs, name: LogName, case: str, cut: Callable[[bytes], list[bytes]]) -> None:
    data, expected = CASES[case]
    assert texts(logs, name, cut(data)) == expected


def test_a_screen_that_is_cleared_each_time_stays_as_it_was_last(logs: RunLogs, name: LogName) -> None:
    frames = [b"\x1b[H\x1b[2Jone\ntwo\n", b"\x1b[H\x1b[2Jthree\nfour\n", b"\x1b[H\x1b[2Jfive\nsix\n"]
    assert texts(logs, name, frames) == ["five", "six"]


def test_what_follows_a_single_clearing_is_not_held_back(writer: LogWriter, show: Show) -> None:
    writer.write("stdout", b"\x1b[H\x1b[2Jone\n", 1)
    writer.write("stdout", b"two\n", 2)
    assert show() == [(0, "stdout", "one"), (1, "stdout", "two")]
    writer.close(3)


PIECES = [b"a", b"bb\n", b"\n", b"\r", b"\r\n", b"\x1b[K", b"\x1b[31m", b"\x1b[0m", b"50%", "é".encode()]


@settings(max_examples=examples(40))
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.randoms(use_true_random=False))
def test_lines_do_not_depend_on_how_a_bar_is_cut_into_chunks(pieces: list[bytes], rng: random.Random) -> None:
    data = b"".join(pieces)
    cuts = sorted(rng.sample(range(len(data) + 1), min(5, len(data) + 1)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    with TemporaryDirectory() as folder:
        logs = RunLogs(Path(folder))
        first, second = (LogName(task, NOON, task) for task in ("whole", "cut"))
        assert texts(logs, first, [data]) == texts(logs, second, chunks)


@settings(max_examples=examples(40))
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_taken(first: bytes, second: bytes) -> None:
    redraw, cutter = Redraw(), LineCutter()
    for chunk in (first, second.replace(b"a", b"\x1b[3A").replace(b"b", b"\x1b[H").replace(b"c", b"\r")):
        for part in redraw.feed(chunk, cutter):
            if isinstance(part, bytes):
                cutter.feed(part)
    list(redraw.flush(cutter))
    assert redraw.is_idle


def test_frames_of_a_line_can_be_asked_for(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"plain\n10%\r20%\r30%\nafter\n", 1)
    writer.finalize(2)
    assert reader.frames(1) == [["10%"], ["20%"], ["30%"]]
    assert reader.frames(0) == reader.frames(2) == []
    counts = [line.frame_count for line in reader.page(0, 9).lines]
    assert [count if isinstance(count, int) else None for count in counts] == [None, 3, None]


def test_frames_of_several_lines_are_whole_rows(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"a 1\nb 1\n", 1)
    writer.write("stdout", b"\x1b[2Aa 2\nb 2\n", 2)
    writer.write("stdout", b"\x1b[2Aa 3\nb 3\n", 3)
    writer.finalize(4)
    assert reader.frames(2) == reader.frames(3) == [["a 2", "b 2"], ["a 3", "b 3"]]


def test_a_long_history_is_an_even_sample(writer: LogWriter, reader: LogReader) -> None:
    writer.write("stdout", b"".join(b"%d\r" % n for n in range(10_000)) + b"end\n", 1)
    writer.finalize(2)
    frames = [frame[0] for frame in reader.frames(0)]
    assert len(frames) <= MOST_FRAMES + 1
    numbers = [int(frame) for frame in frames[:-1]]
    steps = {after - before for before, after in pairwise(numbers)}
    assert len(steps) == 1
    assert frames[-1] == "end9"


def test_a_frame_is_live_until_it_is_a_line(writer: LogWriter, show: Show) -> None:
    writer.write("stdout", b"one\n10%", 1)
    assert writer.live_regions() == []
    writer.write("stdout", b"\r20%", 2)
    writer.write("stderr", b"\r...", 2)
    assert writer.live_regions() == [LiveRegion("stdout", 1, ["20%"]), LiveRegion("stderr", 1, ["..."])]
    assert show() == [(0, "stdout", "one")]
    writer.write("stdout", b"\r30%\n\r1/2", 3)
    assert writer.live_regions()[0] == LiveRegion("stdout", 2, ["1/2"])
    assert show() == [(0, "stdout", "one"), (1, "stdout", "30%")]
    writer.close(4)
    assert writer.live_regions() == []


def test_followers_are_woken_by_a_frame(logs: RunLogs, name: LogName) -> None:
    woken = []
    writer = logs.writer(name, LogLimit(), on_growth=lambda: woken.append(1))
    writer.write("stdout", b"\r10%", 1)
    assert woken
    writer.close(2)


def test_secrets_are_masked_inside_frames_and_where_frames_make_them_up(logs: RunLogs, name: LogName) -> None:
    writer = logs.writer(name, LogLimit(), ["hunter22"])
    writer.write("stdout", b"1 hunter22\r2 hunter22", 1)
    writer.write("stdout", b"\r3 ok      \n", 1)
    writer.write("stdout", b"xxxxer22\rhunt", 1)
    writer.write("stdout", b"\rh", 1)
    assert "er22" not in str(writer.live_regions())
    writer.write("stdout", b"\n", 1)
    writer.finalize(2)
    reader = logs.reader(name)
    assert [line.text for line in reader.page(0, 9).lines] == ["3 ok      d]", "[redacted]"]
    assert "hunter22" not in str(reader.frames(0)) + str(reader.frames(1))
    assert all(b"hunter22" not in path.read_bytes() for path in Path(logs.reader(name)._paths.folder).iterdir())


def test_a_drawing_that_grows_without_end_scrolls(logs: RunLogs, name: LogName) -> None:
    data = b"\x1b[H" + b"".join(b"\x1b[Krow %d\n" % n for n in range(500))
    assert texts(logs, name, [data]) == [f"row {n}" for n in range(500)]


def test_a_row_wider_than_a_line_loses_nothing(logs: RunLogs, name: LogName) -> None:
    assert "".join(texts(logs, name, [b"\r" + b"x" * 200_000, b"y\n"])) == "x" * 200_000 + "y"


def test_old_histories_make_room(logs: RunLogs, name: LogName) -> None:
    writer = logs.writer(name, LogLimit())
    for n in range(400):
        writer.write("stdout", b"%d %b\r%d %b.\n" % (n, b"x" * 1800, n, b"x" * 1800), n)
    writer.finalize(1)
    reader = logs.reader(name)
    assert reader.frames(399)
    assert not reader.frames(0)
    assert sum(path.stat().st_size for path in (reader._paths.frames, reader._paths.old_frames)) <= 2 * LARGEST_FILE
    assert set(logs.sizes()) == {name.run_id}
    logs.delete(name)
    assert logs.sizes() == {}


def test_what_is_plain_is_never_copied_into_a_drawing() -> None:
    redraw, cutter = Redraw(), LineCutter()
    parts = list(redraw.feed(b"plain\n" * 1000 + b"bar\rBAR\nplain\n", cutter))
    assert parts == [b"plain\n" * 1000, Drawn([b"BAR"], [["bar"], ["BAR"]]), b"plain\n"]
