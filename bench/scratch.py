"""Where benches write: folders that stay until the whole run is over.

A file system may look twice at what was deleted a moment ago (ext4 without a journal takes no inode again for some minutes, and
searches past all of them), so deleting the files of one measurement would slow down the next.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def keep_all() -> Iterator[None]:
    """Everything that is made inside goes at the end."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="rota-bench-", ignore_cleanup_errors=True) as root:
        Path(root).chmod(0o755)  # a PostgreSQL server that is not root's looks in
        tempfile.tempdir = root
        try:
            yield
        finally:
            tempfile.tempdir = before


def new_folder(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))


def new_data() -> Path:
    """An empty data directory, in a folder of its own."""
    data = new_folder("server") / "data"
    data.mkdir(mode=0o700)
    return data
