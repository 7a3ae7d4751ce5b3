"""Databases for the tests of modules."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.modules.record_tables import POSTGRES, SQLITE, Collection

SCHEMA = "collection"


@pytest.fixture(scope="session")
def postgres_collection_url(postgres_url: str) -> str:
    """The tables, in a schema of their own."""
    url = f"{postgres_url}&options=-csearch_path%3D{SCHEMA}"
    made = Collection(url)
    made.create(f"CREATE SCHEMA {SCHEMA};{POSTGRES}")
    made.close()
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    """Assets, people, cards and loans, in a database that is somebody else's."""
    if request.param == "sqlite":
        (tmp_path / "collection.db").touch()
        made = Collection(f"sqlite:///{tmp_path}/collection.db")
        made.create(SQLITE)
    else:
        made = Collection(request.getfixturevalue("postgres_collection_url"))
        made.run("TRUNCATE assets, people, cards, loans")
    made.fill()
    yield made
    made.close()
