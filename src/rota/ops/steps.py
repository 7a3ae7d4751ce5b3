"""Finished steps of runs."""

from rota.core.actor import Actor
from rota.core.pipeline.account import Checkpoint
from rota.ops import access
from rota.ops.context import Rota
from rota.store import steps
from rota.store.database import Connection


async def list_steps(rota: Rota, actor: Actor, run_id: str) -> list[Checkpoint]:
    """Of one run, in order; empty for work that has no steps. Raises NotFound."""

    def read(c: Connection) -> list[Checkpoint]:
        access.get_run(c, actor, run_id)
        return steps.list_steps(c, run_id)

    return await rota.database.read(read)
