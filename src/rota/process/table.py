"""What the kernel knows about processes, read from /proc."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Identity = tuple[int, int]

# The kernel gives at most a page at a time; less than asked for is the end.
CHUNK_BYTES = 4096
EXEC_LOOKS, EXEC_PAUSE_S = 3, 0.002


class Entry(NamedTuple):
    """One process. `start_ticks` since boot tells two processes with one pid apart (proc_pid_stat(5), field 22)."""

    pid: int
    parent: int
    group: int
    session: int
    start_ticks: int
    is_dead: bool

    @property
    def identity(self) -> Identity:
        return self.pid, self.start_ticks


def find_process(pid: int) -> Entry | None:
    """None for a pid nobody has. A zombie is dead, but still there."""
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    # The name stands in parentheses and may hold anything, so fields count from the last parenthesis.
    state, parent, group, session, *rest = data[data.rindex(b")") + 2 :].split()
    return Entry(pid, int(parent), int(group), int(session), int(rest[15]), state in b"ZX")


def find_start_ticks(pid: int) -> int | None:
    found = find_process(pid)
    return found and found.start_ticks


def list_processes() -> Iterator[Entry]:
    for name in os.listdir("/proc"):  # noqa: PTH208  a Path for each process costs as much as reading it
        if name.isdecimal():
            found = find_process(int(name))
            if found:
                yield found


def find_variable(pid: int, name: str) -> str | None:
    """A variable of a process as it was started; None also where we may not look. May wait some milliseconds."""
    start = f"{name}=".encode()
    for item in _environment(pid).split(b"\0"):
        if item.startswith(start):
            return item[len(start) :].decode(errors="replace")
    return None


def _environment(pid: int) -> bytes:
    """While a process becomes another program it seems to have none, for an instant; a thread of the kernel never has one."""
    for _ in range(EXEC_LOOKS):
        data = _read(f"/proc/{pid}/environ")
        if data:
            return data
        found = find_process(pid)
        if found is None or found.is_dead or found.session == 0:
            return b""
        time.sleep(EXEC_PAUSE_S)
    return b""


def boot_id() -> str:
    """Differs after each start of the machine: no process of another boot can be alive."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = chunk = os.read(fd, CHUNK_BYTES)
        while len(chunk) == CHUNK_BYTES:
            chunk = os.read(fd, CHUNK_BYTES)
            data += chunk
        return data
    except OSError:  # it ended while we were reading
        return b""
    finally:
        os.close(fd)
