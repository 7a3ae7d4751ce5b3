"""Disks that are full, or nearly."""

import subprocess
import sys
from pathlib import Path

from rota.core.policy import LogLimit
from rota.logs import LogName, Pattern, RunLogs
from rota.logs.writer import PROBE_BYTES

HUGE = 1 << 62


def test_a_shortage_names_both_numbers(tmp_path: Path) -> None:
    assert RunLogs(tmp_path / "not" / "yet").find_shortage() is None
    shortage = RunLogs(tmp_path / "not" / "yet", HUGE).find_shortage()
    assert shortage
    assert 0 < shortage.free < shortage.wanted == HUGE
    assert f"{shortage.free} bytes" in shortage.text
    assert f"{HUGE} bytes" in shortage.text


def test_recording_stops_once_when_space_runs_short(tmp_path: Path, name: LogName) -> None:
    logs = RunLogs(tmp_path, HUGE)
    writer = logs.writer(name, LogLimit(max_size=HUGE))
    chunk = b"0123456789abcde\n" * 65536
    for at_ms in range(PROBE_BYTES // len(chunk) + 5):
        writer.write("stdout", chunk, at_ms * 2000)
    assert writer.disk_pressure
    writer.finalize(99_000)
    found = logs.reader(name).search(Pattern("bytes"), most=99).lines
    notes = [line.text for line in found if line.stream == "system"]
    assert len(notes) == 2
    assert notes[0].endswith("recording stops")
    assert notes[1] == f"recording resumed: {5 * len(chunk)} bytes of output were lost"


# Runs in a process of its own: a limit on file sizes stands for a disk that is full.
_FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from rota.core.policy import LogLimit
from rota.logs import LogName, Pattern, RunLogs

def allow(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

logs = RunLogs(Path(sys.argv[1]))
name = LogName("t", datetime(2025, 1, 1, tzinfo=UTC), "r")
writer = logs.writer(name, LogLimit())
allow(1000)
for n in range(200):
    writer.write("stdout", b"line %04d\\n" % n, 1)
assert writer.disk_pressure
assert writer.lines_written == 100, writer.lines_written
writer.write("stdout", b"too early to try again\\n", 4999)
allow(resource.RLIM_INFINITY)
writer.write("stderr", b"back\\n", 6000)
writer.finalize(6000)
lines = logs.reader(name).page(0, 1000).lines
assert [line.n for line in lines] == list(range(102))
assert lines[99].text == "line 0099"
assert (lines[100].stream, lines[100].text) == ("system", "recording resumed: 1023 bytes of output were lost")
assert (lines[101].stream, lines[101].text) == ("stderr", "back")
"""


def test_recording_goes_on_when_a_full_disk_has_space_again(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


_FULL_INDEX = (
    _FULL_DISK.split("logs = ")[0]
    + """
logs = RunLogs(Path(sys.argv[1]))
name = LogName("t", datetime(2025, 1, 1, tzinfo=UTC), "r")
writer = logs.writer(name, LogLimit(max_size=300))
allow(400)
for n in range(200):
    writer.write("stdout", b"%d\\n" % n, n)
writer.finalize(200)
page = logs.reader(name).page(0, 1000)
assert page.finalized
shown = [line.text for line in page.lines if line.stream == "stdout"]
assert shown[:9] == [str(n) for n in range(9)], shown
"""
)


def test_an_index_that_cannot_grow_leaves_no_line_without_its_stream(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL_INDEX, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_made_does_not_stop_a_run(tmp_path: Path, name: LogName) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    logs = RunLogs(tmp_path / "logs")
    writer = logs.writer(name, LogLimit())
    writer.write("stdout", b"lost\n", 1)
    assert writer.disk_pressure
    (tmp_path / "logs").unlink()
    writer.write("stdout", b"kept\n", 6000)
    writer.finalize(6000)
    assert [line.text for line in logs.reader(name).page(0, 9).lines] == [
        "recording resumed: 5 bytes of output were lost",
        "kept",
    ]


def test_sizes_count_every_file_of_a_run(tmp_path: Path, name: LogName) -> None:
    logs = RunLogs(tmp_path)
    assert (logs.sizes(), logs.total_bytes()) == ({}, 0)
    writer = logs.writer(name, LogLimit(max_size=100))
    writer.write("stdout", b"0123456789\n" * 30, 1)
    writer.finalize(1)
    (tmp_path / "stray.txt").write_text("x")
    on_disk = sum(path.stat().st_size for path in (tmp_path / name.folder).iterdir())
    assert logs.sizes() == {"0195-run": on_disk}
    assert logs.total_bytes() == on_disk
    logs.delete(name)
    logs.delete(name)
    assert logs.total_bytes() == 0
    assert not (tmp_path / name.folder).exists()
