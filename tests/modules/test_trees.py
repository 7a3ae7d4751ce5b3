"""What is below a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rota.core.errors import Conflict
from rota.modules.trees import walk

NOBODY = 65534


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything."""
    before = os.geteuid()
    os.seteuid(before or NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_cannot_be_read_is_told_and_not_passed_over(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir(mode=0)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with without_privileges(), pytest.raises(Conflict, match=r"^the folder shut cannot be read: Permission denied$"):
            list(walk(folder))
        with without_privileges():
            assert [entry.path for entry in walk(folder, ["shut"])] == ["open"]
    finally:
        os.close(folder)
