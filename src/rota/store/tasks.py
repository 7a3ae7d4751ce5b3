"""Tasks: the document of each, and the columns that are searched."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from rota.core.errors import Conflict, Invalid, NotFound
from rota.core.schedule import EventSchedule
from rota.core.task import Status, Task, TaskSpec
from rota.core.work import Module
from rota.store import numbered, revisions
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, from_us_or_none, to_us, to_us_or_none

COLUMNS = "id, owner_id, source, status, doc, version, anchor_at, cursor_at, next_at, created_at, updated_at"
# One is not stored if another task of the owner has the name.
INSERT = f"""
    INSERT INTO tasks ({COLUMNS}, name, topic, is_service, jitter_s, schedule_kind, dedupe_key, shared, title)
    {{values}} ON CONFLICT DO NOTHING RETURNING id"""
INSERTED_TYPES = (
    "text text text text text integer bigint bigint bigint bigint bigint text text integer float8 text text integer text"
)
FIND = f"SELECT {COLUMNS} FROM tasks WHERE id = ?"
# An installation's task has no owner; COALESCE is how the index of names spells that.
FIND_BY_NAME = f"SELECT {COLUMNS} FROM tasks WHERE COALESCE(owner_id, '') = ? AND name = ? AND status <> 'removed'"
FIND_DOC = "SELECT doc FROM tasks WHERE id = ?"
_PRESENT = "FROM tasks WHERE status <> 'removed'"
_OWNED = "COALESCE(owner_id, '') = ?"
NAMES = f"SELECT name {_PRESENT} AND {_OWNED} ORDER BY name"
ALL_NAMES = f"SELECT DISTINCT name {_PRESENT} ORDER BY name"
NAMES_BY_ID = f"SELECT id, name FROM tasks WHERE {_OWNED}"
PAGE = f"SELECT {COLUMNS} {_PRESENT} AND {_OWNED} AND id > ? ORDER BY id LIMIT ?"
PAGE_OF_ALL = f"SELECT {COLUMNS} {_PRESENT} AND id > ? ORDER BY id LIMIT ?"
# What is only ever asked for needs no plan, and may be many: each of a project's tasks is one.
PLANNED = f"""
    SELECT {COLUMNS} FROM tasks
    WHERE status = 'active' AND (schedule_kind IS NOT NULL OR doc LIKE '%"run_on_start":true%') ORDER BY id"""
BY_TOPIC = f"SELECT {COLUMNS} FROM tasks WHERE topic IN ({{values}}) AND topic IS NOT NULL AND status = 'active'"
FROM_FILE = f"SELECT {COLUMNS} {_PRESENT} AND source = 'file' ORDER BY id"
SERVICES = f"SELECT {COLUMNS} {_PRESENT} AND is_service = 1 ORDER BY id"
JITTERED = f"SELECT {COLUMNS} FROM tasks WHERE jitter_s > 0 AND status = 'active' ORDER BY id"
SHARED = f"SELECT {COLUMNS} FROM tasks WHERE shared = 1 AND status <> 'removed' ORDER BY name"
FIND_SHARED = f"SELECT {COLUMNS} FROM tasks WHERE shared = 1 AND status <> 'removed' AND name = ?"
SHARED_TWIN = """
    SELECT name FROM tasks WHERE shared = 1 AND status <> 'removed' AND (name = ? OR title = ?) AND id <> ?
    ORDER BY name <> ? LIMIT 1"""
# Tasks whose next slot has come, the longest due first, and when the first of all has its slot.
DUE = f"SELECT {COLUMNS} FROM tasks WHERE next_at <= ? AND next_at IS NOT NULL AND status = 'active' ORDER BY next_at LIMIT ?"
NEXT_DUE = "SELECT MIN(next_at) FROM tasks WHERE next_at IS NOT NULL AND status = 'active'"
VERSIONS = "SELECT id, version, status FROM tasks WHERE id IN ({values})"
GET = f"SELECT {COLUMNS} FROM tasks WHERE id IN ({{values}})"
# Replaces the document if nobody did since it was read.
UPDATE_SPEC = """
    UPDATE tasks SET doc = ?, name = ?, topic = ?, is_service = ?, jitter_s = ?, schedule_kind = ?, dedupe_key = ?,
        shared = ?, title = ?, anchor_at = COALESCE(?, anchor_at), updated_at = ?, version = version + 1
    WHERE id = ? AND version = ?"""
RAISE_VERSION = "UPDATE tasks SET version = version + 1, updated_at = ? WHERE id = ?"
UPDATE_CURSOR = "UPDATE tasks SET cursor_at = ?, next_at = ? WHERE id = ?"
DELETE = "DELETE FROM tasks WHERE id = ?"
FIND_ACTIVE_TWIN = f"""
    SELECT {COLUMNS} FROM tasks
    WHERE dedupe_key = ? AND dedupe_key IS NOT NULL AND status = 'active' AND COALESCE(owner_id, '') = ? AND id <> ?
    ORDER BY id LIMIT 1"""
GIVE = "UPDATE tasks SET owner_id = ?, updated_at = ? WHERE id = ?"
GIVE_RUNS = "UPDATE runs SET owner_id = ? WHERE task_id = ?"

KNOWN = frozenset(field.encode_name for field in msgspec.structs.fields(TaskSpec))
_decode_spec = msgspec.json.Decoder(TaskSpec).decode


class Cursor(Struct, frozen=True):
    """How far the scheduler has come with a task: every slot up to `cursor_at` is recorded, the next one is `next_at`."""

    task_id: str
    cursor_at: datetime
    next_at: datetime | None


def insert_task(c: Connection, task: Task) -> None:
    """Store a new task. Conflict if its owner (or the installation) has a task of that name that is not removed, or if name or
    title of a shared one are those of another shared one.
    """
    _refuse_twin(c, task.id, task.spec)
    if insert_tasks(c, [task])[0] is not None:
        raise _name_taken(task.name)


def insert_tasks(c: Connection, new: Sequence[Task]) -> list[Conflict | None]:
    """Store new tasks, of which none is shared or it is the only one. Answers for each what refuses it; the others are stored."""
    found = c.batch(INSERT, INSERTED_TYPES, [(*_values(task), *_searched(task.spec)) for task in new])
    stored = {row[0] for row in found}
    for task in new:
        if task.id in stored and isinstance(task.spec.executor, Module):
            numbered.note_task(c, task)
    return [None if task.id in stored else _name_taken(task.name) for task in new]


def find_task(c: Connection, task_id: str) -> Task | None:
    row = c.row(FIND, (task_id,))
    return None if row is None else _task(row)


def get_task(c: Connection, task_id: str) -> Task:
    """Raises NotFound."""
    found = find_task(c, task_id)
    if found is None:
        raise NotFound(f"there is no task {task_id}")
    return found


def get_tasks(c: Connection, ids: Iterable[str]) -> dict[str, Task]:
    """Those of the tasks that exist, by id."""
    return {row[0]: _task(row) for row in c.batch(GET, "text", [(task_id,) for task_id in set(ids)])}


def find_task_by_name(c: Connection, owner_id: str | None, name: str) -> Task | None:
    """The owner's (None: the installation's) task of that name that is not removed."""
    row = c.row(FIND_BY_NAME, (owner_id or "", name))
    return None if row is None else _task(row)


def find_shared(c: Connection, name: str) -> Task | None:
    """The shared task of that name."""
    row = c.row(FIND_SHARED, (name,))
    return None if row is None else _task(row)


def list_shared(c: Connection) -> list[Task]:
    """All tasks that every user may start, by name."""
    return [_task(row) for row in c.rows(SHARED)]


def list_names_by_id(c: Connection, owner_id: str | None) -> dict[str, str]:
    """Of all tasks that the owner has or had, removed ones included."""
    return dict(c.rows(NAMES_BY_ID, (owner_id or "",)))


def list_names(c: Connection, owner_id: str | None, everyone: bool = False) -> list[str]:
    """Names of the owner's (None: the installation's) or everyone's tasks, sorted."""
    rows = c.rows(ALL_NAMES) if everyone else c.rows(NAMES, (owner_id or "",))
    return [row[0] for row in rows]


