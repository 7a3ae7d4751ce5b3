"""Chains: agents made of nodes that are everybody's. Whoever is let in may change and start them; a run is its starter's."""

from typing import Any

import msgspec
from msgspec import Struct

from rota.core.actor import Actor
from rota.core.agent.chain import part
from rota.core.agent.node import Node
from rota.core.errors import NotFound
from rota.core.policy import Policy
from rota.core.run import Run
from rota.core.task import Task, TaskSpec
from rota.core.work import Agent
from rota.ops import starts, tasks
from rota.ops.context import Rota
from rota.store import agentforms, outbox, runsecrets
from rota.store import tasks as stored
from rota.store.database import Connection
from rota.store.outbox import Callback

# A run of a chain does not wait for another, as far as that goes.
POLICY = Policy(max_concurrent=1024, queue_max=10_000)


class Draft(Struct, frozen=True, kw_only=True):
    """What an author says of a chain. `title` is its name for people, `fields` any JSON about the form for its variables."""

    title: str
    description: str
    nodes: list[Node]
    variables: dict[str, Any] = {}
    fields: list[Any] = []

    def change(self) -> dict[str, Any]:
        work = Agent(nodes=self.nodes, variables=self.variables)
        return {"title": self.title, "description": self.description, "executor": msgspec.to_builtins(work)}


class Chain(Struct, frozen=True):
    """A chain as it stands."""

    task: Task
    fields: list[Any]

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def work(self) -> Agent:
        assert isinstance(self.task.spec.executor, Agent)  # noqa: S101  that is what makes it one
        return self.task.spec.executor


async def list_chains(rota: Rota, text: str = "", most: int | None = None) -> list[Chain]:
    """By name; with a text those whose description holds it, in whatever case. Up to `most`."""
    wanted = text.casefold()

    def read(c: Connection) -> list[Chain]:
        found = [task for task in stored.list_shared(c) if is_chain(task) and wanted in (task.spec.description or "").casefold()]
        found = found[:most]
        forms = agentforms.get_forms(c, [task.id for task in found])
        return [Chain(task, forms.get(task.id, [])) for task in found]

    return await rota.database.read(read)


async def get_chain(rota: Rota, name: str) -> Chain:
    """Raises NotFound."""
    return await rota.database.read(lambda c: _chain(c, _get(c, name)))


async def create_chain(rota: Rota, actor: Actor, name: str, draft: Draft) -> Chain:
    """It is the actor's task, shared with everyone. Raises Invalid, Forbidden, and Conflict if the name or the title is taken."""
    spec = TaskSpec(
        name=name,
        title=draft.title,
        description=draft.description,
        executor=Agent(nodes=draft.nodes, variables=draft.variables),
        policy=POLICY,
        shared=True,
    )
    task = await tasks.create_task(rota, actor, spec, beside=_with_form(draft))
    return Chain(task, draft.fields)


async def update_chain(rota: Rota, actor: Actor, name: str, draft: Draft) -> Chain:
    """Replace what a draft says; schedule and policy stay. Raises as create_chain does, and NotFound."""
    task = await tasks.update_task(rota, actor, name, draft.change(), beside=_with_form(draft), find=_find)
    return Chain(task, draft.fields)


async def delete_chain(rota: Rota, actor: Actor, name: str) -> Chain:
    """Remove a chain with its runs, those that are going on too; nobody is told of them any more. Answers it as it was.

    Raises NotFound.
    """
    chain = await get_chain(rota, name)
    await tasks.delete_task(rota, actor, name, with_runs=True, find=_find)
    return chain


async def start_chain(
    rota: Rota, actor: Actor, name: str, values: dict[str, Any], *, callback: str | None = None, form: str
) -> tuple[Run, Task]:
    """A run of a chain with these values over its variables. The keys of providers among them are kept apart, and never shown.

    callback  a URL that is told of each change, in words that this `form` writes

    Raises NotFound, and Conflict for one that is paused.
    """
    chain = await get_chain(rota, name)
    shown, apart = part(chain.work.nodes or [], values)

    def note(c: Connection, run: Run) -> None:
        runsecrets.put_secrets(c, run.id, apart)
        if callback is not None:
            outbox.set_callback(c, Callback(run_id=run.id, url=callback, form=form))

    started = await starts.start_task(rota, actor, chain.task.id, shown, beside=note)
    return started.run, chain.task


def is_chain(task: Task) -> bool:
    work = task.spec.executor
    return task.spec.shared and task.status != "removed" and isinstance(work, Agent) and work.nodes is not None


def _find(c: Connection, _actor: Actor, name: str) -> Task:
    return _get(c, name)


def _get(c: Connection, name: str) -> Task:
    task = stored.find_shared(c, name)
    if task is None or not is_chain(task):
        raise NotFound("Agent not found")
    return task


def _chain(c: Connection, task: Task) -> Chain:
    return Chain(task, agentforms.get_forms(c, [task.id]).get(task.id, []))


def _with_form(draft: Draft) -> tasks.Beside:
    return lambda c, task: agentforms.upsert_form(c, task.id, draft.fields)
