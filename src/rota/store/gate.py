"""Runs that go through the jitter gate: `ticked` until it has looked at them, `gated` while it holds them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rota.core.gate import Fire, Flight
from rota.store.connection import Connection, Row
from rota.store.moments import from_us, to_us

ENTER = """
    WITH given (run_id, until_at, window_s) AS ({values})
    UPDATE runs SET admission = 'ticked', due_at = given.until_at, gate_until = given.until_at, gate_s = given.window_s
    FROM given WHERE runs.id = given.run_id AND COALESCE(admission, '') = 'new' RETURNING id"""
# A retry is past the gate, and so is a run that was put off.
LIST = """
    SELECT runs.id, tasks.name, COALESCE(runs.nominal_at, runs.created_at), runs.gate_until, runs.gate_s, runs.admission,
        COALESCE(runs.started_at, runs.due_at)
    FROM runs JOIN tasks ON tasks.id = runs.task_id
    WHERE runs.gate_until IS NOT NULL AND runs.ended_at IS NULL AND (runs.state = 'running' OR runs.attempt = 0)
        AND runs.attempt < 2"""
MOVE = """
    WITH given (run_id, until_at) AS ({values})
    UPDATE runs SET gate_until = given.until_at,
        due_at = CASE WHEN admission IN ('ticked', 'gated') THEN given.until_at ELSE due_at END
    FROM given WHERE runs.id = given.run_id RETURNING id"""
HOLD = "UPDATE runs SET admission = 'gated' WHERE id IN ({values}) AND COALESCE(admission, '') = 'ticked' RETURNING id"
ADMIT = """
    UPDATE runs SET admission = 'new', due_at = ?
    WHERE id IN ({values}) AND COALESCE(admission, '') IN ('ticked', 'gated') RETURNING id"""
HELD = """
    SELECT runs.id, runs.task_id, runs.nominal_at FROM runs
    WHERE gate_until IS NOT NULL AND ended_at IS NULL AND admission IN ('ticked', 'gated') ORDER BY nominal_at, id"""
FORGET_SLOT = "DELETE FROM slots WHERE task_id = ? AND nominal_at = ? AND run_id = ?"
# Its slot is to come again: planning begins just before it.
SET_BACK = "UPDATE tasks SET cursor_at = ? WHERE id = ? AND cursor_at >= ?"


class Entry(NamedTuple):
    """A run at the gate: it starts at `until_at` at the latest; its window is `window_s` seconds."""

    run_id: str
    until_at: datetime
    window_s: float


class Queue(NamedTuple):
    arrived: list[Fire]
    held: list[Fire]
    in_flight: list[Flight]


def enter(c: Connection, entries: Sequence[Entry]) -> None:
    """Send new runs to the gate."""
    c.batch(ENTER, "text bigint float8", [(run_id, to_us(until_at), window_s) for run_id, until_at, window_s in entries])


def get_queue(c: Connection) -> Queue:
    """Everything the gate has to know."""
    queue = Queue([], [], [])
    for row in c.rows(LIST):
        match row[5]:
            case "ticked":
                queue.arrived.append(_fire(row))
            case "gated":
                queue.held.append(_fire(row))
            case _:
                queue.in_flight.append(Flight(_fire(row), from_us(row[6])))
    return queue


def move(c: Connection, fires: Sequence[Fire]) -> None:
    """Give fires their new deadlines."""
    c.batch(MOVE, "text bigint", [(fire.run_id, to_us(fire.deadline_at)) for fire in fires])


def hold(c: Connection, fires: Sequence[Fire]) -> None:
    c.batch(HOLD, "text", [(fire.run_id,) for fire in fires])


def let_pass(c: Connection, fires: Sequence[Fire], now: datetime) -> None:
    """They wait for admission now, as every run does."""
    c.batch(ADMIT, "text", [(fire.run_id,) for fire in fires], (to_us(now),))


def forget_held(c: Connection) -> int:
    """Take back the runs that stand at the gate: their slots are to be planned again. Returns how many there were."""
    rows = c.rows(HELD)
    for run_id, task_id, nominal_at in rows:
        c.run(FORGET_SLOT, (task_id, nominal_at, run_id))
        c.run("DELETE FROM runs WHERE id = ?", (run_id,))
        c.run(SET_BACK, (nominal_at - 1, task_id, nominal_at))
    return len(rows)


def _fire(row: Row) -> Fire:
    return Fire(run_id=row[0], name=row[1], tick_at=from_us(row[2]), deadline_at=from_us(row[3]), window_s=row[4])
