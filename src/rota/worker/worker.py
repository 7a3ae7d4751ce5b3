"""One worker: a machine that offers labels, takes attempts from their queues, and says that it lives."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from rota import __version__
from rota.blobs import LocalBlobs
from rota.config import Loaded
from rota.config.origin import Origin
from rota.core.errors import RotaError, Unavailable
from rota.core.silence import Silence
from rota.core.task import Task
from rota.datadir import LEDGER
from rota.executors import is_durable
from rota.modules.builtin import gather_given
from rota.outgoing import Guard, Outgoing
from rota.own_log import OwnLog
from rota.runners import LogGrowth, end_survivors
from rota.runners.fleet.crew import WORKER
from rota.runners.fleet.link import ACTIVITY, Link, load_temporal
from rota.runners.keeper import Keeper
from rota.server.cluster import keep_going
from rota.server.parts import build_rota
from rota.server.source import Source
from rota.server.units import Units
from rota.server.workshop import Workshop, build_workshop
from rota.store import nodes, placements
from rota.store.database import Connection
from rota.store.nodes import Node
from rota.worker.attempts import Attempts, Tools
from rota.worker.ears import Ears
from rota.worker.hold import Hold

if TYPE_CHECKING:
    from temporalio.client import AsyncActivityHandle
    from temporalio.worker import Worker as TemporalWorker
    from temporalio.worker import WorkerTuner

    from rota.worker.slots import Slots

log = structlog.get_logger("rota.worker")

LOOK_S = 1.0
# How long a worker that is stopped tries to tell what its last attempts came to.
LAST_WORDS_S = 10.0
FAREWELL_S = 4.0
MOST_POLLS = 8
# The set of no labels, as queues are noted.
ANYBODY = ""
# What ends the attempts of a worker that is stopped is the worker.
PATIENT = timedelta(days=1)


class Worker:
    """On one data directory, which its caller owns: a spool for logs, and the journal of what was started."""

    def __init__(self, source: Source, loaded: Loaded, own_log: OwnLog) -> None:
        load_temporal()
        settings = self._settings = loaded.settings
        units = Units(loaded.units, Origin(source.path))
        outgoing = self._outgoing = Outgoing(Guard(settings.outgoing.private, settings.outgoing.allow))
        growth = LogGrowth()
        self._rota = build_rota(source, settings, units, outgoing, growth, own_log)
        if isinstance(self._rota.blobs, LocalBlobs):
            self._rota.blobs.is_shared, self._rota.blobs.takes = lambda: True, False
        self._rota.modules.give(gather_given(settings, loaded.notifying.notifiers))
        self._workshop: Workshop = build_workshop(settings, units, self._rota, outgoing, growth)
        self._rota.halt = partial(self._workshop.runner.ask_stop, cause="stop")
        self._node = Node(
            id=self._rota.ids.new(), name=settings.server.node or socket.gethostname(), kind=WORKER,
            labels=sorted(settings.server.labels), capacity=settings.server.max_concurrent_runs,
            lost_after=Silence(settings.server.lost_after).lost_after, version=__version__,
        )  # fmt: skip
        self._link = Link(settings)
        self._ears = Ears(self._rota, self._node, self._workshop.project)
        self._stopping = asyncio.Event()
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._taking: list[TemporalWorker] = []
        self._slots: Slots
        self._is_stuck = False

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then stop what is going on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        await self.work(self._greet)
        if self._is_stuck:
            # The SDK waits for Temporal to answer, whatever it is told; all else has ended here, and was told where it could be.
            sys.stdout.flush()
            os._exit(0)

    def stop(self) -> None:
        self._stopping.set()

    def _greet(self) -> None:
        print(f"rota worker {self._node.name} offers {', '.join(self._node.labels) or 'no labels'}", flush=True)  # noqa: T201

    async def work(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is called."""
        from rota.worker.slots import Slots

        await self._clear_up()
        self._slots = Slots(self._node.capacity, lambda: self._attempts.placeless)
        self._attempts = Attempts(self._make_tools(), self._slots.look_again)
        lasting = (self._attempts.collect, self._say_it_lives, self._open_queues, self._ears.bring_in, self._ears.listen)
        chores = [asyncio.create_task(keep_going(work)) for work in lasting]
        on_ready()
        try:
            await self._stopping.wait()
            await self._leave()
        finally:
            for chore in [*chores, *self._polling.values()]:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            self._is_stuck = not await _wait_for(self._polling.values())
            self._rota.bus.outward = None
            self._tools.keeper.close()
            self._workshop.ledger.close()
            self._rota.database.close()

    def _make_tools(self) -> Tools:
        rota, settings = self._rota, self._settings
        self._workshop.leavings.clear()
        self._tools = Tools(
            name=self._node.id, database=rota.database, clock=rota.clock, bus=rota.bus, logs=rota.logs, blobs=rota.blobs,
            vitals=rota.vitals, runner=self._workshop.runner, keeper=Keeper(settings.server.data / LEDGER),
            may_go_on=self._may_go_on,
        )  # fmt: skip
        return self._tools

    def _may_go_on(self, task: Task) -> bool:
        told = task.spec.policy.resume_after_crash
        return task.is_service or (is_durable(self._workshop.executors, task) if told is None else told)

    async def _clear_up(self) -> None:
        """End what an earlier life left running; it has lost all of it."""
        ledger = self._workshop.ledger
        entries = ledger.open_entries()
        await end_survivors(entries)
        ledger.ended([(entry.run_id, entry.fence) for entry in entries])
        ledger.vouch()

    async def _leave(self) -> None:
        log.info("stopping", runs=self._attempts.busy)
        self._attempts.is_leaving = True
        with contextlib.suppress(RotaError):
            await self._rota.database.write(lambda c: nodes.delete_nodes(c, [self._node.id]))
        self._rota.bus.call_others("dispatcher")
        closing = [asyncio.create_task(queue.shutdown()) for queue in self._taking]
        await self._workshop.runner.close(self._settings.daemon.shutdown_timeout)
        with contextlib.suppress(TimeoutError):  # the database does not take what they came to: they count as lost
            async with asyncio.timeout(LAST_WORDS_S):
                await self._attempts.idle.wait()
        await self._workshop.pool.close()
        await self._rota.tools.close()
        await self._outgoing.close()
        await _wait_for(closing)

    async def _say_it_lives(self) -> None:
        """So that work is sent for what is offered here. Not what attempts are held by."""
        offered = 0
        while True:
            self._tools.keeper.ensure()
            capacity = self._capacity
            try:
                await self._rota.database.write(lambda c: self._beat(c, capacity))  # noqa: B023  at once
            except Unavailable:
                await asyncio.sleep(LOOK_S)
                continue
            if capacity != offered:
                offered = capacity
                self._slots.look_again()
                for name in ("membership", "dispatcher"):  # who is there, and what for
                    self._rota.bus.call_others(name)
            await self._rest(offered)

    @property
    def _capacity(self) -> int:
        """What only waits for another run leaves its place to others."""
        return self._node.capacity + self._workshop.runner.waiting

    async def _rest(self, offered: int) -> None:
        """Until it is time to say again that we live, or we have more room than we offered."""
        called = self._rota.bus.signal("dispatcher")  # by the runner, when a run begins to wait; and by servers
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._link.silence.beat_s):
                while self._capacity <= offered:
                    await called.wait()
                    called.clear()

    def _beat(self, c: Connection, capacity: int) -> None:
        is_known = nodes.beat(c, self._node.id, self._attempts.count, None)
        if is_known:
            nodes.set_capacity(c, self._node.id, capacity)
        elif not self._attempts.is_leaving:
            nodes.insert_node(c, self._node)

    async def _open_queues(self) -> None:
        """Take work from the queue of every set of labels that we offer, as soon as some was asked for by it.

        What asks for no labels goes to everyone, so the first such work of all finds us waiting for it.
        """
        own = set(self._node.labels)
        while True:
            try:
                for queue in {ANYBODY, *await self._rota.database.read(placements.list_queues)}:
                    labels = [label for label in queue.split(",") if label]
                    if own.issuperset(labels) and (queue not in self._polling or self._polling[queue].done()):
                        self._polling[queue] = asyncio.create_task(self._poll(self._link.queue(labels)))
            except Unavailable as error:
                log.warning("no work can be taken", why=error.message)
            await asyncio.sleep(LOOK_S)

    async def _poll(self, queue: str) -> None:
        from temporalio.worker import PollerBehaviorAutoscaling
        from temporalio.worker import Worker as TemporalWorker

        try:
            worker = TemporalWorker(
                await self._link.client(), task_queue=queue, activities=[self._activity()], identity=self._node.id,
                tuner=self._make_tuner(),
                # What a frozen worker has asked for is lost on it for a while: so one question at a time, unless there is much.
                graceful_shutdown_timeout=PATIENT,
                activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, maximum=MOST_POLLS, initial=1),
            )  # fmt: skip
            self._taking.append(worker)
            try:
                await worker.run()
            finally:
                self._taking.remove(worker)
        except Unavailable as error:
            log.warning("no work can be taken", why=error.message)
        except asyncio.CancelledError:
            raise
        except Exception:  # the edge of this task: it is begun again
            log.exception("a queue was closed", queue=queue)

    def _make_tuner(self) -> "WorkerTuner":
        from temporalio.worker import FixedSizeSlotSupplier, WorkerTuner

        none = FixedSizeSlotSupplier(1)  # of what we do not do
        return WorkerTuner.create_composite(
            workflow_supplier=none, activity_supplier=self._slots, local_activity_supplier=none, nexus_supplier=none
        )

    def _activity(self) -> Callable[[str, int], Awaitable[str]]:
        from temporalio import activity

        @activity.defn(name=ACTIVITY)
        async def attempt(run_id: str, fence: int) -> str:
            client, info = await self._link.client(), activity.info()
            # What the server that handed it out has said counts, whatever we would say ourselves.
            limit = info.heartbeat_timeout
            silence = self._link.silence if limit is None else Silence(limit.total_seconds())
            handle = client.get_async_activity_handle(task_token=info.task_token)
            return await _stay(self._attempts.carry_out(run_id, fence, partial(Hold, handle, silence)), handle)

        return attempt


async def _wait_for(tasks: Iterable[asyncio.Task[None]]) -> bool:
    """Whether all of these, which end with the help of Temporal, have done so; it may not be there."""
    left = set(tasks)
    return not left or not (await asyncio.wait(left, timeout=FAREWELL_S))[1]


async def _stay(work: Coroutine[Any, Any, str], handle: "AsyncActivityHandle") -> str:
    """Wait for an attempt whatever the SDK thinks of it.

    That hears nothing of the signs of life that a `Hold` gives. So some seconds after Temporal would have given the attempt up
    without them it cancels us, and will not tell how it ended: then we do.
    """
    from temporalio.service import RPCError

    working, is_given_up = asyncio.ensure_future(work), False
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            is_given_up = True
    if is_given_up:
        with contextlib.suppress(RPCError):  # the server that waits looks for it in the store when it hears nothing
            await handle.complete(working.result())
    return working.result()
