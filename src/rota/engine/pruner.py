"""Applies retention, and purges what was deleted: logs go first, rows after; never a live run's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec

from rota.blobs import Blobs
from rota.bus import LOG_GONE, LoopName
from rota.core.task import Task
from rota.engine.context import Engine
from rota.engine.loop import Tick
from rota.engine.objects import sweep_objects
from rota.logs import LogName, RunLogs
from rota.store import audit, deletion, events, gonelogs, idempotency, retention, revisions, revocations, runsecrets, tasks
from rota.store.database import Connection
from rota.store.deletion import UNDO
from rota.store.retention import OldRun

PERIOD = timedelta(hours=1)
# How often a deletion is looked after, once its time to be undone is over.
SWEEP = timedelta(seconds=2)
BATCH = 500
# Few at a time: after each handful the size is reckoned anew.
AT_ONCE = 20
KEEP_KEYS = timedelta(hours=24)
KEEP_EVENTS = timedelta(days=30)
KEEP_AUDIT = timedelta(days=365)
KEEP_SLOTS = timedelta(days=400)
KEEP_GONE = timedelta(days=90)


class Pruner:
    """Each pass purges deletions that nobody undid; each hour it prunes by count and age per task, then by the total size of
    logs. The stricter rule wins."""

    name: LoopName = "pruner"

    def __init__(self, engine: Engine, logs: RunLogs, max_log_bytes: int = 0, blobs: Blobs | None = None) -> None:
        self._engine = engine
        self._logs = logs
        self._max_log_bytes = max_log_bytes
        self._blobs = blobs
        self._rules_at = engine.clock.now()

    async def boot(self) -> None:
        """What was deleted before this server started is not brought back any more."""
        await self._purge(self._engine.clock.now())

    async def tick(self) -> Tick:
        now = self._engine.clock.now()
        purged = await self._purge(now - UNDO)
        counts = {} if now < self._rules_at <= now + PERIOD else await self._apply_rules(now)
        deleted_at = await self._engine.database.read(deletion.first_deleted)
        next_at = self._rules_at if deleted_at is None else min(self._rules_at, max(deleted_at + UNDO, now + SWEEP))
        return Tick({"purged": purged, **counts}, next_at=next_at)

    async def _purge(self, before: datetime) -> int:
        purged = 0
        while True:
            old, owners = await self._engine.database.read(partial(_purgeable, before=before))
            await self._delete(old, owners, told=True)
            purged += len(old)
            if len(old) < BATCH:
                return purged

    async def _apply_rules(self, now: datetime) -> dict[str, int]:
        engine, by_rule = self._engine, 0
        async for task in self._tasks():
            if task.spec.policy.keep_runs or task.spec.policy.keep_for_s:
                by_rule += await self._prune_task(task)
        by_size = await self._prune_to_size()
        await engine.write_led(lambda c: idempotency.prune_keys(c, now - KEEP_KEYS))
        await engine.write_led(lambda c: events.prune_events(c, now - KEEP_EVENTS))
        await engine.write_led(lambda c: retention.prune_slots(c, now - KEEP_SLOTS))
        await engine.write_led(lambda c: gonelogs.prune_gone(c, now - KEEP_GONE))
        await engine.write_led(runsecrets.forget_ended)
        await engine.write_led(lambda c: revocations.prune_revocations(c, now))
        await engine.write_led(revisions.prune_revisions)
        await engine.write_led(lambda c: audit.prune_entries(c, now - KEEP_AUDIT))
        self._rules_at = now + PERIOD
        objects = {"objects": await sweep_objects(engine, self._blobs)} if self._blobs is not None else {}
        return {"by_rule": by_rule, "by_size": by_size, **objects}

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
        if not self._max_log_bytes:
            return 0
        # Looked at once, and not in the event loop: that takes seconds where there are many.
        sizes = await asyncio.to_thread(self._logs.sizes)
        total, pruned = sum(sizes.values()), 0
        while total > self._max_log_bytes:
            old, owners = await self._engine.database.read(_oldest)
            if not old:
                break
            await self._delete(old, owners)
            total -= sum(sizes.get(run.id, 0) for run in old)
            pruned += len(old)
        return pruned

    async def _delete(self, old: Sequence[OldRun], owners: dict[str, Task], *, told: bool = False) -> None:
        """`told`: whoever watches knows already."""
        for run in old:
            name = LogName(owners[run.task_id].name, run.created_at, run.id)
            self._logs.delete(name)
            if self._engine.has_others:
                self._engine.bus.tell_others(LOG_GONE, {"name": msgspec.to_builtins(name)})
        await self._engine.write_led(lambda c: self._delete_rows(c, [run.id for run in old]))
        for run in () if told else old:
            owner_id = run.owner_id or owners[run.task_id].owner_id
            self._engine.bus.publish("run.deleted", {"run_id": run.id, "owner_id": owner_id, "task_id": run.task_id})

    def _delete_rows(self, c: Connection, run_ids: Sequence[str]) -> None:
        if self._engine.node_name is not None:
            gonelogs.insert_gone(c, run_ids, self._engine.node_name, self._engine.clock.now())
        retention.delete_runs(c, run_ids)


def _oldest(c: Connection) -> tuple[list[OldRun], dict[str, Task]]:
    old = retention.oldest_ended(c, AT_ONCE)
    return old, tasks.get_tasks(c, {run.task_id for run in old})


def _purgeable(c: Connection, before: datetime) -> tuple[list[OldRun], dict[str, Task]]:
    old = deletion.list_purgeable(c, before, BATCH)
    return old, tasks.get_tasks(c, {run.task_id for run in old})
