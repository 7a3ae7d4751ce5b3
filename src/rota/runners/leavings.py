"""Files that work leaves in its folder become artifacts of its run."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from rota.blobs import Blobs
from rota.clock import Clock
from rota.core.artifact import MOST_AT_ONCE, MOST_BYTES, Artifact, base_name, folder_of, key_of, run_prefix
from rota.core.errors import RotaError
from rota.core.run import Run
from rota.store import artifacts
from rota.store.database import Connection, Database

# What it is called in a run's manifest, and who says so.
TYPE, SOURCE = "output", "run"
Note = Callable[[str], None]


class Leavings:
    """Each run may make a folder of its own here, named by its id, and put files into it."""

    def __init__(self, folder: Path, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._folder = folder.absolute()
        self._text = str(self._folder)
        self._database = database
        self._blobs = blobs
        self._clock = clock

    def clear(self) -> None:
        """Forget what a dead server's runs left. Called before anything starts."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def place_of(self, run_id: str) -> Path:
        """Absolute; it is there only if the run made it."""
        return self._folder / run_id

    async def collect(self, run: Run, note: Note) -> None:
        """Keep what the run has left, as long as the run is kept. What cannot be kept is told in its log."""
        # One look, and that by its text: nearly every run leaves nothing.
        if not os.access(f"{self._text}/{run.id}", os.F_OK):
            return
        place = self.place_of(run.id)
        if not place.is_dir():
            return
        try:
            for name in await asyncio.to_thread(_names, place):
                await self._keep(run, place, name, note)
        except (OSError, RotaError) as error:
            note(f"artifacts were not kept: {error}")
        finally:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _keep(self, run: Run, place: Path, name: str, note: Note) -> None:
        data = await asyncio.to_thread(_read, place, name)
        if data is None:
            note(f"{base_name(name)} was not kept: artifacts are plain files of at most {MOST_BYTES // 1024 // 1024} MiB")
            return
        artifact_id, now = uuid4().hex, self._clock.now()
        artifact = Artifact(
            id=artifact_id, name=base_name(name), type=TYPE, source=SOURCE, size=len(data), uploaded_at=now,
            key=key_of(run_prefix(folder_of(run.task_id), run.id), artifact_id, name),
        )  # fmt: skip
        await self._database.write(lambda c: artifacts.insert_prepared(c, [artifact], run.task_id, run.id, now))
        await self._blobs.put(artifact.key, data)
        await self._database.write(partial(_attach, run_id=run.id, artifact=artifact))


def _attach(c: Connection, run_id: str, artifact: Artifact) -> None:
    artifacts.attach(c, run_id, artifact, keep_days=None)


def _names(place: Path) -> list[str]:
    return sorted(each.name for each in place.iterdir())[:MOST_AT_ONCE]


def _read(place: Path, name: str) -> bytes | None:
    """None for what is no plain file, or too large. Links are not followed: they could lead to what the run may not read."""
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(file, "rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    return data if len(data) <= MOST_BYTES else None
