"""Handlers of agents and of running one."""

from typing import Any, TypeVar

from rota.core.agent.node import read_nodes
from rota.core.errors import Invalid, Problem
from rota.http.reply import Reply, created, ok
from rota.http.routes import Ask
from rota.ops import chains, reading
from rota.ops.chains import Draft
from rota.outgoing import Refused
from rota.outgoing.address import read_url
from rota.surfaces.nla import wire
from rota.surfaces.nla.errors import Unusable, in_their_words
from rota.surfaces.nla.tasks import FORM
from rota.surfaces.nla.translate import agent_wire, known_fields, new_task_wire, task_id

T = TypeVar("T")
MOST_FOUND = 5


async def list_agents(ask: Ask) -> Reply:
    text = ask.query.query
    found = await chains.list_chains(ask.rota, text, MOST_FOUND if text else None)
    return ok([agent_wire(chain) for chain in found])


async def get_agent(ask: Ask) -> Reply:
    return ok(agent_wire(await chains.get_chain(ask.rota, ask.path["agent_id"])))


async def create_agent(ask: Ask) -> Reply:
    body = read_body(ask.body, wire.NewAgent)
    with in_their_words():
        chain = await chains.create_chain(ask.rota, ask.actor, body.id, _draft(body))
    return created(agent_wire(chain), f"{_root(ask)}/api/v1/agent/{chain.name}")


async def update_agent(ask: Ask) -> Reply:
    agent_id, body = ask.path["agent_id"], read_body(ask.body, wire.AgentText)
    if body.id not in (None, agent_id):
        raise Unusable("id: must be that of the path", [Problem("id", "must be that of the path")])
    with in_their_words():
        chain = await chains.update_chain(ask.rota, ask.actor, agent_id, _draft(body))
    return created(agent_wire(chain), f"{_root(ask)}/api/v1/agent/{chain.name}")


async def delete_agent(ask: Ask) -> Reply:
    return ok(agent_wire(await chains.delete_chain(ask.rota, ask.actor, ask.path["agent_id"])))


async def run_agent(ask: Ask) -> Reply:
    agent_id, body = ask.path["agent_id"], read_body(ask.body, wire.RunBody)
    callback = _target(body.callback)
    with in_their_words():
        run, task = await chains.start_chain(ask.rota, ask.actor, agent_id, body.input, callback=callback, form=FORM)
    return created(new_task_wire(run, task, callback), f"{_root(ask)}/api/v1/task/{task_id(run.id)}")


def read_body(document: dict[str, Any], model: type[T]) -> T:
    """Raises Unusable; fields that are not known are passed over."""
    try:
        return reading.convert(document, model, at="")
    except Invalid as error:
        problems = [Problem(each.location.lstrip("."), each.message) for each in error.problems]
        raise Unusable(error.message, problems) from None


def _draft(body: wire.AgentText) -> Draft:
    try:
        nodes = read_nodes([known_fields(node) for node in body.workflow], at="workflow")
    except Invalid as error:
        raise Unusable(error.message, error.problems) from None
    return Draft(title=body.name, description=body.description, nodes=nodes, variables=dict(body.variables), fields=body.fields)


def _target(callback: str | None) -> str | None:
    """A URL as it was given; None for none. Where it leads is looked at when it is called."""
    if not callback:
        return None
    try:
        read_url(callback)
    except Refused as refusal:
        raise Unusable(f"callback: {refusal}", [Problem("callback", str(refusal))]) from None
    return callback


def _root(ask: Ask) -> str:
    return str(ask.scope.get("root_path", ""))
