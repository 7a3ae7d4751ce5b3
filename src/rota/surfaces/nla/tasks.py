"""Handlers of tasks, and the body of a callback."""

from rota.core.delivery import Body, Delivery
from rota.http.reply import Reply, encode, ok
from rota.http.routes import Ask
from rota.ops import chainruns
from rota.ops.context import Rota
from rota.store.database import Connection
from rota.surfaces.nla.translate import run_id, task_wire

FORM = "nla"


async def list_tasks(ask: Ask) -> Reply:
    return ok([task_wire(each) for each in await chainruns.list_runs(ask.rota, ask.actor)])


async def get_task(ask: Ask) -> Reply:
    return ok(task_wire(await chainruns.get_run(ask.rota, ask.actor, run_id(ask.path["task_id"]))))


async def delete_task(ask: Ask) -> Reply:
    return ok(task_wire(await chainruns.delete_run(ask.rota, ask.actor, run_id(ask.path["task_id"]))))


def write_task(rota: Rota, c: Connection, delivery: Delivery) -> Body | None:
    """A task as it can be read at this moment; None once it was deleted."""
    read = chainruns.reading(c, rota, delivery.run_id or "")
    if read is None:
        return None

    async def write() -> bytes:
        return encode(task_wire(await read()))

    return write