def list_tasks(
    c: Connection, *, owner_id: str | None = None, everyone: bool = False, after: str | None = None, limit: int
) -> list[Task]:
    """A page of the owner's (None: the installation's) or everyone's tasks, oldest first, after the one with that id."""
    if everyone:
        return [_task(row) for row in c.rows(PAGE_OF_ALL, (after or "", limit))]
    return [_task(row) for row in c.rows(PAGE, (owner_id or "", after or "", limit))]


def list_planned(c: Connection) -> list[Task]:
    """Active tasks that have a schedule or run at each start of the server; perhaps one that only speaks of that."""
    return [_task(row) for row in c.rows(PLANNED)]


def list_by_topic(c: Connection, topics: Iterable[str]) -> list[Task]:
    """Active tasks that wait for events on these topics, oldest first."""
    rows = c.batch(BY_TOPIC, "text", [(topic,) for topic in set(topics)])
    return [_task(row) for row in sorted(rows)]


def list_services(c: Connection) -> list[Task]:
    """Services that are not removed, whether they are to run or not."""
    return [_task(row) for row in c.rows(SERVICES)]


def list_jittered(c: Connection) -> list[Task]:
    """Active tasks with a jitter window."""
    return [_task(row) for row in c.rows(JITTERED)]


def list_due(c: Connection, now: datetime, limit: int) -> list[Task]:
    """Active tasks whose next slot has come, the longest due first."""
    return [_task(row) for row in c.rows(DUE, (to_us(now), limit))]


