"""Lets jittered runs through to admission, one at a time where that can be."""

from datetime import datetime

from rota.core.gate import Gate
from rota.store import gate
from rota.store.database import Connection


def pass_gate(c: Connection, now: datetime) -> datetime | None:
    """One step of the gate. Answers when the next held run starts by itself; it is looked at again whenever a run ends."""
    queue = gate.get_queue(c)
    if not queue.arrived and not queue.held:
        return None
    at_work = Gate(in_flight=queue.in_flight, held=queue.held)
    at_work.step(queue.arrived, now)
    gate.move(c, at_work.latest_moves)
    gate.hold(c, at_work.held)
    gate.let_pass(c, at_work.started, now)
    return at_work.next_at
