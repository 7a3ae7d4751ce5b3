"""Artifacts of runs: uploads with and without a run, what a run has, and its bytes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import uuid4

from msgspec import Struct

from rota.blobs import Content, Held, Upload
from rota.core.actor import Actor
from rota.core.artifact import (
    FORM_BYTES,
    KEPT_DAYS,
    MOST_AT_ONCE,
    STAGED_DAYS,
    Artifact,
    ArtifactRefused,
    base_name,
    check_size,
    folder_of,
    key_of,
    most_bytes,
    run_prefix,
    staged_prefix,
)
from rota.core.errors import Invalid, NotFound, Problem, RotaError
from rota.ops import access
from rota.ops.context import Rota
from rota.store import artifacts
from rota.store.artifacts import Stored
from rota.store.database import Connection

INVALID_PATH = "Artifact storage path is invalid for this {}"
NOT_UPLOADED = "Artifact upload not found in object storage"
TAKEN = "Artifact is attached to a run already"


class Place(Struct, frozen=True):
    """Whose artifacts are meant: a run's, or without one those staged for the task's next run. `folder` as `folder_of` has it."""

    task_id: str
    folder: str
    run_id: str | None = None

    @property
    def prefix(self) -> str:
        return staged_prefix(self.folder) if self.run_id is None else run_prefix(self.folder, self.run_id)


# Finds the place for an asker, and raises NotFound where that one may not see it. Asked in each transaction.
Reach = Callable[[Connection], Place]


class Labels(Struct, frozen=True, kw_only=True):
    """What a client calls an artifact. `name` as it was given, with folders maybe."""

    name: str
    type: str
    source: str = ""
    content_type: str = ""


class Asked(Labels, frozen=True, kw_only=True):
    """What somebody wants to upload. `size`: bytes, as declared."""

    size: int


class Brought(Labels, frozen=True, kw_only=True):
    """What somebody says was uploaded. `key`: where, as it was told when it was prepared."""

    id: str
    key: str


class Given(Labels, frozen=True, kw_only=True):
    """An artifact that comes in the request itself."""

    data: bytes


class Prepared(Struct, frozen=True):
    artifact: Artifact
    upload: Upload


def run_of(actor: Actor, run_id: str) -> Reach:
    """A run that the actor may see."""

    def reach(c: Connection) -> Place:
        run, task = access.get_run(c, actor, run_id)
        return Place(task.id, folder_of(task.id), run.id)

    return reach


async def prepare_artifacts(rota: Rota, reach: Reach, asked: Sequence[Asked], base_url: str) -> list[Prepared]:
    """Forms by which a client uploads these within an hour, each up to its declared size and a little more.

    base_url  how the client reaches this server

    Raises NotFound; Invalid at `body.artifacts.<n>.size`; Unavailable where the store of objects does not answer.
    """
    _check_count(asked)
    _check_declared(asked)

    made = await _insert(rota, reach, [(each, each.size) for each in asked])
    uploads = [await rota.blobs.presign_post(each.key, each.size + FORM_BYTES, base_url) for each in made]
    return [Prepared(each, upload) for each, upload in zip(made, uploads, strict=True)]


async def finalize_artifacts(rota: Rota, reach: Reach, brought: Sequence[Brought]) -> list[Artifact]:
    """Take what was uploaded: into the manifest of the run, or for a day into those that wait for a run of the task. Sizes are
    those that the store has. Finalizing again is harmless.

    Answers the run's whole manifest, or one artifact for each that was brought.
    Raises NotFound; ArtifactRefused by the first that cannot be taken, and none is taken then; Unavailable.
    """
    _check_count(brought)
    place, stored = await rota.database.read(lambda c: _look_up(c, reach, brought))
    found = await asyncio.gather(*(_head(rota, stored.get(each.id), each) for each in brought))
    now = rota.clock.now()
    checked = [_checked(place, each, stored.get(each.id), held) for each, held in zip(brought, found, strict=True)]
    ready = [
        Artifact(
            id=each.id, name=base_name(each.name), type=each.type, source=each.source, size=held.size,
            content_type=each.content_type or held.content_type, key=each.key, uploaded_at=now,
        )
        for each, held in zip(brought, checked, strict=True)
    ]  # fmt: skip
    taken = await rota.database.write(lambda c: _take(c, reach, ready))
    await _tag(rota, ready, STAGED_DAYS if place.run_id is None else KEPT_DAYS)
    return taken


async def add_artifacts(rota: Rota, reach: Reach, given: Sequence[Given]) -> list[Artifact]:
    """Put these at the end of a run's manifest, and answer all of it.

    Raises NotFound; ArtifactRefused for one that is too large, and none is taken then; Unavailable.
    """
    _check_count(given)
    for each in given:
        check_size(base_name(each.name), each.type, each.content_type, len(each.data))
    made = await _insert(rota, reach, [(each, len(each.data)) for each in given])
    for artifact, each in zip(made, given, strict=True):
        await rota.blobs.put(artifact.key, each.data)
    taken = await rota.database.write(lambda c: _take(c, reach, made))
    await _tag(rota, made, KEPT_DAYS)
    return taken


async def list_artifacts(rota: Rota, reach: Reach) -> list[Artifact]:
    """A run's, in the order in which they came. Raises NotFound."""
    return await rota.database.read(lambda c: artifacts.list_artifacts(c, reach(c).run_id or ""))


