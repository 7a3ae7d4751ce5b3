"""Claims that nothing came of go back to the queue."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.run import Run
from rota.engine.context import Engine
from rota.store import admission, fanout, runs
from rota.store.database import Connection
from rota.store.runrow import Admission


def give_back(
    c: Connection, engine: Engine, claims: Sequence[tuple[str, int]], now: datetime, to: Admission = "new"
) -> list[Run]:
    """Let these runs, as (run id, fence), wait again. Answers those that were asked to stop meanwhile and so have ended.

    A claim that was settled, or given back before, is left alone.

    to  `new` are judged again, as if they had just come; others have been admitted, and keep their place in the queue
    """
    held = [claim for claim in claims if _is_held(runs.find_run(c, claim[0]), claim[1])]
    admission.release(c, held, now, now if to == "new" else None, to)
    ended = [run for run in runs.get_runs(c, [run_id for run_id, _ in held]) if run.ended_at]
    tasks = engine.known.get(c, {run.task_id for run in ended})
    ends = [(run, tasks[run.task_id]) for run in ended]
    fanout.publish_ends(c, ends, engine.ids, now)
    engine.tell(c, ends, now)
    return ended


def _is_held(run: Run | None, fence: int) -> bool:
    return run is not None and run.state == "running" and run.fence == fence