def next_due(c: Connection) -> datetime | None:
    """When the first slot of all active tasks comes."""
    row = c.row(NEXT_DUE)
    return None if row is None else from_us_or_none(row[0])


def list_versions(c: Connection, ids: Iterable[str]) -> dict[str, tuple[int, Status]]:
    """Version and status of those of the tasks that exist, by id."""
    return {row[0]: (row[1], row[2]) for row in c.batch(VERSIONS, "text", [(task_id,) for task_id in set(ids)])}


def list_file_tasks(c: Connection) -> list[Task]:
    """Tasks that the settings file defines and that are not removed."""
    return [_task(row) for row in c.rows(FROM_FILE)]


def find_doc(c: Connection, task_id: str) -> dict[str, Any] | None:
    """The document as it is stored, with the fields that this version does not know."""
    row = c.row(FIND_DOC, (task_id,))
    return None if row is None else dict(from_text(row[0]))


def update_spec(
    c: Connection,
    task_id: str,
    spec_doc: dict[str, Any],
    *,
    version: int,
    updated_at: datetime,
    anchor_at: datetime | None = None,
) -> Task:
    """Replace what the document says in the fields this version knows; the other stored fields stay.

    version    the one that the change was made from
    anchor_at  where a changed schedule counts from, None if it did not change

    Raises NotFound; Invalid if the document is not a task's; Conflict if the task was changed since, or the name is taken.
    """
    task = get_task(c, task_id)
    stored = find_doc(c, task_id) or {}
    doc = to_text({name: value for name, value in stored.items() if name not in KNOWN} | spec_doc)
    spec = _spec_of(doc)
    _refuse_taken_name(c, task, spec.name)
    _refuse_twin(c, task_id, spec)
    if task.keeps_documents:
        revisions.insert_revision(c, task_id)
    values = (doc, *_searched(spec), to_us_or_none(anchor_at), to_us(updated_at), task_id, version)
    if c.run(UPDATE_SPEC, values) == 0:
        raise Conflict(f"the task {task.name} was changed meanwhile", hint="read it again and repeat the change")
    changed = get_task(c, task_id)
    numbered.note_task(c, changed)
    return changed


def raise_version(c: Connection, task_id: str, now: datetime) -> Task:
    """Let whoever read it before read it again before a change. Raises NotFound."""
    c.run(RAISE_VERSION, (to_us(now), task_id))
    return get_task(c, task_id)