async def get_artifact(rota: Rota, reach: Reach, *, key: str | None = None, artifact_id: str = "") -> Artifact:
    """One of a run's, by where it lies or by its id. Raises NotFound."""

    def read(c: Connection) -> Artifact | None:
        run_id = reach(c).run_id or ""
        by_id = artifacts.find_artifact_by_id
        return by_id(c, run_id, artifact_id) if key is None else artifacts.find_artifact(c, run_id, key)

    found = await rota.database.read(read)
    if found is None:
        raise NotFound("the run has no such artifact")
    return found


async def link_artifact(rota: Rota, reach: Reach, key: str, base_url: str) -> str:
    """A link to one of a run's artifacts that needs no key, good for an hour. Raises NotFound."""
    artifact = await get_artifact(rota, reach, key=key)
    return await rota.blobs.presign_get(artifact.key, artifact.name, base_url)


async def open_artifact(rota: Rota, artifact: Artifact) -> Content:
    """Its bytes. Raises NotFound where the object is gone, and Unavailable."""
    return await rota.blobs.get(artifact.key)


async def keep_claimed(rota: Rota, claimed: Sequence[Artifact]) -> None:
    """Tell the store that staged artifacts belong to a run now. Asked after the run is committed; it never fails."""
    await _tag(rota, claimed, KEPT_DAYS)


async def _insert(rota: Rota, reach: Reach, wanted: Sequence[tuple[Asked | Given, int]]) -> list[Artifact]:
    """Their rows come before their objects, so that what is broken off in between is found and deleted."""
    now = rota.clock.now()

    def write(c: Connection) -> list[Artifact]:
        place, made = reach(c), []
        for each, size in wanted:
            artifact_id, name = uuid4().hex, base_name(each.name)
            made.append(
                Artifact(
                    id=artifact_id, name=name, type=each.type, source=each.source, size=size,
                    content_type=each.content_type, key=key_of(place.prefix, artifact_id, name), uploaded_at=now,
                )
            )  # fmt: skip
        artifacts.insert_prepared(c, made, place.task_id, place.run_id, now)
        return made

    return await rota.database.write(write)


def _look_up(c: Connection, reach: Reach, brought: Sequence[Brought]) -> tuple[Place, dict[str, Stored]]:
    place = reach(c)
    return place, artifacts.find_stored(c, place.task_id, [each.id for each in brought])


async def _head(rota: Rota, stored: Stored | None, brought: Brought) -> Held | None:
    """Asked only for keys of ours: what a client names never reaches the store."""
    return None if stored is None or stored.artifact.key != brought.key else await rota.blobs.head(stored.artifact.key)


def _checked(place: Place, brought: Brought, stored: Stored | None, held: Held | None) -> Held:
    if not brought.key.startswith(place.prefix) or f"/{brought.id}/" not in brought.key:
        raise ArtifactRefused(INVALID_PATH.format("task" if place.run_id is None else "run"))
    if stored is None or held is None or stored.state == "doomed":
        raise ArtifactRefused(NOT_UPLOADED)
    if stored.state == "attached" and place.run_id is None:
        raise ArtifactRefused(TAKEN)
    check_size(base_name(brought.name), brought.type, brought.content_type or held.content_type, held.size)
    return held


def _take(c: Connection, reach: Reach, ready: Sequence[Artifact]) -> list[Artifact]:
    place = reach(c)
    for each in ready:
        run_id = place.run_id
        if not (artifacts.stage(c, place.task_id, each) if run_id is None else artifacts.attach(c, run_id, each)):
            raise ArtifactRefused(NOT_UPLOADED)  # it was claimed, or its time was over, since it was looked at
    return list(ready) if place.run_id is None else artifacts.list_artifacts(c, place.run_id)


async def _tag(rota: Rota, tagged: Sequence[Artifact], days: int) -> None:
    with suppress(RotaError):  # we delete what has expired ourselves; the tag is for stores that do so too
        await asyncio.gather(*(rota.blobs.tag(each.key, days) for each in tagged))


def _check_count(items: Sequence[object]) -> None:
    if not items:
        raise Invalid("At least one artifact is required", [Problem("body.artifacts", "At least one artifact is required")])
    if len(items) > MOST_AT_ONCE:
        raise Invalid.at("body.artifacts", f"has more than {MOST_AT_ONCE} artifacts")


def _check_declared(asked: Sequence[Asked]) -> None:
    for number, each in enumerate(asked):
        most = most_bytes(base_name(each.name), each.type, each.content_type)
        if not 1 <= each.size <= most:
            raise Invalid.at(f"body.artifacts.{number}.size", f"must be from 1 to {most} bytes", each.size)
