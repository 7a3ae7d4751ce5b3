"""Agents that gave an address are told of their runs that have failed for good (Ordinaut §2)."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.run import Run
from rota.core.states import FAILURES
from rota.core.task import Task
from rota.store import outbox
from rota.store.connection import Connection
from rota.store.fanout import IdSource
from rota.store.outbox import Callback

# The surface of agents writes what they are told.
FORM = "ordinaut"
ADDRESSES = """
    SELECT id, webhook_url FROM users
    WHERE id IN ({values}) AND kind = 'agent' AND webhook_url IS NOT NULL AND removed_at IS NULL"""


def tell_agents(c: Connection, changed: Sequence[tuple[Run, Task]], ids: IdSource, now: datetime) -> int:
    """Note the failures among these changes for the agents whose runs they are. Answers how many deliveries that makes."""
    failed = [(run, owner_id) for run, task in changed if run.state in FAILURES and (owner_id := run.owner_id or task.owner_id)]
    if not failed:
        return 0
    addresses: dict[str, str] = dict(
        c.batch(ADDRESSES, "text", [(owner_id,) for owner_id in {owner_id for _, owner_id in failed}])
    )
    told = [
        outbox.told(Callback(run_id=run.id, url=addresses[owner_id], form=FORM, is_retried=True), ids.new(), now, final=True)
        for run, owner_id in failed
        if owner_id in addresses
    ]
    outbox.insert_deliveries(c, told)
    return len(told)
