"""Carries agents and calls out through their executors, with a real store, log and providers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tests.databases import open_memory
from tests.factories import make_new_run, make_task, spec
from tests.shell_workbench import CLOCK, IDS, QUICK, now_ms

from rota.bus import Bus
from rota.core.agent import journal
from rota.core.outcome import Outcome
from rota.core.pipeline.account import Checkpoint
from rota.core.policy import LogLimit, Policy
from rota.core.run import Run
from rota.core.work import Work
from rota.executors import AgentExecutor, Context, HttpExecutor, StopRequest, Surroundings
from rota.logs import LogName, RunLogs
from rota.outgoing import Guard, Outgoing
from rota.providers import Provider, Providers
from rota.providers.echo import Echo
from rota.store import admission, outbox, runs, steps, tasks
from rota.store.database import Database
from rota.tools import McpServer, McpServers, Toolbox
from rota.vitals import Vitals

ALLOWING, DENYING = Guard("allow"), Guard("deny")


class Done(Struct):
    """What an attempt came to. `logs` are the items of an agent, `told` how many words its callback was to get."""

    outcome: Outcome
    lines: list[tuple[str, str]]
    steps: list[Checkpoint]
    delivered: int
    told: int
    tokens: dict[tuple[str, str], int]

    @property
    def logs(self) -> list[str]:
        return list(journal.decode(text for stream, text in self.lines if stream == "entry"))

    def texts(self, stream: str) -> list[str]:
        return [text for each, text in self.lines if each == stream]


During = Callable[["AgentBench"], Awaitable[object]]


class AgentBench:
    """A task that is an agent or a call, and its one run."""

    def __init__(self, folder: Path, work: dict[str, Any], **fields: Any) -> None:
        self.stop = StopRequest()
        self.providers: list[Provider] = [Echo(), *fields.pop("providers", ())]
        self.servers: list[McpServer] = fields.pop("servers", [])
        self.guard: Guard = fields.pop("guard", ALLOWING)
        self.outgoing: Outgoing | None = None
        self._folder = folder
        self._secrets: dict[str, str] = fields.pop("secrets", {})
        self._callback: str | None = fields.pop("callback", None)
        self._delivered = 0
        params, source = fields.pop("params", {}), fields.pop("source", "api")
        fields["params"] = fields.pop("defaults", {})
        policy = Policy(**{"stop": QUICK, "log": LogLimit(), **fields.pop("policy", {})})
        document = msgspec.convert(work, Work)
        self.task = replace(make_task(spec=spec(name="agent", executor=document, policy=policy, **fields)), source=source)
        self._new = make_new_run(self.task, id=IDS.new(), params=params)

    def carry_out(self, *, attempts: int = 1, during: During | None = None) -> Done:
        """The last of so many attempts, each of which finds what those before have left."""
        return asyncio.run(asyncio.wait_for(self.carry_out_here(attempts=attempts, during=during), 30))

    async def carry_out_here(self, *, attempts: int = 1, during: During | None = None) -> Done:
        with closing(open_memory()) as database:
            database.run(self._store)
            for _ in range(attempts):
                done = await self._attempt(database, during)
            return done

    def _store(self, c: Any) -> None:
        tasks.insert_task(c, self.task)
        runs.insert_runs(c, [self._new])
        if self._callback:
            outbox.set_callback(c, outbox.Callback(run_id=self._new.run.id, url=self._callback, form="test"))

    async def _attempt(self, database: Database, during: During | None) -> Done:
        run = await database.write(self._claim)
        logs = RunLogs(self._folder / "logs")
        log = logs.writer(name := LogName(self.task.name, run.created_at, run.id), self.task.spec.policy.log, [])
        context = Context(
            task=self.task, run=run, log=log, stop=self.stop, secrets=self._secrets, on_started=lambda *_: None,
            on_delivered=self._deliver, now_ms=now_ms,
        )  # fmt: skip
        outgoing, vitals = self.outgoing or Outgoing(self.guard), Vitals(CLOCK.now())
        servers = McpServers(self.servers)
        toolbox = Toolbox((), [servers], servers=servers, llms=Providers(self.providers))
        around = Surroundings(database=database, bus=Bus(), ids=IDS, tools=toolbox, outgoing=outgoing, tally=vitals)
        executors = (AgentExecutor(around, outgoing, self._folder / "workspaces"), HttpExecutor(outgoing))
        kind = str(type(self.task.spec.executor).__struct_config__.tag)
        executor = next(each for each in executors if each.kind == kind)
        helper = asyncio.ensure_future(during(self)) if during else None
        try:
            outcome = await executor.execute(context)
        finally:
            if helper:
                helper.cancel()
            await toolbox.close()
            await outgoing.close()
        log.flush(now_ms())
        log.close(now_ms())
        lines: list[tuple[str, str]] = [(line.stream, line.text) for line in logs.reader(name).page(0, 10_000).lines]
        kept = await database.read(lambda c: steps.list_steps(c, run.id))
        told = await database.read(lambda c: len(outbox.list_deliveries(c, limit=100)))
        return Done(outcome, lines, kept, self._delivered, told, dict(vitals.tokens))

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


def prompt(name: str = "Ask", **fields: Any) -> dict[str, Any]:
    return {
        "type": "prompt", "name": name, "system": "", "user": "{question}", "llm": "echo", "apikey": "", "model": "m",
        "temperature": 1, "maxTokens": 100, "output": "answer", **fields,
    }  # fmt: skip


def returns(*names: str) -> dict[str, Any]:
    return {"type": "return", "name": "Return", "output": list(names)}


def chain_of(*nodes: dict[str, Any], **variables: Any) -> dict[str, Any]:
    return {"kind": "agent", "nodes": list(nodes), "variables": variables}


def agent(folder: Path, nodes: Sequence[dict[str, Any]], *, variables: dict[str, Any] | None = None, **fields: Any) -> AgentBench:
    return AgentBench(folder, chain_of(*nodes, **(variables or {})), **fields)
