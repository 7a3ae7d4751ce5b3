"""Artifacts: prepared, staged for a task, attached to a run, doomed once nobody may have them any more."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.artifact import KEPT_DAYS, STAGED_DAYS, UPLOAD_TIME, Artifact, MissingArtifacts
from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us, to_us_or_none

_SHOWN = "id, name, type, source, size, content_type, object_key, uploaded_at"
INSERT = f"""
    INSERT INTO artifacts ({_SHOWN}, task_id, run_id, state, position, created_at, expires_at)
    VALUES ({", ".join("?" * 14)})"""
FIND_ALL = f"SELECT {_SHOWN}, state, run_id FROM artifacts WHERE id IN ({{values}}) AND task_id = ?"
_TELL = "name = ?, type = ?, source = ?, size = ?, content_type = ?, uploaded_at = ?, expires_at = ?"
STAGE = f"""
    UPDATE artifacts SET state = 'staged', {_TELL}
    WHERE id = ? AND object_key = ? AND task_id = ? AND state IN ('prepared', 'staged') AND run_id IS NULL"""
# One that is finalized again keeps its place.
ATTACH = f"""
    UPDATE artifacts SET state = 'attached', {_TELL},
        position = COALESCE(position, (SELECT COALESCE(MAX(a.position), -1) + 1 FROM artifacts a WHERE a.run_id = ?))
    WHERE id = ? AND object_key = ? AND run_id = ? AND state IN ('prepared', 'attached')"""
# Whoever changes a row first has it: the condition is looked at again under the row's lock.
CLAIM = """
    WITH given (id, position) AS ({values})
    UPDATE artifacts SET state = 'attached', run_id = ?, position = given.position, expires_at = ?
    FROM given WHERE artifacts.id = given.id AND artifacts.task_id = ? AND artifacts.state = 'staged' AND artifacts.expires_at > ?
    RETURNING artifacts.id"""
NEXT_POSITION = "SELECT COALESCE(MAX(position), -1) + 1 FROM artifacts WHERE run_id = ?"
LIST = f"SELECT run_id, {_SHOWN} FROM artifacts WHERE run_id IN ({{values}}) AND state = 'attached'"
FIND = f"SELECT {_SHOWN} FROM artifacts WHERE run_id = ? AND object_key = ? AND state = 'attached'"
GET = f"SELECT {_SHOWN} FROM artifacts WHERE run_id = ? AND id = ? AND state = 'attached'"
# A form that was handed out may still bring it back for a while; it is deleted after that.
ORPHAN = "UPDATE artifacts SET state = 'doomed', expires_at = created_at + ? WHERE run_id IS NULL AND state = 'attached'"
DOOM = """
    UPDATE artifacts SET state = 'doomed'
    WHERE id IN (SELECT id FROM artifacts WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) RETURNING id, object_key"""
DELETE = "DELETE FROM artifacts WHERE id IN ({values}) AND state = 'doomed' RETURNING id"


class Stored(Struct, frozen=True):
    """An artifact and how far it is: `prepared`, `staged`, `attached`, `doomed`."""

    artifact: Artifact
    state: str
    run_id: str | None


def insert_prepared(c: Connection, artifacts: Iterable[Artifact], task_id: str, run_id: str | None, now: datetime) -> None:
    """Note what somebody is about to upload, for a run or for the task's next one. It goes if it is not finalized in time."""
    until = to_us(now + UPLOAD_TIME)
    c.run_many(INSERT, [(*_row(each), task_id, run_id, "prepared", None, to_us(now), until) for each in artifacts])


def find_stored(c: Connection, task_id: str, ids: Iterable[str]) -> dict[str, Stored]:
    """Those of the artifacts that the task has, by id."""
    rows = c.batch(FIND_ALL, "text", [(each,) for each in dict.fromkeys(ids)], (task_id,))
    return {row[0]: Stored(_from_row(row), row[8], row[9]) for row in rows}


