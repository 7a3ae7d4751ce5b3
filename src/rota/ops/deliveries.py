"""The delivery log: what was told outside, what came of it, and telling it again."""

from typing import NamedTuple

from rota.core.actor import Actor
from rota.core.delivery import Delivery, DeliveryAttempt
from rota.ops.context import Rota
from rota.store import outbox


class Traced(NamedTuple):
    """A delivery with its tries, the first one first."""

    delivery: Delivery
    tries: list[DeliveryAttempt]


async def list_deliveries(
    rota: Rota, actor: Actor, *, run_id: str | None = None, before: str | None = None, limit: int
) -> list[Delivery]:
    """Newest first, before the one with that id. Raises Forbidden: they name receivers, which are the operator's."""
    actor.require("system.root")
    return await rota.database.read(lambda c: outbox.list_deliveries(c, run_id=run_id, before=before, limit=limit))


async def get_delivery(rota: Rota, actor: Actor, delivery_id: str) -> Traced:
    """Raises Forbidden, NotFound."""
    actor.require("system.root")
    return await rota.database.read(lambda c: Traced(outbox.get_delivery(c, delivery_id), outbox.list_tries(c, delivery_id)))


async def replay_delivery(rota: Rota, actor: Actor, delivery_id: str) -> Delivery:
    """Send it once more, as it was. Raises Forbidden, NotFound; Conflict while it waits, or if its body was not kept."""
    actor.require("system.root")
    now = rota.clock.now()
    delivery = await rota.database.write(lambda c: outbox.replay(c, delivery_id, now))
    rota.bus.wake("notifier")
    return delivery
