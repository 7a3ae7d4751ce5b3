"""Carries pipelines out through the pipeline executor, with a real store, log and tools."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tests.databases import open_memory
from tests.factories import make_new_run, make_task, spec
from tests.shell_workbench import CLOCK, IDS, QUICK, now_ms

from rota.core.outcome import Outcome
from rota.core.pipeline.account import Checkpoint
from rota.core.policy import LogLimit, Policy
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Pipeline
from rota.executors import Context, ModuleExecutor, PipelineExecutor, StopRequest
from rota.executors.environment import inherited
from rota.logs import LogName, RunLogs
from rota.modules.catalogue import Catalogue
from rota.modules.pool import Pool, PoolRules
from rota.outgoing import Guard, Outgoing
from rota.store import admission, runs, steps, tasks
from rota.store.database import Database
from rota.tools import Call, Platform, Tool, Toolbox, ToolFault, build_tools
from rota.tools.module import ModuleTools

ALLOWING = Guard("allow")


class NoPlatform:
    """Stands where no server is."""

    async def start_task(self, run: Run, owner_id: str | None, reference: str, params: dict[str, Any], key: str) -> Run:
        raise ToolFault("there is no server")

    async def wait_run(self, owner_id: str | None, run_id: str) -> Run:
        raise ToolFault("there is no server")

    async def stop_run(self, owner_id: str | None, run_id: str) -> None:
        raise ToolFault("there is no server")

    async def publish(self, run: Run, topic: str, payload: dict[str, Any], key: str) -> dict[str, Any]:
        return {"event_id": key, "topic": topic, "started": 0}


class Done(Struct):
    """What an attempt came to. `delivered` counts stops that reached the work."""

    outcome: Outcome
    texts: list[str]
    steps: list[Checkpoint]
    delivered: int

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.outcome.output["_execution_summary"]
        return found


class Bench:
    """A task that is a pipeline, and its one run."""

    def __init__(self, folder: Path, pipeline: Sequence[dict[str, Any]], *, tools: Sequence[Tool] = (), **fields: Any) -> None:
        self.stop = StopRequest()
        self.took_s: list[float] = []
        self.platform: Platform = NoPlatform()
        self.secrets: dict[str, str] = fields.pop("secrets", {})
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        self._folder = folder
        self._modules: Catalogue = fields.pop("modules", Catalogue())
        self._tools = Toolbox(
            [*build_tools(Outgoing(ALLOWING), with_shell=True), *tools], [ModuleTools(self._modules), *fields.pop("families", ())]
        )
        self._delivered = 0
        params, run = fields.pop("params", {}), fields.pop("run", {})
        work = msgspec.convert({"kind": "pipeline", "steps": list(pipeline), **fields.pop("work", {})}, Pipeline)
        policy = Policy(**{"stop": QUICK, "log": LogLimit(), **fields})
        self.task = make_task(spec=spec(name="pipe", executor=work, policy=policy))
        self._new = make_new_run(self.task, id=IDS.new(), params=params, **run)

    def carry_out(self, *, attempts: int = 1, during: Callable[["Bench"], Any] | None = None) -> Done:
        """The last of so many attempts, each of which finds what those before have left."""

        async def work() -> Done:
            with closing(open_memory()) as database:
                database.run(self._store)
                for _ in range(attempts):
                    done = await self._attempt(database, during)
                return done

        return asyncio.run(asyncio.wait_for(work(), 30))

    def _store(self, c: Any) -> None:
        tasks.insert_task(c, self.task)
        runs.insert_runs(c, [self._new])

    async def _attempt(self, database: Database, during: Callable[["Bench"], Any] | None) -> Done:
        run = await database.write(self._claim)
        logs = RunLogs(self._folder / "logs")
        log = logs.writer(name := LogName(self.task.name, run.created_at, run.id), self.task.spec.policy.log, [])
        context = Context(
            task=self.task, run=run, log=log, stop=self.stop, secrets=self.secrets, on_started=lambda *_: None,
            on_delivered=self._deliver, now_ms=now_ms, waiting=self.waiting,
        )  # fmt: skip
        pool = Pool(PoolRules(), inherited(os.environ))
        modules = ModuleExecutor(self._modules, pool, database)
        executor = PipelineExecutor(database, self._tools, self.platform, modules, lambda: 0.0, self.took_s.append)
        helper = asyncio.ensure_future(during(self)) if during else None
        try:
            outcome = await executor.execute(context)
        finally:
            if helper:
                helper.cancel()
        log.close(now_ms())
        await self._tools.close()
        await pool.close()
        lines = logs.reader(name).page(0, 10_000).lines
        kept = await database.read(lambda c: steps.list_steps(c, run.id))
        return Done(outcome, [line.text for line in lines], kept, self._delivered)

    def _claim(self, c: Any) -> Run:
        """As the dispatcher does; a further attempt follows on a release."""
        run_id, now = self._new.run.id, datetime.now(UTC)
        before = runs.get_run(c, run_id)
        if before.state == "running":
            admission.release(c, [(run_id, before.fence)], now, before.due_at)
        (run,) = admission.claim_direct(c, [run_id], "node", now)
        return run

    def _deliver(self) -> None:
        self._delivered += 1


def tool(name: str, call: Callable[[Call], Any], **fields: Any) -> Tool:
    """A tool of a test; `call` may be plain or async."""

    async def carry_out(asked: Call) -> Any:
        answer = call(asked)
        return await answer if asyncio.iscoroutine(answer) else answer

    return Tool(name=name, description="of a test", call=carry_out, **fields)


def task_with(steps_: Sequence[dict[str, Any]], **fields: Any) -> Task:
    work = msgspec.convert({"kind": "pipeline", "steps": list(steps_)}, Pipeline)
    return replace(make_task(**fields), spec=spec(executor=work))


__all__ = ["ALLOWING", "CLOCK", "Bench", "Done", "NoPlatform", "task_with", "tool"]
