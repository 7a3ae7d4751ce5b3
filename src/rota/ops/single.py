"""An agent has one active task for a dedupe key: what it asks for twice is there once."""

from rota.core.actor import Actor
from rota.core.errors import Duplicate
from rota.core.task import Task
from rota.store import tasks
from rota.store.database import Connection


def check_single(c: Connection, actor: Actor, task: Task) -> None:
    """Raises Duplicate if an agent would have a second active task with this key."""
    key = task.spec.policy.dedupe_key
    if actor.kind != "agent" or key is None or task.status != "active":
        return
    twin = tasks.find_active_twin(c, task.owner_id, key, task.id)
    if twin is not None:
        raise Duplicate(f"there is an active task with the dedupe key {key!r} already", twin.id)
