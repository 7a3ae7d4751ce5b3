"""Lets a model work with the tools of an MCP server until it has an answer, or no more steps."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from rota.core.agent.node import Mcp, ServerConfig, server_config
from rota.executors.agentlog import AgentLog
from rota.executors.base import Context
from rota.outgoing import Outgoing
from rota.providers import Asked, Completion, Provider, ProviderFault, ToolResult, ToolSpec, ToolUse, Turn
from rota.tools import McpServer, McpServers, McpSession, Tool, ToolFault

# What models take as the name of a tool.
NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]")
LONGEST_NAME = 64
# Of a call's arguments and answer, this much stands in the log.
SHOWN = 500
NO_MORE = "no more tools can be used; answer with what there is"


class ToolLoop:
    """`servers` are those of the settings; others are reached as the node says, guarded where the task came in by an API."""

    def __init__(self, servers: McpServers, outgoing: Outgoing) -> None:
        self._servers = servers
        self._outgoing = outgoing

    async def complete(
        self, provider: Provider, asked: Asked, node: Mcp, context: Context, log: AgentLog, key: str
    ) -> Completion:
        """The last answer; its usage is that of all. `key` is the node's own. Raises ProviderFault and ToolFault."""
        async with self._session(node, context, log) as session:
            offers = {_name(session.plain_name(tool)): tool for tool in await session.list_tools()}
            conversation = _Conversation(provider, replace(asked, tools=_specs(offers)), log)
            for step in range(node.max_steps + 1):
                answer = await conversation.ask()
                if not answer.uses:
                    return answer
                if step < node.max_steps:
                    results = [
                        await _use(session, offers, use, f"{key}.{step}.{number}", log) for number, use in enumerate(answer.uses)
                    ]
                else:
                    results = [ToolResult(use.id, NO_MORE, is_error=True) for use in answer.uses]
                conversation.tell(answer, results)
            answer = await conversation.ask()
        if answer.uses:
            raise ProviderFault(f"{provider.name}: still asks for tools after {node.max_steps} steps")
        return answer

    @asynccontextmanager
    async def _session(self, node: Mcp, context: Context, log: AgentLog) -> AsyncIterator[McpSession]:
        config = _config(node)
        log.hide([*config.headers.values(), *config.env.values()])
        if config.server is not None:
            session = self._servers.find_session(config.server)
            if session is None:
                raise ToolFault(f"the settings name no MCP server {config.server[:100]!r}", "ToolNotFound")
            yield session
            return
        is_trusted = context.task.source == "file"
        server = McpServer(name=node.name, url=config.url, headers=config.headers, command=config.command or (), env=config.env)
        session = McpSession(server, None if is_trusted else self._outgoing)
        try:
            yield session
        finally:
            await session.close()


def _config(node: Mcp) -> ServerConfig:
    try:
        return server_config(node)
    except (msgspec.ValidationError, ValueError) as error:
        raise ToolFault(f"its config names no MCP server: {error}", "ToolNotFound") from None


class _Conversation:
    """What was said so far, and what it took."""

    def __init__(self, provider: Provider, asked: Asked, log: AgentLog) -> None:
        self._provider = provider
        self._asked = asked
        self._log = log
        self._usage: dict[str, int] = {}

    async def ask(self) -> Completion:
        answer = await self._provider.complete(self._asked)
        self._log.end_words()
        for name, count in answer.usage.items():
            self._usage[name] = self._usage.get(name, 0) + count
        answer.usage = dict(self._usage)
        return answer

    def tell(self, answer: Completion, results: Sequence[ToolResult]) -> None:
        said = Turn(role="assistant", text=answer.text, uses=answer.uses)
        self._asked = replace(self._asked, turns=[*self._asked.turns, said, Turn(role="user", results=results)])


async def _use(session: McpSession, offers: dict[str, Tool], use: ToolUse, place: str, log: AgentLog) -> ToolResult:
    """What a tool answers; its failure is an answer as well, for the model to deal with."""
    given = msgspec.json.encode(use.arguments).decode()
    # After a crash the model is asked again, and may then ask for something else at the same place.
    key = f"{place}.{sha256(f'{use.name} {given}'.encode()).hexdigest()[:16]}"
    log.note(f"tool {use.name}: {given[:SHOWN]}")
    try:
        if use.name not in offers:
            raise ToolFault(f"there is no tool {use.name}", "ToolNotFound")
        answer = await session.ask(session.plain_name(offers[use.name]), use.arguments, key)
    except ToolFault as fault:
        log.note(f"tool {use.name} failed: {fault.message[:SHOWN]}")
        return ToolResult(use.id, fault.message, is_error=True)
    text = answer["text"] or msgspec.json.encode(answer["structured"]).decode()
    log.note(f"tool {use.name} answered: {text[:SHOWN]}")
    return ToolResult(use.id, text)


def _specs(offers: dict[str, Tool]) -> list[ToolSpec]:
    return [ToolSpec(name, tool.description, tool.input_schema) for name, tool in offers.items()]


def _name(plain: str) -> str:
    return NAME_CHARACTERS.sub("_", plain)[:LONGEST_NAME]
