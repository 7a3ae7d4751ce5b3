"""Carries a chain of nodes out, one after the other; what is finished is written down and not done, or paid for, again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from rota.bus import Bus
from rota.core.agent import chain
from rota.core.agent.node import Mcp, Node, Prompt, Return
from rota.core.agent.template import BadTemplate, render
from rota.core.outcome import Outcome
from rota.core.pipeline.account import Checkpoint
from rota.core.work import Agent
from rota.executors.agentlog import AgentLog
from rota.executors.base import Context
from rota.executors.durable import DurableAttempt
from rota.executors.stopping import Stopped
from rota.executors.toolloop import ToolLoop
from rota.outgoing import Outgoing
from rota.providers import Asked, Completion, ProviderFault, Turn
from rota.store import outbox, steps
from rota.store.database import Connection, Database
from rota.tools import Toolbox, ToolFault

UNREADABLE = "the agent as it was when this run was started cannot be read any more"


class Ids(Protocol):
    def new(self) -> str: ...


class Tally(Protocol):
    """What counts the tokens that models took, as `vitals.Vitals` does."""

    def count_tokens(self, provider: str, usage: dict[str, int]) -> None: ...


class Surroundings(Struct, frozen=True, kw_only=True):
    """What every chain needs of its server."""

    database: Database
    bus: Bus
    ids: Ids
    tools: Toolbox
    outgoing: Outgoing
    tally: Tally


class Before(Struct, frozen=True):
    """What a run has behind it, and whether somebody is told of its progress."""

    done: list[Checkpoint]
    is_told: bool


async def carry_out_chain(around: Surroundings, context: Context, work: Agent) -> Outcome:
    """A run goes on with its agent as that was when the run was started; `work` says so, whatever became of it meanwhile."""
    run_id = context.run.id
    before = await around.database.read(lambda c: Before(steps.list_steps(c, run_id), outbox.has_callback(c, run_id)))
    log = AgentLog(context)
    if work.nodes is None:
        log.say("error", chain.error_line(UNREADABLE))
        return Outcome(state="failed", error=UNREADABLE, final=True)
    try:
        return await ChainAttempt(around, context, log, work.nodes, work.variables, before).outcome()
    finally:
        log.end_words()


class ChainAttempt:
    def __init__(
        self, around: Surroundings, context: Context, log: AgentLog, nodes: Sequence[Node], given: dict[str, Any], before: Before
    ) -> None:
        spec, run = context.task.spec, context.run
        self._around = around
        self._context = context
        self._log = log
        self._nodes = nodes
        self._is_told = before.is_told
        self._attempt = DurableAttempt(context, around.database, before.done)
        first = chain.begin(context.secrets, given, spec.params, chain.join(run.params, context.secrets))
        self._variables = chain.replay(first, before.done)
        log.hide(chain.keys(nodes, self._variables))

    async def outcome(self) -> Outcome:
        nodes, done = self._nodes, len(self._attempt.done)
        if done:
            self._log.note(f"goes on behind {self._attempt.done[-1].name}: {done} of {len(nodes)} nodes are done")
        for index in range(done, len(nodes)):
            try:
                self._attempt.check_stop()
                await self._begin(nodes[index])
                if isinstance(node := nodes[index], Return):
                    return Outcome(state="succeeded", output=self._log.mask_all(chain.returned(node, self._variables)))
                await self._finish(node, index, await self._attempt.within(self._completion(node, index)))
            except Stopped:
                self._log.end_words()
                return self._attempt.stopped(f"node {nodes[index].name}")
            except (ProviderFault, ToolFault, BadTemplate, chain.MissingVariable) as fault:
                return self._failed(nodes[index], fault)
        return Outcome(state="succeeded", output={})

    async def _begin(self, node: Node) -> None:
        self._log.say("info", chain.running_line(node))
        if self._is_told:
            await self._around.database.write(lambda c: self._tell(c, self._attempt.now()))
            self._around.bus.wake("notifier")

    async def _completion(self, node: Prompt | Mcp, index: int) -> Completion:
        if self._around.tools.llms is None:
            raise ProviderFault("there are no providers of language models here")
        provider = self._around.tools.llms.get(node.llm)
        asked = self._asked(node)
        self._log.hide([asked.apikey, *provider.keys])
        if isinstance(node, Prompt):
            return await provider.complete(asked)
        loop = ToolLoop(self._around.tools.servers, self._around.outgoing)
        return await loop.complete(provider, asked, node, self._context, self._log, f"{self._context.run.id}.{index}")

    def _asked(self, node: Prompt | Mcp) -> Asked:
        """Raises BadTemplate."""

        def fill(template: str) -> str:
            return render(template, self._variables)

        system, temperature = (node.system, node.temperature) if isinstance(node, Prompt) else ("", None)
        return Asked(
            apikey=fill(node.apikey).strip(),
            model=fill(node.model),
            system=fill(system),
            turns=[Turn(role="user", text=fill(node.user))],
            temperature=temperature,
            max_tokens=node.max_tokens,
            on_text=self._log.hear,
            note=self._log.note,
        )

    async def _finish(self, node: Prompt | Mcp, index: int, answer: Completion) -> None:
        """What the log says is written before the checkpoint, so that who is told of the one finds the other."""
        self._log.say("info", chain.response_line(answer.text))
        changed = {node.output: self._log.mask(answer.text)}
        step = Checkpoint(
            position=index, name=node.name, status="done", ended_at=self._attempt.now(), output=changed, usage=answer.usage
        )
        await self._attempt.keep(step, also=self._tell if self._is_told else None)
        self._variables |= changed
        self._around.tally.count_tokens(node.llm, answer.usage)
        if self._is_told:
            self._around.bus.wake("notifier")

    def _tell(self, c: Connection, now: datetime) -> None:
        outbox.tell_callbacks(c, [self._context.run.id], now, self._around.ids, final=False)

    def _failed(self, node: Node, fault: Exception) -> Outcome:
        reason = self._log.mask(str(fault))
        self._log.say("error", chain.error_line(reason))
        return Outcome(state="failed", error=f"{node.name}: {reason}", final=_is_final(fault))


def _is_final(fault: Exception) -> bool:
    match fault:
        case ProviderFault():
            return not fault.is_passing
        case ToolFault():
            return fault.is_final
        case _:
            return True
