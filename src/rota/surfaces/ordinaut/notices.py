"""What an agent's webhook is sent: one of its runs has failed."""

from rota.core.delivery import Delivery
from rota.http.reply import encode
from rota.store import occurrences, runs, tasks
from rota.store.database import Connection
from rota.surfaces.ordinaut import translate, wire

FAILED = "run.failed"


def write_notice(c: Connection, delivery: Delivery) -> bytes | None:
    """The body; None if the run is gone meanwhile."""
    failed = runs.find_shown_run(c, delivery.run_id or "")
    task = tasks.find_task(c, failed.task_id) if failed else None
    if failed is None or task is None or task.status == "removed":
        return None
    run = translate.run_wire(occurrences.latest_of(c, failed))
    agent_id = failed.owner_id or task.owner_id
    return encode(wire.Notice(event=FAILED, agent_id=agent_id, task_id=task.id, task_title=task.spec.title, run=run))
