"""A Rota on a database of its own, with a clock that stands still."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.asking import make_rota
from tests.databases import open_memory

from rota.ops.context import Rota


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)