def update_status(
    c: Connection, task_id: str, status: Status, *, from_: Collection[Status], now: datetime, cursor_at: datetime | None = None
) -> bool:
    """Change the status if it is one of `from_`. Returns whether it was. `cursor_at`: slots before it are not made up."""
    marks = ", ".join("?" * len(from_))
    statement = (
        f"UPDATE tasks SET status = ?, updated_at = ?, cursor_at = COALESCE(?, cursor_at) WHERE id = ? AND status IN ({marks})"
    )
    if status == "removed":
        numbered.drop_number(c, task_id)
    return c.run(statement, (status, to_us(now), to_us_or_none(cursor_at), task_id, *from_)) == 1


def update_cursors(c: Connection, rows: Sequence[Cursor]) -> None:
    """Note how far the scheduler has come."""
    if rows:
        c.run_many(UPDATE_CURSOR, [(to_us(row.cursor_at), to_us_or_none(row.next_at), row.task_id) for row in rows])


def find_active_twin(c: Connection, owner_id: str | None, dedupe_key: str, task_id: str) -> Task | None:
    """Another active task of that owner with that dedupe key."""
    row = c.row(FIND_ACTIVE_TWIN, (dedupe_key, owner_id or "", task_id))
    return None if row is None else _task(row)


def update_owner(c: Connection, task_id: str, owner_id: str, now: datetime) -> None:
    """Give a task, with all its runs, to another owner."""
    c.run(GIVE, (owner_id, to_us(now), task_id))
    c.run(GIVE_RUNS, (owner_id, task_id))
    numbered.give_number(c, task_id, owner_id)


def delete_task(c: Connection, task_id: str) -> None:
    """Delete a task with its runs, slots and instances."""
    c.run(DELETE, (task_id,))


def _spec_of(doc: str) -> TaskSpec:
    try:
        return _decode_spec(doc)
    except msgspec.ValidationError as error:
        raise Invalid(f"not the document of a task: {error}") from error


def _refuse_taken_name(c: Connection, task: Task, name: str) -> None:
    if name != task.name and find_task_by_name(c, task.owner_id, name) is not None:
        raise _name_taken(name)


def _refuse_twin(c: Connection, task_id: str, spec: TaskSpec) -> None:
    twin = c.row(SHARED_TWIN, (spec.name, spec.title, task_id, spec.name)) if spec.shared else None
    if twin is not None:
        raise _name_taken(spec.name) if twin[0] == spec.name else Conflict(f"a shared task has the title {spec.title!r} already")


def _name_taken(name: str) -> Conflict:
    return Conflict(f"there is a task named {name} already", hint="choose another name")


def _searched(spec: TaskSpec) -> tuple[object, ...]:
    topic = spec.schedule.topic if isinstance(spec.schedule, EventSchedule) else None
    kind = str(spec.schedule.__struct_config__.tag) if spec.schedule else None
    title = spec.title if spec.shared else None
    is_service, dedupe_key = int(spec.service is not None), spec.policy.dedupe_key
    return (spec.name, topic, is_service, spec.policy.jitter_s, kind, dedupe_key, int(spec.shared), title)


def _values(task: Task) -> tuple[object, ...]:
    return (
        task.id,
        task.owner_id,
        task.source,
        task.status,
        to_text(task.spec),
        task.version,
        to_us(task.anchor_at),
        to_us(task.cursor_at),
        to_us_or_none(task.next_at),
        to_us(task.created_at),
        to_us(task.updated_at),
    )


def _task(row: Row) -> Task:
    task_id, owner_id, source, status, doc, version, anchor_at, cursor_at, next_at, created_at, updated_at = row
    return Task(
        id=task_id,
        spec=_decode_spec(doc),
        source=source,
        status=status,
        created_at=from_us(created_at),
        updated_at=from_us(updated_at),
        anchor_at=from_us(anchor_at),
        cursor_at=from_us(cursor_at),
        owner_id=owner_id,
        next_at=from_us_or_none(next_at),
        version=version,
    )