def stage(c: Connection, task_id: str, artifact: Artifact) -> bool:
    """Keep an uploaded artifact for a run that is to come; again, from now on. False if it is not there to be staged."""
    until = artifact.uploaded_at + timedelta(days=STAGED_DAYS)
    return bool(c.run(STAGE, (*_told(artifact), to_us(until), artifact.id, artifact.key, task_id)))


def attach(c: Connection, run_id: str, artifact: Artifact, *, keep_days: int | None = KEPT_DAYS) -> bool:
    """Put an uploaded artifact at the end of a run's manifest. `keep_days` None: it is kept as long as its run.

    False if it was not prepared for this run.
    """
    until = None if keep_days is None else artifact.uploaded_at + timedelta(days=keep_days)
    return bool(c.run(ATTACH, (*_told(artifact), to_us_or_none(until), run_id, artifact.id, artifact.key, run_id)))


def claim_staged(c: Connection, task_id: str, ids: Sequence[str], run_id: str, now: datetime) -> list[Artifact]:
    """Give staged artifacts to a run, in the order of the ids, each once. Of two that want one, one gets it.

    Raises MissingArtifacts, which undoes the caller's transaction with the run in it. Returns the run's artifacts.
    """
    wanted = list(dict.fromkeys(ids))
    first = c.rows(NEXT_POSITION, (run_id,))[0][0]
    values = [(each, first + number) for number, each in enumerate(wanted)]
    until = to_us(now + timedelta(days=KEPT_DAYS))
    claimed = {row[0] for row in c.batch(CLAIM, "text integer", values, (run_id, until, task_id, to_us(now)))}
    missing = [each for each in wanted if each not in claimed]
    if missing:
        raise MissingArtifacts(missing)
    return list_artifacts(c, run_id)


def list_artifacts(c: Connection, run_id: str) -> list[Artifact]:
    """A run's manifest, in the order in which they came."""
    return list_manifests(c, [run_id])[run_id]


def list_manifests(c: Connection, run_ids: Iterable[str]) -> dict[str, list[Artifact]]:
    """The manifests of several runs; an empty one for a run without artifacts."""
    manifests: dict[str, list[Artifact]] = {run_id: [] for run_id in run_ids}
    sql = LIST.replace(_SHOWN, f"position, {_SHOWN}")
    for row in sorted(c.batch(sql, "text", [(run_id,) for run_id in manifests]), key=lambda row: (row[0], row[1])):
        manifests[row[0]].append(_from_row(row[2:]))
    return manifests


def find_artifact(c: Connection, run_id: str, key: str) -> Artifact | None:
    """By where it lies, of one run."""
    row = c.row(FIND, (run_id, key))
    return None if row is None else _from_row(row)


def find_artifact_by_id(c: Connection, run_id: str, artifact_id: str) -> Artifact | None:
    row = c.row(GET, (run_id, artifact_id))
    return None if row is None else _from_row(row)


def doom_artifacts(c: Connection, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Take those that are due, or whose run is gone, from everybody. Returns (id, key) of those whose objects are to be deleted
    now; they are told again until `delete_doomed`."""
    c.run(ORPHAN, (UPLOAD_TIME // timedelta(microseconds=1),))
    return [(row[0], row[1]) for row in c.rows(DOOM, (to_us(now), limit))]


def delete_doomed(c: Connection, ids: Iterable[str]) -> None:
    """Forget those whose objects are deleted."""
    c.batch(DELETE, "text", [(each,) for each in ids])


def _told(artifact: Artifact) -> tuple[object, ...]:
    told = (artifact.name, artifact.type, artifact.source, artifact.size, artifact.content_type)
    return (*told, to_us(artifact.uploaded_at))


def _row(artifact: Artifact) -> tuple[object, ...]:
    name, kind, source, size, content_type, uploaded_at = _told(artifact)
    return (artifact.id, name, kind, source, size, content_type, artifact.key, uploaded_at)


def _from_row(row: Row) -> Artifact:
    return Artifact(
        id=row[0], name=row[1], type=row[2], source=row[3], size=row[4], content_type=row[5], key=row[6],
        uploaded_at=from_us(row[7]),
    )  # fmt: skip
