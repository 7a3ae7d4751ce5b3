"""Attempts as runs of their own: lists over runs and their ended attempts together, filtered, sorted and counted."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from rota.core.occurrence import CRASHED_CODE, NOT_EXECUTED_CODE, SUCCEEDED_CODE, Occurrence, latest, occurrences
from rota.core.run import Run, Trigger
from rota.core.states import State
from rota.store import attempts, runs
from rota.store.connection import Connection
from rota.store.moments import to_us

SortField = Literal["task_name", "status", "start_at", "exit_code", "duration", "created_at"]
Direction = Literal["asc", "desc"]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which occurrences. Every field that is given narrows.

    owner_id   of that owner's tasks; None for the installation's
    by_agents  of all agents' tasks, instead of one owner's
    task_ids   of these tasks (all of that owner); `id_range` adds those whose id lies in it, first and last included
    within     only those whose id lies in it
    states     state and the reasons that count with it ("" for none); None for any reason
    created    from and to, both included
    exit_codes lowest and highest, both included
    retries    only second and later attempts
    deleted    those deleted at this moment or later, instead of those that are not
    """

    owner_id: str | None = None
    by_agents: bool = False
    task_ids: tuple[str, ...] | None = None
    id_range: tuple[str, str] | None = None
    within: tuple[str, str] | None = None
    states: tuple[tuple[State, tuple[str, ...] | None], ...] | None = None
    triggers: tuple[Trigger, ...] | None = None
    created: tuple[datetime | None, datetime | None] = (None, None)
    exit_codes: tuple[int | None, int | None] = (None, None)
    retries: bool = False
    deleted: datetime | None = None

    @property
    def is_plain(self) -> bool:
        return self == Wanted(owner_id=self.owner_id, by_agents=self.by_agents, task_ids=self.task_ids)


class Order(Struct, frozen=True):
    """`field` None: by id, which is the order in which they were made."""

    field: SortField | None = None
    direction: Direction = "desc"


class Key(NamedTuple):
    """An occurrence, the run it belongs to, and the task."""

    id: str
    run_id: str
    task_id: str


class _Source(NamedTuple):
    """One of the three places where occurrences are, and how it spells their facts."""

    kind: str
    tables: str
    where: str
    id: str
    state: str
    reason: str
    code: str
    created: str
    started: str
    ended: str
    deleted: str
    task_id: str
    is_retry: str


_SLOT = "CASE WHEN r.trigger_kind = 'schedule' THEN COALESCE(r.nominal_at, r.created_at) ELSE r.created_at END"
# Settled on, and not started (yet).
_WAITS = "EXISTS (SELECT 1 FROM attempts AS w WHERE w.run_id = r.id AND w.number = r.attempt)"
_NO_CODE = (
    f"CASE {{state}} WHEN 'succeeded' THEN {SUCCEEDED_CODE} WHEN 'crashed' THEN {CRASHED_CODE} ELSE {NOT_EXECUTED_CODE} END"
)
_CODE = f"CASE WHEN r.ended_at IS NOT NULL THEN COALESCE(r.exit_code, {_NO_CODE.format(state='r.state')}) END"
FIRST = _Source(
    kind="run", tables="runs AS r", where="r.attempt_id IS NULL", id="r.id", state="r.state", reason="r.reason", code=_CODE,
    created=_SLOT, started="r.started_at", ended="r.ended_at", deleted="r.deleted_at", task_id="r.task_id", is_retry="1 = 0",
)  # fmt: skip
LATER = FIRST._replace(
    where="r.attempt_id IS NOT NULL",
    id="r.attempt_id",
    code=f"CASE WHEN r.ended_at IS NOT NULL AND {_WAITS} THEN {NOT_EXECUTED_CODE} ELSE {_CODE} END",
    created="r.attempt_at",
    started=f"CASE WHEN {_WAITS} THEN NULL ELSE r.started_at END",
    is_retry="1 = 1",
)
ENDED = _Source(
    kind="attempt", tables="attempts AS a JOIN runs AS r ON r.id = a.run_id", where="1 = 1", id="a.id", state="a.state",
    reason="a.reason", code=f"COALESCE(a.exit_code, {_NO_CODE.format(state='a.state')})",
    created=f"CASE WHEN a.number > 1 THEN a.created_at ELSE {_SLOT} END", started="a.started_at", ended="a.ended_at",
    deleted="a.deleted_at", task_id="a.task_id", is_retry="a.number > 1",
)  # fmt: skip
SOURCES = (FIRST, LATER, ENDED)
# Hidden from the planner, which would walk all runs of the task for the few that are deleted.
DELETED = FIRST._replace(task_id="COALESCE(r.task_id, '')")

FIND = """
    SELECT id FROM runs WHERE id = ? AND attempt_id IS NULL AND deleted_at IS NULL
    UNION ALL SELECT id FROM runs WHERE attempt_id = ? AND deleted_at IS NULL
    UNION ALL SELECT run_id FROM attempts WHERE id = ? AND deleted_at IS NULL"""
