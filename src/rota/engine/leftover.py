"""What an earlier server left waiting: it goes on in its order, as far as there is room for it (RunWisp §17)."""

from datetime import datetime

from rota.core.overlap import room_at_start
from rota.core.run import Run
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.engine.context import Engine
from rota.store import admission, fanout, pending, runs
from rota.store.database import Connection


def end_leftovers(c: Connection, engine: Engine, now: datetime) -> list[Run]:
    """End the first attempts that cannot go on; answers their runs. Retries, and what is put off, are no leftovers.

    An instance of a service gets a fresh run. A queue holds what it may; under the other policies whatever finds no place
    has failed.
    """
    counts = pending.count_pending(c)
    tasks = engine.known.get(c, counts)
    refused: list[tuple[str, State, Reason | None, datetime]] = []
    for task_id, task in tasks.items():
        room = 0 if task.is_service else room_at_start(task.spec.policy)
        if counts[task_id] > room:
            state, reason = _end_of(task)
            refused += [(run_id, state, reason, now) for run_id in pending.list_leftover(c, task_id, now)[room:]]
    ended = runs.get_runs(c, admission.refuse(c, refused))
    ends = [(run, tasks[run.task_id]) for run in ended]
    fanout.publish_ends(c, ends, engine.ids, now)
    engine.tell(c, ends, now)
    return ended


def _end_of(task: Task) -> tuple[State, Reason]:
    is_queue = not task.is_service and task.spec.policy.overlap == "queue"
    return ("queue_full", "overlap") if is_queue else ("failed", "node_died")
