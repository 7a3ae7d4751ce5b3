"""Free space of the file system that holds the logs."""

import os
from pathlib import Path

from msgspec import Struct


class Shortage(Struct, frozen=True):
    """Less free space than wanted, both in bytes."""

    free: int
    wanted: int

    @property
    def text(self) -> str:
        return f"free disk space is {self.free} bytes, below min_free_space of {self.wanted} bytes"


def find_shortage(folder: Path, wanted: int) -> Shortage | None:
    """None while `wanted` bytes (0: no matter) are free to us. Raises OSError."""
    if not wanted:
        return None
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    return Shortage(free, wanted) if free < wanted else None