FIND_KEYS = (
    "SELECT id, id, task_id FROM runs WHERE id IN ({values}) AND attempt_id IS NULL",
    "SELECT attempt_id, id, task_id FROM runs WHERE attempt_id IN ({values}) AND attempt_id IS NOT NULL",
    "SELECT id, run_id, task_id FROM attempts WHERE id IN ({values})",
)
# Where each ended attempt begins in its run's log, and where the current one does.
LINES = """
    SELECT id, first_line FROM attempts WHERE run_id = ?
    UNION ALL SELECT COALESCE(attempt_id, id), first_line FROM runs WHERE id = ? ORDER BY first_line, id"""
Condition = tuple[str, tuple[Any, ...]]


def find_occurrence(c: Connection, occurrence_id: str) -> Occurrence | None:
    """One that is not deleted."""
    row = c.row(FIND, (occurrence_id,) * 3)
    run = runs.find_run(c, row[0]) if row else None
    if run is None:
        return None
    found = [latest(run, [])] if run.attempt_id is None else occurrences(run, attempts.list_attempts(c, run.id))
    return next((occurrence for occurrence in found if occurrence.id == occurrence_id), None)


def list_occurrences(c: Connection, wanted: Wanted, order: Order, limit: int, offset: int = 0) -> list[Occurrence]:
    """A page. By id it costs what lies before it in the list, by a field all that is wanted."""
    parts = [_part(source, wanted, order, limit + offset) for source in SOURCES]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS p{number}" for number, (sql, _) in enumerate(parts))
    values = [value for _, part in parts for value in part]
    found = c.rows(f"{union} ORDER BY {_by(order, 'place', 'id')} LIMIT ? OFFSET ?", (*values, limit, offset))
    return fetch_occurrences(c, [(row[0], row[1]) for row in found])


def list_keys(c: Connection, wanted: Wanted, limit: int) -> list[Key]:
    """The newest, without reading them whole."""
    parts = [_part(source, wanted, Order(), limit) for source in SOURCES]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS p{number}" for number, (sql, _) in enumerate(parts))
    values = [value for _, part in parts for value in part]
    return [Key(row[0], row[1], row[2]) for row in c.rows(f"{union} ORDER BY id DESC LIMIT ?", (*values, limit))]


def find_keys(c: Connection, ids: Sequence[str], *, deleted: bool = False) -> list[Key]:
    """Those that exist, newest first; of those that are deleted, or of the others."""
    shown = "IS NOT NULL" if deleted else "IS NULL"
    values = [(each,) for each in ids]
    found = {Key(*row) for sql in FIND_KEYS for row in c.batch(f"{sql} AND deleted_at {shown}", "text", values)}
    return sorted(found, reverse=True)


def list_live_runs(c: Connection, keys: Sequence[Key]) -> list[str]:
    """The runs among them that are not over: an attempt that is over is not its run."""
    current = {key.id for key in keys}
    found = runs.get_runs(c, {key.run_id for key in keys})
    return [run.id for run in found if run.ended_at is None and (run.attempt_id or run.id) in current]


def count_occurrences(c: Connection, wanted: Wanted) -> int:
    if wanted.is_plain:
        return _count_plain(c, wanted)
    parts = [_conditions(source, wanted) for source in SOURCES]
    counts = (f"(SELECT COUNT(*) FROM {source.tables} WHERE {sql})" for source, (sql, _) in zip(SOURCES, parts, strict=True))
    row = c.row(f"SELECT {' + '.join(counts)}", [value for _, part in parts for value in part])
    return int(row[0]) if row else 0


def fetch_occurrences(c: Connection, ids: Sequence[tuple[str, str]]) -> list[Occurrence]:
    """Those of (id, run id) that exist, in that order, deleted or not."""
    found = {run.id: run for run in runs.get_runs(c, {run_id for _, run_id in ids})}
    ended = attempts.list_by_run(c, [run.id for run in found.values() if run.attempt_id is not None])
    whole = {each.id: each for run in found.values() for each in occurrences(run, ended.get(run.id, []))}
    return [whole[occurrence_id] for occurrence_id, _ in ids if occurrence_id in whole]


def latest_of(c: Connection, run: Run) -> Occurrence:
    """The current attempt of a run that was just read."""
    return latest(run, attempts.list_attempts(c, run.id) if run.attempt_id is not None else [])


def find_lines(c: Connection, occurrence: Occurrence) -> tuple[int, int | None]:
    """The part of its run's log that is this attempt's: the first line, and the one after the last if that is known."""
    lines = c.rows(LINES, (occurrence.run.id, occurrence.run.id))
    place = next((number for number, row in enumerate(lines) if row[0] == occurrence.id), 0)
    following = lines[place + 1 :]
    return (lines[place][1] if lines else 0), (following[0][1] if following else None)


