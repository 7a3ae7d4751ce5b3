"""What happens, as it happens, for whoever may see it."""

from collections.abc import AsyncIterator

from rota.bus import Notice, Watcher
from rota.core.actor import Actor
from rota.core.run import Run
from rota.core.task import Task
from rota.ops.context import Rota
from rota.store import tasks

RESET = "reset"


async def watch_notices(rota: Rota, actor: Actor, watcher: Watcher) -> AsyncIterator[Notice]:
    """Notices of the tasks the actor may see, in order. `reset` says that some were lost: look at the lists again."""
    if watcher.gap:
        yield Notice("", RESET, {})
    lost, owners = 0, dict[str, str | None]()
    async for notice in watcher:
        if watcher.lost != lost:
            lost = watcher.lost
            yield Notice(notice.id, RESET, {})
        if actor.is_root or actor.may_see(await _owner(rota, notice, owners)):
            yield notice


async def _owner(rota: Rota, notice: Notice, owners: dict[str, str | None]) -> str | None:
    """Whose task a notice is about; looked up once per task where the notice does not say it."""
    if "owner_id" in notice.data:
        owner_id = notice.data["owner_id"]
        return owner_id if isinstance(owner_id, str) else None
    task, run = notice.data.get("task"), notice.data.get("run")
    if isinstance(task, Task):
        return task.owner_id
    if not isinstance(run, Run):
        return None
    if run.task_id not in owners:
        found = await rota.database.read(lambda c: tasks.find_task(c, run.task_id))
        owners[run.task_id] = found.owner_id if found else None
    return owners[run.task_id]
