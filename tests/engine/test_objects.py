"""Objects of artifacts go when they have expired, and after their runs."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.asking import HandClock, make_rota
from tests.databases import open_memory
from tests.store.storing import add_ended, add_task

from rota.blobs import LocalBlobs
from rota.core.errors import Unavailable
from rota.engine.objects import sweep_objects
from rota.ops.artifacts import Given, Place, add_artifacts
from rota.ops.context import Rota
from rota.store import artifacts, retention
from rota.store.connection import Connection

DAY_S = 86_400


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)


class DownAtFirst(LocalBlobs):
    """A store that does not answer until it is told to."""

    is_down = True

    async def delete(self, key: str) -> None:
        if self.is_down:
            raise Unavailable("down")
        await super().delete(key)


def a_run_with_a_file(rota: Rota) -> tuple[str, str]:
    """Ids of the run and of the object."""

    async def make() -> tuple[str, str]:
        def run(c: Connection) -> tuple[str, str]:
            task = add_task(c)
            return task.id, add_ended(c, task).id

        task_id, run_id = await rota.database.write(run)
        place = Place(task_id, "tasks/artifacts/", run_id)
        return run_id, (await add_artifacts(rota, lambda _: place, [Given(name="a", type="output", data=b"x")]))[0].key

    return asyncio.run(make())


def sweep(rota: Rota) -> int:
    engine: Any = SimpleNamespace(clock=rota.clock, database=rota.database)
    return asyncio.run(sweep_objects(engine, rota.blobs))


def is_there(rota: Rota, key: str) -> bool:
    return asyncio.run(rota.blobs.head(key)) is not None


def count_rows(rota: Rota) -> int:
    count: int = rota.database.run(lambda c: c.rows("SELECT COUNT(*) FROM artifacts"))[0][0]
    return count


def advance(rota: Rota, seconds: float) -> None:
    assert isinstance(rota.clock, HandClock)
    rota.clock.advance(seconds)


def test_an_artifact_goes_after_thirty_days(rota: Rota) -> None:
    run_id, key = a_run_with_a_file(rota)
    advance(rota, 30 * DAY_S - 1)
    assert (sweep(rota), is_there(rota, key)) == (0, True)
    advance(rota, 1)
    assert (sweep(rota), is_there(rota, key), count_rows(rota)) == (1, False, 0)
    assert rota.database.run(lambda c: artifacts.list_artifacts(c, run_id)) == []


def test_an_artifact_goes_after_its_run(rota: Rota) -> None:
    run_id, key = a_run_with_a_file(rota)
    rota.database.run(lambda c: retention.delete_runs(c, [run_id]))
    assert (sweep(rota), is_there(rota, key)) == (0, True)
    advance(rota, 7200)
    assert (sweep(rota), is_there(rota, key), count_rows(rota)) == (1, False, 0)


def test_a_sweep_that_was_broken_off_is_gone_through_again(rota: Rota, tmp_path: Path) -> None:
    _, key = a_run_with_a_file(rota)
    rota.blobs = DownAtFirst(tmp_path / "blobs", rota.database, rota.clock)
    advance(rota, 30 * DAY_S)
    assert (sweep(rota), is_there(rota, key), count_rows(rota)) == (0, True, 1)
    rota.blobs.is_down = False
    assert (sweep(rota), is_there(rota, key), count_rows(rota)) == (1, False, 0)
