"""Carries agents out: chains of nodes, commands, URLs."""

from pathlib import Path

from rota.core.outcome import Outcome
from rota.core.work import Agent
from rota.executors.agentcommand import carry_out_command
from rota.executors.agenturl import carry_out_url
from rota.executors.base import Context
from rota.executors.chain import Surroundings, carry_out_chain
from rota.executors.workplace import Workplaces
from rota.outgoing import Outgoing


class AgentExecutor:
    """Durable where it is a chain: each finished node is a row, conditional on the run's fence, before the next one begins.

    workspaces  where commands without a folder of their own work
    """

    kind = "agent"
    is_durable = True

    def __init__(self, around: Surroundings, outgoing: Outgoing, workspaces: Path) -> None:
        self._around = around
        self._outgoing = outgoing
        self._workplaces = Workplaces(workspaces)

    async def execute(self, context: Context) -> Outcome:
        work = context.task.spec.executor
        assert isinstance(work, Agent)  # noqa: S101  the runner looked at the kind
        if work.command is not None:
            return await carry_out_command(context, work, await self._workplaces.place_of(context.run.id))
        if work.url is not None:
            return await carry_out_url(context, work, self._outgoing)
        return await carry_out_chain(self._around, context, work)
