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
# How long the log of an ended run stays in the database where there is a bucket for it.
KEEP_LOGS_EVERY = timedelta(minutes=1)
KEEP_KEYS = timedelta(hours=24)
KEEP_EVENTS = timedelta(days=30)
KEEP_AUDIT = timedelta(days=365)
KEEP_SLOTS = timedelta(days=400)
# Tasks that were removed, once their last run is gone.
KEEP_REMOVED = timedelta(days=30)
# Of which one transaction deletes so many: others wait for it.
SLOTS_AT_ONCE, TASKS_AT_ONCE = 5000, 100
KEEP_GONE = timedelta(days=90)


class Pruner:
    """Each pass purges deletions that nobody undid; each hour it prunes by count and age per task, then by the total size of
    logs. The stricter rule wins.

    keeps_logs  logs that several servers share go into the store of objects when they are over
    """

    name: LoopName = "pruner"

    def __init__(self, engine: Engine, logs: RunLogs, max_log_bytes: int = 0, blobs: Blobs | None = None) -> None:
        self._engine = engine
        self._logs = logs
        self._max_log_bytes = max_log_bytes
        self._blobs = blobs
        self._rules_at = self._keep_at = engine.clock.now()
        self.keeps_logs = False

    async def boot(self) -> None:
        """What was deleted before this server started is not brought back any more."""
        await self._purge(self._engine.clock.now())

    async def tick(self) -> Tick:
        now = self._engine.clock.now()
        purged = await self._purge(now - UNDO)
        counts = {} if now < self._rules_at <= now + PERIOD else await self._apply_rules(now)
        deleted_at = await self._engine.database.read(deletion.first_deleted)
        next_at = self._rules_at if deleted_at is None else min(self._rules_at, max(deleted_at + UNDO, now + SWEEP))
        # Ends of runs here wake this loop then; of those on other nodes nobody tells it.
        self._engine.has_doomed = await self._engine.database.read(deletion.goes_on)
        if self._engine.has_doomed and self._engine.has_others:
            next_at = min(next_at, now + SWEEP)
        if self.keeps_logs:
            counts["kept"] = await self._keep_logs(now)
            next_at = min(next_at, self._keep_at)
        return Tick({"purged": purged, **counts}, next_at=next_at)

    async def _keep_logs(self, now: datetime) -> int:
        if self._blobs is None or now < self._keep_at:
            return 0
        from rota.runners.copies.keeping import keep_logs  # here, for few servers need it

        self._keep_at = now + KEEP_LOGS_EVERY
        return await keep_logs(self._engine.database, self._blobs, self._engine.write_led)

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
        await self._prune_slots(now - KEEP_SLOTS)
        await self._prune_tasks(now - KEEP_REMOVED)
        await engine.write_led(lambda c: gonelogs.prune_gone(c, now - KEEP_GONE))
        await engine.write_led(runsecrets.forget_ended)
        await engine.write_led(lambda c: revocations.prune_revocations(c, now))
        await engine.write_led(revisions.prune_revisions)
        await engine.write_led(lambda c: audit.prune_entries(c, now - KEEP_AUDIT))
        self._rules_at = now + PERIOD
        objects = {"objects": await sweep_objects(engine, self._blobs)} if self._blobs is not None else {}
        return {"by_rule": by_rule, "by_size": by_size, **objects}

    async def _prune_slots(self, before: datetime) -> None:
        engine, after = self._engine, ""
        while page := await engine.database.read(partial(retention.list_task_ids, after=after, limit=TASKS_AT_ONCE)):
            prune = partial(retention.prune_slots, task_ids=page, before=before, limit=SLOTS_AT_ONCE)
            while await engine.write_led(prune) == SLOTS_AT_ONCE:
                continue
            after = page[-1]

    async def _prune_tasks(self, before: datetime) -> None:
        prune = partial(retention.prune_tasks, before=before, limit=TASKS_AT_ONCE)
        while await self._engine.write_led(prune) == TASKS_AT_ONCE:
            continue

    async def _tasks(self) -> AsyncIterator[Task]:
        """Removed ones too: their runs are still there."""
        read, after = self._engine.database.read, ""
        while page := await read(partial(retention.list_task_ids, after=after, limit=BATCH)):
            for task in (await read(partial(tasks.get_tasks, ids=page))).values():
                yield task
            after = page[-1]

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
