"""How much agents have made, in numbers."""

from typing import NamedTuple

from rota.ops.context import Rota
from rota.store import tasklist


class Made(NamedTuple):
    """Tasks of one kind of schedule that an agent has made, removed ones included."""

    schedule_kind: str
    agent_id: str
    tasks: int


async def count_tasks(rota: Rota) -> list[Made]:
    return [Made(*each) for each in await rota.database.read(tasklist.count_kinds)]
