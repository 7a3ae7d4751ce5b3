"""Works on modules through the module executor, with real workers, a real log and a real store."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from msgspec import Struct, field
from tests.databases import open_memory
from tests.factories import make_new_run, make_task, spec
from tests.shell_workbench import IDS, QUICK, now_ms

from rota.core.outcome import Outcome, StopCause
from rota.core.policy import LogLimit, Policy
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Module
from rota.executors import Context, ModuleExecutor, StopRequest
from rota.executors.environment import inherited
from rota.executors.timelimit import TimeLimit
from rota.logs import LogLine, LogName, RunLogs
from rota.modules.catalogue import Catalogue
from rota.modules.pool import Pool, PoolRules
from rota.store import admission, runs, tasks
from rota.store.database import Connection, Database

T = TypeVar("T")


class Result(Struct):
    """What a run came to. `pid` is that of its worker."""

    outcome: Outcome
    lines: list[LogLine]
    pid: int
    deliveries: int
    task: Task
    run: Run

    def texts(self, stream: str) -> list[str]:
        return [line.plain for line in self.lines if line.stream == stream]


class Wish(Struct):
    """stop_at: a stop of `cause` is asked for when the log has this many lines. again: a result whose run is tried once more."""

    params: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    stop_at: int | None = None
    cause: StopCause = "cancel"
    task: Task | None = None
    again: Result | None = None


class Workshop:
    """Modules, workers, and a store."""

    def __init__(self, folder: Path, catalogue: Catalogue, pool: Pool, database: Database) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self.pool = pool
        self.database = database
        self.executor = ModuleExecutor(catalogue, pool, database)

    async def run(self, module: str, **wish: Any) -> Result:
        asked = Wish(**wish)
        policy = Policy(**{"stop": QUICK, "log": LogLimit(), **asked.policy})
        number = IDS.new()
        work = Module(module=module)
        task = asked.task or make_task(spec=spec(name=f"job-{number}", executor=work, policy=policy), id=number)
        run = asked.again.run if asked.again else await self.database.write(lambda c: _begin(c, task, asked))
        logs, name = RunLogs(self.folder / "logs"), LogName(task.name, run.created_at, run.id)
        stop, pids, delivered = StopRequest(), [0], [0]
        log = logs.writer(name, policy.log, [], on_growth=lambda: grown())

        def grown() -> None:
            if asked.stop_at is not None and log.lines_written >= asked.stop_at:
                stop.ask(asked.cause)

        def deliver() -> None:
            delivered[0] += 1

        limit = TimeLimit(policy.timeout_s, lambda: stop.ask("timeout"))
        context = Context(
            task=task, run=run, log=log, stop=stop, secrets={}, on_started=lambda pid, _ticks: pids.append(pid),
            on_delivered=deliver, now_ms=now_ms, limit=limit,
        )  # fmt: skip
        with limit:
            outcome = await self.executor.execute(context)
        log.finalize(now_ms())
        return Result(outcome, logs.reader(name).page(0, 100_000).lines, pids[-1], delivered[0], task, run)


def _begin(c: Connection, task: Task, asked: Wish) -> Run:
    if tasks.find_task(c, task.id) is None:
        tasks.insert_task(c, task)
    new = make_new_run(task, **{"id": IDS.new(), "params": asked.params, **asked.run})
    runs.insert_runs(c, [new])
    return admission.claim_direct(c, [new.run.id], "node", datetime.now(UTC))[0]


@asynccontextmanager
async def workshop(folder: Path, text: str, *, is_changed: bool = False, **rules: Any) -> AsyncIterator[Workshop]:
    """`is_changed`: the test writes another text over `own.py` in its folder."""
    catalogue = (_read if is_changed else _read_once)(folder if is_changed else folder.parent, text)
    pool = Pool(PoolRules(**rules), {**inherited(os.environ), "SERVER": "yes"})
    with closing(open_memory()) as database:
        try:
            yield Workshop(folder, catalogue, pool, database)
        finally:
            await pool.close()


def _read(folder: Path, text: str) -> Catalogue:
    (folder / "own.py").write_text("import os, rota, sys, time\n" + text)
    catalogue = Catalogue([str(folder / "own.py")], env=os.environ)
    assert catalogue.read() == []
    return catalogue


@cache
def _read_once(folder: Path, text: str) -> Catalogue:
    """It takes a process to read modules, and many tests have the same."""
    return _read(Path(mkdtemp(prefix="modules-", dir=folder)), text)


def at_work(folder: Path, text: str, work: Callable[[Workshop], Awaitable[T]], **rules: Any) -> T:
    async def whole() -> T:
        async with workshop(folder, text, **rules) as shop:
            return await work(shop)

    return asyncio.run(asyncio.wait_for(whole(), 30))