def _part(source: _Source, wanted: Wanted, order: Order, most: int) -> Condition:
    sql, values = _conditions(source, wanted)
    place = _place(source, order)
    select = f"SELECT {source.id} AS id, r.id AS run_id, r.task_id AS task_id, {place} AS place FROM {source.tables}"
    return f"{select} WHERE {sql} ORDER BY {_by(order, place, source.id)} LIMIT ?", (*values, most)


def _by(order: Order, place: str, occurrence_id: str) -> str:
    by_id = f"{occurrence_id} {order.direction}"
    return by_id if order.field is None else f"{place} {order.direction} NULLS LAST, {by_id}"


def _place(source: _Source, order: Order) -> str:
    match order.field:
        case None:
            return "NULL"
        case "task_name":
            return "(SELECT t.name FROM tasks AS t WHERE t.id = r.task_id)"
        case "status":
            return source.state
        case "start_at":
            return source.started
        case "exit_code":
            return source.code
        case "duration":
            return f"{source.ended} - ({source.started})"
        case "created_at":
            return source.created


def _conditions(source: _Source, wanted: Wanted) -> Condition:
    parts = list(_each_condition(source, wanted))
    return " AND ".join(sql for sql, _ in parts), tuple(value for _, values in parts for value in values)


def _each_condition(source: _Source, wanted: Wanted) -> Iterator[Condition]:
    yield source.where, ()
    yield _scope(source, wanted)
    yield (f"{source.deleted} IS NULL", ()) if wanted.deleted is None else (f"{source.deleted} >= ?", (to_us(wanted.deleted),))
    if wanted.within is not None:
        yield f"{source.id} BETWEEN ? AND ?", wanted.within
    if wanted.retries:
        yield source.is_retry, ()
    if wanted.states is not None:
        yield _any([_state(source, state, reasons) for state, reasons in wanted.states])
    if wanted.triggers is not None:
        yield _in("r.trigger_kind", wanted.triggers)
    yield from _between(source.created, *(None if at is None else to_us(at) for at in wanted.created))
    yield from _between(source.code, *wanted.exit_codes)


def _scope(source: _Source, wanted: Wanted) -> Condition:
    if wanted.task_ids is not None:
        parts = [_in(source.task_id, wanted.task_ids)]
        if wanted.id_range is not None:
            parts.append(_all([(f"{source.id} BETWEEN ? AND ?", wanted.id_range), _owned(source, wanted)]))
        return _any(parts)
    return _owned(source, wanted)


def _owned(source: _Source, wanted: Wanted) -> Condition:
    """Few runs are past their first attempt: there COALESCE keeps the planner from walking all runs of the owner."""
    if wanted.by_agents:
        return "EXISTS (SELECT 1 FROM users AS u WHERE u.id = r.owner_id AND u.kind = 'agent')", ()
    if source is not FIRST:
        return "COALESCE(r.owner_id, '') = ?", (wanted.owner_id or "",)
    return ("r.owner_id IS NULL", ()) if wanted.owner_id is None else ("r.owner_id = ?", (wanted.owner_id,))


def _state(source: _Source, state: State, reasons: tuple[str, ...] | None) -> Condition:
    is_state = (f"{source.state} = ?", (state,))
    return is_state if reasons is None else _all([is_state, _in(f"COALESCE({source.reason}, '')", reasons)])


def _in(what: str, values: Sequence[Any]) -> Condition:
    if len(values) == 1:
        return f"{what} = ?", tuple(values)
    return (f"{what} IN ({', '.join('?' * len(values))})", tuple(values)) if values else ("1 = 0", ())


def _between(what: str, lowest: int | None, highest: int | None) -> Iterator[Condition]:
    if lowest is not None:
        yield f"({what}) >= ?", (lowest,)
    if highest is not None:
        yield f"({what}) <= ?", (highest,)


def _any(parts: Sequence[Condition]) -> Condition:
    return _join(parts, " OR ") if parts else ("1 = 0", ())


def _all(parts: Sequence[Condition]) -> Condition:
    return _join(parts, " AND ")


def _join(parts: Sequence[Condition], word: str) -> Condition:
    return f"({word.join(sql for sql, _ in parts)})", tuple(value for _, values in parts for value in values)


def _count_plain(c: Connection, wanted: Wanted) -> int:
    """Runs are counted in an index alone; those that are deleted, few, are taken off."""
    runs_sql, runs_values = _scope(FIRST, wanted)
    deleted_sql, deleted_values = _scope(DELETED, wanted)
    ended_sql, ended_values = _scope(ENDED, wanted)
    row = c.row(
        f"""SELECT (SELECT COUNT(*) FROM runs AS r WHERE {runs_sql})
            - (SELECT COUNT(*) FROM runs AS r WHERE {deleted_sql} AND r.deleted_at IS NOT NULL)
            + (SELECT COUNT(*) FROM {ENDED.tables} WHERE {ended_sql} AND a.deleted_at IS NULL)""",
        (*runs_values, *deleted_values, *ended_values),
    )
    return int(row[0]) if row else 0
