"""What a run leaves in its folder becomes its artifacts."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.asking import make_rota
from tests.databases import open_memory
from tests.store.storing import add_run, add_task

from rota.core.artifact import MOST_BYTES, Artifact
from rota.core.errors import Unavailable
from rota.core.run import Run
from rota.ops.context import Rota
from rota.runners import Leavings
from rota.store import artifacts
from rota.store.connection import Connection


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)


@pytest.fixture
def run(rota: Rota) -> Run:
    def make(c: Connection) -> Run:
        return add_run(c, add_task(c))

    return rota.database.run(make)


@pytest.fixture
def leavings(rota: Rota, tmp_path: Path) -> Leavings:
    made = Leavings(tmp_path / "left", rota.database, rota.blobs, rota.clock)
    made.clear()
    return made


def collect(leavings: Leavings, run: Run) -> list[str]:
    notes: list[str] = []
    asyncio.run(leavings.collect(run, notes.append))
    return notes


def kept(rota: Rota, run: Run) -> list[Artifact]:
    return rota.database.run(lambda c: artifacts.list_artifacts(c, run.id), write=False)


async def read(rota: Rota, artifact: Artifact) -> bytes:
    return b"".join([piece async for piece in (await rota.blobs.get(artifact.key)).pieces])


def test_files_are_kept_in_the_order_of_their_names_and_the_folder_goes(rota: Rota, run: Run, leavings: Leavings) -> None:
    place = leavings.place_of(run.id)
    place.mkdir()
    (place / "b.csv").write_bytes(b"1,2\n")
    (place / "a.txt").write_bytes(b"")
    (place / os.fsdecode(b"bad\xff\n")).write_bytes(b"x")
    assert collect(leavings, run) == []
    found = kept(rota, run)
    assert [(each.name, each.type, each.source, each.size) for each in found] == [
        ("a.txt", "output", "run", 0), ("b.csv", "output", "run", 4), ("bad", "output", "run", 1),
    ]  # fmt: skip
    assert asyncio.run(read(rota, found[1])) == b"1,2\n"
    assert not place.exists()


def test_a_run_that_leaves_nothing_has_nothing(rota: Rota, run: Run, leavings: Leavings) -> None:
    assert (collect(leavings, run), kept(rota, run)) == ([], [])


def test_only_plain_files_of_a_fair_size_are_kept(rota: Rota, run: Run, leavings: Leavings, tmp_path: Path) -> None:
    place = leavings.place_of(run.id)
    place.mkdir()
    (tmp_path / "secret").write_text("not for the run")
    (place / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(place / "pipe")
    (place / "folder").mkdir()
    with (place / "large").open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    (place / "small").write_text("x")
    told = collect(leavings, run)
    assert [line.partition(" ")[0] for line in told] == ["folder", "large", "link", "pipe"]
    assert all("plain files of at most 30 MiB" in line for line in told)
    assert [each.name for each in kept(rota, run)] == ["small"]
    assert not place.exists()


def test_a_folder_that_leads_elsewhere_is_not_looked_into(rota: Rota, run: Run, leavings: Leavings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("not for the run")
    leavings.place_of(run.id).symlink_to(elsewhere)
    [told] = collect(leavings, run)
    assert told.startswith("artifacts were not kept")
    assert kept(rota, run) == []
    assert (elsewhere / "secret").exists()


def test_a_store_that_is_down_is_told_in_the_log(
    rota: Rota, run: Run, leavings: Leavings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(key: str, data: bytes) -> None:
        raise Unavailable("the object store does not answer")

    monkeypatch.setattr(rota.blobs, "put", refuse)
    leavings.place_of(run.id).mkdir()
    (leavings.place_of(run.id) / "a").write_text("x")
    assert collect(leavings, run) == ["artifacts were not kept: the object store does not answer"]
    assert kept(rota, run) == []


def test_what_a_dead_servers_runs_left_is_forgotten(leavings: Leavings, run: Run) -> None:
    leavings.place_of(run.id).mkdir()
    leavings.clear()
    assert not leavings.place_of(run.id).exists()
    assert leavings.place_of(run.id).parent.stat().st_mode & 0o077 == 0
