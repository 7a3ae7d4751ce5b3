"""The workers of one server: started when they are needed, kept for a while, and replaced."""

import asyncio
from collections import deque
from collections.abc import Mapping

import structlog
from msgspec import Struct

from rota.config import Settings
from rota.modules.process import WorkerProcess

log = structlog.get_logger("rota.modules")


class PoolRules(Struct, frozen=True, kw_only=True):
    """As `[modules]` of the settings says. Seconds and bytes."""

    workers: int = 16
    warm: int = 0
    idle_s: float = 60.0
    recycle_after: int = 5000
    memory_max: int = 0


def build_pool(settings: Settings, env: Mapping[str, str]) -> "Pool":
    told = settings.modules
    rules = PoolRules(
        workers=told.workers,
        warm=told.warm,
        idle_s=told.idle_timeout,
        recycle_after=told.recycle_after,
        memory_max=told.memory_max,
    )
    return Pool(rules, env)


class Pool:
    """Workers of several realms, so that no module of somebody else's is in one process with what only ours are given.

    env  variables of the workers; nothing of the server's own
    """

    def __init__(self, rules: PoolRules, env: Mapping[str, str]) -> None:
        self._rules = rules
        self._env = env
        self._generation = 0
        self._all: set[WorkerProcess] = set()
        self._idle: dict[WorkerProcess, asyncio.TimerHandle | None] = {}
        self._starting = 0
        self._waiting: deque[tuple[str, asyncio.Future[WorkerProcess | None]]] = deque()
        self._warming: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def size(self) -> int:
        return len(self._all) + self._starting

    @property
    def workers(self) -> frozenset[WorkerProcess]:
        """All that are there, at work or not."""
        return frozenset(self._all)

    def find_idle(self, realm: str) -> WorkerProcess | None:
        """A worker that is there, taken; the one that worked last, so that the others may go."""
        for worker in reversed(self._idle):
            if worker.realm == realm and worker.is_usable:
                self._forget_idle(worker)
                return worker
        return None

    async def find(self, realm: str) -> WorkerProcess | None:
        """A worker, taken, started if need be; None if there is no place for another. Raises OSError if it cannot be started."""
        worker = self.find_idle(realm)
        if worker is None and (self.size < self._rules.workers or self._make_room()):
            worker = await self._start(realm)
        return worker

    def queue(self, realm: str) -> "asyncio.Future[WorkerProcess | None]":
        """For who found none: the next worker that is free, taken, or None when there is a place for another one again.

        In the order in which they came. Who stops waiting tells it by `leave`.
        """
        place: asyncio.Future[WorkerProcess | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((realm, place))
        return place

    def leave(self, place: "asyncio.Future[WorkerProcess | None]") -> None:
        """What was given meanwhile is the next one's."""
        if place.cancel() or place.cancelled():
            return
        worker = place.result()
        if worker:
            self.give_back(worker, is_clean=True)
        else:
            self._tell_waiting()

    def give_back(self, worker: WorkerProcess, *, is_clean: bool) -> None:
        """After a run; `is_clean`: nothing of the run is left in it."""
        is_worn = worker.runs >= self._rules.recycle_after or worker.generation != self._generation
        if worker not in self._all:
            return
        if not is_clean or is_worn or self._closed or not worker.is_usable:
            worker.retire()
            self._all.discard(worker)
            self.keep_warm()
            self._tell_waiting()
        else:
            self._free(worker)

    def renew(self) -> None:
        """Modules may have changed: whoever has loaded them before works on nothing new."""
        self._generation += 1
        for worker in list(self._idle):
            self._dismiss(worker)
        self.keep_warm()

    def keep_warm(self) -> None:
        """Have as many there as the settings want, without work."""
        missing = self._rules.warm - self.size
        for _ in range(0 if self._closed else missing):
            task = asyncio.get_running_loop().create_task(self._warm_one())
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def close(self) -> None:
        """All go, whatever they are at."""
        self._closed = True
        for worker in list(self._all):
            worker.kill()
        self._all.clear()
        self._idle.clear()
        await asyncio.gather(*self._warming, return_exceptions=True)

    async def _warm_one(self) -> None:
        try:
            self._free(await self._start(USER_REALM))
        except OSError as error:
            log.warning("a worker for modules could not be started", error=str(error))

    async def _start(self, realm: str) -> WorkerProcess:
        worker = WorkerProcess(self._exited, realm, self._generation)
        self._starting += 1
        try:
            await worker.start(self._env, self._rules.memory_max)
        except BaseException:
            self._starting -= 1
            self._tell_waiting()
            raise
        self._starting -= 1
        self._all.add(worker)
        if self._closed:
            worker.kill()
        return worker

    def _rest(self, worker: WorkerProcess) -> None:
        timer = None
        if len(self._idle) >= self._rules.warm:
            timer = asyncio.get_running_loop().call_later(self._rules.idle_s, self._dismiss, worker)
        self._idle[worker] = timer

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._forget_idle(worker)
        self._all.discard(worker)
        worker.retire()

    def _forget_idle(self, worker: WorkerProcess) -> None:
        timer = self._idle.pop(worker, None)
        if timer:
            timer.cancel()

    def _make_room(self) -> bool:
        """Whether somebody without work, of another realm, could go."""
        for worker in self._idle:
            self._dismiss(worker)
            return True
        return False

    def _exited(self, worker: WorkerProcess) -> None:
        self._forget_idle(worker)
        self._all.discard(worker)
        self._tell_waiting()

    def _free(self, worker: WorkerProcess) -> None:
        """Straight to who waits longest, unless that one needs a worker of another realm."""
        self._drop_gone()
        if self._waiting and self._waiting[0][0] == worker.realm:
            self._waiting.popleft()[1].set_result(worker)
        else:
            self._rest(worker)
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        """There is a place: who waits longest is to look again."""
        self._drop_gone()
        if self._waiting:
            self._waiting.popleft()[1].set_result(None)

    def _drop_gone(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()


USER_REALM = "user"
OWN_REALM = "rota"
