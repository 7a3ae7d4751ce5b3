"""What the machine is, and how busy it is (proc(5))."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

STAT = Path("/proc/stat")
MEMINFO = Path("/proc/meminfo")


class CpuTimes(NamedTuple):
    """Ticks since the machine started: in all, and of those the idle ones."""

    total: int
    idle: int


class Memory(NamedTuple):
    """Bytes. What is used cannot be had by a program that asks for memory."""

    total: int
    used: int


class Host(NamedTuple):
    name: str
    system: str
    arch: str
    cores: int


def describe_host() -> Host:
    return Host(platform.node(), platform.system().lower(), platform.machine(), os.cpu_count() or 1)


def read_cpu_times(path: Path = STAT) -> CpuTimes:
    """Zeros where the system does not tell."""
    try:
        fields = [int(field) for field in path.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return CpuTimes(0, 0)
    return CpuTimes(sum(fields), sum(fields[3:5]))


def read_memory(path: Path = MEMINFO) -> Memory:
    """Zeros where the system does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        total, free = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        return Memory(0, 0)
    return Memory(total, total - free)
