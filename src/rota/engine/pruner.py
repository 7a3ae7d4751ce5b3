"""Applies retention: old runs go, logs first, rows after; never a live one."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

from rota.bus import LoopName
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.logs import LogName, RunLogs
from rota.store import events, idempotency, retention, tasks
from rota.store.database import Connection
from rota.store.retention import OldRun

PERIOD = timedelta(hours=1)
BATCH = 500
# Few at a time: after each handful the size is looked at again.
AT_ONCE = 20
KEEP_KEYS = timedelta(hours=24)
KEEP_EVENTS = timedelta(days=30)
KEEP_SLOTS = timedelta(days=400)


class Pruner:
    """Each pass prunes by count and age per task, then by the total size of logs. The stricter rule wins."""

    name: LoopName = "pruner"

    def __init__(self, engine: Engine, logs: RunLogs, max_log_bytes: int = 0) -> None:
        self._engine = engine
        self._logs = logs
        self._max_log_bytes = max_log_bytes

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        by_rule = 0
        async for task in self._tasks():
            if task.spec.policy.keep_runs or task.spec.policy.keep_for_s:
                by_rule += await self._prune_task(task)
        by_size = await self._prune_to_size()
        await engine.database.write(lambda c: idempotency.prune_keys(c, now - KEEP_KEYS))
        await engine.database.write(lambda c: events.prune_events(c, now - KEEP_EVENTS))
        await engine.database.write(lambda c: retention.prune_slots(c, now - KEEP_SLOTS))
        return Tick({"by_rule": by_rule, "by_size": by_size}, next_at=now + PERIOD)

    async def _tasks(self) -> AsyncIterator[Task]:
        after: str | None = None
        while page := await self._engine.database.read(partial(tasks.list_tasks, everyone=True, after=after, limit=BATCH)):
            for task in page:
                yield task
            after = page[-1].id

    async def _prune_task(self, task: Task) -> int:
        policy, now, pruned = task.spec.policy, self._engine.clock.now(), 0
        before = now - timedelta(seconds=policy.keep_for_s) if policy.keep_for_s else None
        while True:
            old = await self._engine.database.read(lambda c: retention.prunable(c, task.id, policy.keep_runs, before, BATCH))
            await self._delete(old, {task.id: task})
            pruned += len(old)
            if len(old) < BATCH:
                return pruned

    async def _prune_to_size(self) -> int:
        pruned = 0
        while self._max_log_bytes and self._logs.total_bytes() > self._max_log_bytes:
            old, owners = await self._engine.database.read(_oldest)
            if not old:
                break
            await self._delete(old, owners)
            pruned += len(old)
        return pruned

    async def _delete(self, old: Sequence[OldRun], owners: dict[str, Task]) -> None:
        for run in old:
            self._logs.delete(LogName(owners[run.task_id].name, run.created_at, run.id))
        await self._engine.database.write(lambda c: retention.delete_runs(c, [run.id for run in old]))
        for run in old:
            owner_id = owners[run.task_id].owner_id
            self._engine.bus.publish("run.deleted", {"run_id": run.id, "owner_id": owner_id, "task_id": run.task_id})


def _oldest(c: Connection) -> tuple[list[OldRun], dict[str, Task]]:
    old = retention.oldest_ended(c, AT_ONCE)
    return old, tasks.get_tasks(c, {run.task_id for run in old})
