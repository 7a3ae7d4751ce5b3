"""Handlers of agents and of the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rota.core.errors import Conflict
from rota.http.reply import Reply, created, ok
from rota.http.routes import Ask
from rota.ops import agents, audit
from rota.surfaces.ordinaut import translate, wire
from rota.surfaces.ordinaut.asking import id_of, read_body
from rota.surfaces.ordinaut.errors import BadRequest
from rota.surfaces.ordinaut.moments import read_moment
from rota.surfaces.ordinaut.tasks import not_found, paging


async def create_agent(ask: Ask) -> Reply:
    body = read_body(ask.body, wire.AgentBody)
    with _unique(body.name):
        agent = await agents.create_agent(ask.rota, ask.actor, body.name, body.scopes, body.webhook_url)
    return created(translate.agent_wire(agent), f"{ask.scope.get('root_path', '')}/agents/{agent.id}")


async def list_agents(ask: Ask) -> Reply:
    query, found = ask.query, await agents.list_agents(ask.rota, ask.actor)
    if query.name_filter:
        found = [agent for agent in found if query.name_filter.casefold() in agent.name.casefold()]
    if query.scope_filter:
        found = [agent for agent in found if query.scope_filter in (agent.scopes or ())]
    return ok([translate.agent_wire(agent) for agent in found[query.offset : query.offset + query.limit]])


async def get_agent(ask: Ask) -> Reply:
    agent_id = id_of(ask, "agent_id")
    with not_found("Agent", agent_id):
        return ok(translate.agent_wire(await agents.get_agent(ask.rota, ask.actor, agent_id)))


async def update_agent(ask: Ask) -> Reply:
    agent_id, body = id_of(ask, "agent_id"), read_body(ask.body, wire.AgentChange)
    with not_found("Agent", agent_id), _unique(body.name):
        agent = await agents.update_agent(
            ask.rota, ask.actor, agent_id, name=body.name, scopes=body.scopes, webhook_url=body.webhook_url
        )
    return ok(translate.agent_wire(agent))


async def delete_agent(ask: Ask) -> Reply:
    agent_id = id_of(ask, "agent_id")
    with not_found("Agent", agent_id):
        try:
            agent = await agents.delete_agent(ask.rota, ask.actor, agent_id)
        except Conflict as error:
            raise BadRequest(error.message) from None
    details = {"agent_id": agent.id, "agent_name": agent.name}
    return ok(wire.Operation(message=f"Agent '{agent.name}' deleted successfully", details=details))


async def create_credentials(ask: Ask) -> Reply:
    agent_id, given = id_of(ask, "agent_id"), ask.body
    password = given if isinstance(given, str | None) else read_body(given, wire.PasswordBody).password
    with not_found("Agent", agent_id):
        secret = await agents.set_secret(ask.rota, ask.actor, agent_id, password)
    message = "Store this secret now: it is shown this once"
    return ok(wire.Credentials(agent_id=agent_id, agent_secret=secret, message=message))


async def list_audit(ask: Ask) -> Reply:
    query = ask.query
    page = await audit.list_entries(
        ask.rota, ask.actor, action=query.action, actor_id=query.actor_agent_id,
        since=read_moment(query.since, "query.since"), limit=query.limit, offset=query.offset,
    )  # fmt: skip
    items = [translate.entry_wire(entry) for entry in page.items]
    return ok(wire.AuditPage(items=items, **paging(query, len(items), page.total)))


@contextmanager
def _unique(name: Any) -> Iterator[None]:
    try:
        yield
    except Conflict:
        raise BadRequest(f"Agent with name '{name}' already exists") from None
