"""Earlier documents of tasks whose runs keep what they began with."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.core.work import Agent
from rota.store.connection import Connection

INSERT = "INSERT INTO revisions (task_id, version, doc) SELECT id, version, doc FROM tasks WHERE id = ? ON CONFLICT DO NOTHING"
GET = """
    WITH given (task_id, version) AS ({values})
    SELECT r.task_id, r.version, r.doc FROM given JOIN revisions r ON r.task_id = given.task_id AND r.version = given.version"""
# Versions rise with the ids of runs: the oldest run there is tells what nobody began with any more.
PRUNE = """
    DELETE FROM revisions WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = revisions.task_id)
        OR version < (SELECT task_version FROM runs WHERE runs.task_id = revisions.task_id ORDER BY runs.id LIMIT 1)"""

_decode = msgspec.json.Decoder(TaskSpec).decode


def insert_revision(c: Connection, task_id: str) -> None:
    """Keep the document as it stands, before it is changed."""
    c.run(INSERT, (task_id,))


def as_started(c: Connection, begun: Sequence[tuple[Run, Task]]) -> list[Task]:
    """The tasks as these runs are to know them: with the documents that they were started from, where those were kept.

    Where one cannot be read any more, the executor is an agent without any work, which fails.
    """
    wanted = {_key(run) for run, task in begun if run.task_version not in (None, task.version)}
    kept = {(task_id, version): doc for task_id, version, doc in c.batch(GET, "text bigint", list(wanted))} if wanted else {}
    return [replace(task, spec=_spec(kept[_key(run)], task)) if _key(run) in kept else task for run, task in begun]


def _key(run: Run) -> tuple[str, int]:
    return run.task_id, run.task_version or 0


def _spec(doc: str, task: Task) -> TaskSpec:
    try:
        return _decode(doc)
    except msgspec.DecodeError:
        return replace(task.spec, executor=Agent())


def prune_revisions(c: Connection) -> int:
    """Forget what no run began with. Returns how many."""
    return c.run(PRUNE)
