"""A Rota on a database of its own, with a clock that stands still."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.asking import make_rota

from rota.ops.context import Rota
from rota.store.database import open_sqlite


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_sqlite(":memory:", threads=False)) as database:
        yield make_rota(database, tmp_path)
