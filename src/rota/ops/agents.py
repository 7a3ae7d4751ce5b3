"""Agents: programs that act in their own name."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Conflict, Invalid, NotFound, Unauthorized
from rota.core.run import Run
from rota.core.scopes import SCOPES
from rota.core.task import Task
from rota.ops import audit, ends, reading
from rota.ops.context import Rota
from rota.ops.passwords import LONGEST_PASSWORD, has_password, hash_in_thread
from rota.ops.secrets import AGENT_PREFIX, hash_secret, new_secret
from rota.ops.tasks import remove
from rota.outgoing.address import Refused, read_url
from rota.store import credentials, tasks, users
from rota.store.database import Connection
from rota.store.users import User

LONGEST_NAME = 100
KIND: Literal["agent"] = "agent"
MOST_TASKS = 1_000_000
SYSTEM_ID = "00000000-0000-0000-0000-000000000001"
SYSTEM = "system"
SYSTEM_SCOPES = ("admin", "system")


class NewAgent(Struct, frozen=True, kw_only=True):
    """An agent with its secret, which is shown once."""

    agent_id: str
    agent_secret: str


async def add_agent(
    rota: Rota, actor: Actor, name: str, *, scopes: Iterable[str] = (), of_tools: Iterable[str] | None = None
) -> NewAgent:
    """An agent that can log in at once. Needs `system.root`. Raises Invalid at `body.name`, Conflict if the name is taken.

    of_tools  the scopes that tools ask for: with them, one that nothing asks for is Invalid at `body.scopes`
    """
    actor.require("system.root")
    _check_name(name)
    if of_tools is not None:
        _check_scopes(scopes, [*SCOPES, *of_tools])
    agent_id, limits, now = rota.ids.new(), tuple(scopes), rota.clock.now()

    def write(c: Connection) -> NewAgent:
        users.insert_user(c, id=agent_id, name=name, created_at=now, kind=KIND, scopes=limits)
        audit.note(c, rota, actor, "agent.created", agent_id, name=name, scopes=limits)
        return NewAgent(agent_id=agent_id, agent_secret=_new_secret(c, rota, agent_id))

    return await rota.database.write(write)


async def create_agent(rota: Rota, actor: Actor, name: str, scopes: Iterable[str], webhook_url: str | None = None) -> User:
    """An agent without a secret yet. Needs `system.root`. Raises as add_agent does, and Invalid at `body.webhook_url`."""
    actor.require("system.root")
    _check_name(name)
    _check_webhook(webhook_url)
    agent_id, limits, now = rota.ids.new(), tuple(scopes), rota.clock.now()

    def write(c: Connection) -> User:
        agent = users.insert_user(c, id=agent_id, name=name, created_at=now, kind=KIND, scopes=limits, webhook_url=webhook_url)
        audit.note(c, rota, actor, "agent.created", agent_id, name=name, scopes=limits)
        return agent

    return await rota.database.write(write)


async def ensure_system_agent(rota: Rota) -> str | None:
    """The agent that may do everything, made at the first start of all. Answers its secret then, and never again."""
    now = rota.clock.now()

    def write(c: Connection) -> str | None:
        if users.find_user(c, SYSTEM_ID) is not None or users.find_user_by_name(c, SYSTEM) is not None:
            return None
        users.insert_user(c, id=SYSTEM_ID, name=SYSTEM, created_at=now, kind=KIND, scopes=SYSTEM_SCOPES)
        audit.note(c, rota, OPERATOR, "agent.created", SYSTEM_ID, name=SYSTEM, scopes=SYSTEM_SCOPES)
        return _new_secret(c, rota, SYSTEM_ID)

    return await rota.database.write(write)


async def list_agents(rota: Rota, actor: Actor) -> list[User]:
    """All agents, newest first. Needs `system.root`."""
    actor.require("system.root")
    return await rota.database.read(users.list_agents)


async def get_agent(rota: Rota, actor: Actor, agent_id: str) -> User:
    """Needs `system.root`. Raises NotFound."""
    actor.require("system.root")
    return await rota.database.read(lambda c: _get(c, agent_id))


async def find_agent(rota: Rota, agent_id: str) -> User | None:
    """Who asks, by the id that its token names."""
    found = await rota.database.read(lambda c: users.find_user(c, agent_id))
    return found if found is not None and found.kind == KIND else None


async def update_agent(
    rota: Rota,
    actor: Actor,
    agent_id: str,
    *,
    name: str | UnsetType = UNSET,
    scopes: Iterable[str] | UnsetType = UNSET,
    webhook_url: str | UnsetType | None = UNSET,
) -> User:
    """Change what is given. Needs `system.root`. Raises NotFound, Invalid, and Conflict if the name is taken."""
    actor.require("system.root")
    given = {"name": name, "scopes": scopes if scopes is UNSET else tuple(scopes), "webhook_url": webhook_url}
    changes = {field: value for field, value in given.items() if value is not UNSET}
    if isinstance(name, str):
        _check_name(name)
    if isinstance(webhook_url, str):
        _check_webhook(webhook_url)

    def write(c: Connection) -> User:
        agent = replace(_get(c, agent_id), **changes)
        users.update_agent(c, agent)
        audit.note(c, rota, actor, "agent.updated", agent_id, fields=list(changes))
        return agent

    changed = await rota.database.write(write)
    rota.bus.tell_rights(agent_id)
    return changed


async def delete_agent(rota: Rota, actor: Actor, agent_id: str) -> User:
    """Take an agent out with its tasks and their runs; running ones are stopped. Needs `system.root`.

    Raises NotFound, and Conflict for the system's agent and for oneself.
    """
    actor.require("system.root")
    now = rota.clock.now()

    def write(c: Connection) -> tuple[User, list[tuple[Task, list[Run]]]]:
        agent = _get(c, agent_id)
        if agent_id in (SYSTEM_ID, actor.id):
            raise Conflict("the system agent cannot be deleted" if agent_id == SYSTEM_ID else "an agent cannot delete itself")
        owned = tasks.list_tasks(c, owner_id=agent_id, limit=MOST_TASKS)
        ended = [(task, remove(c, rota, task, now, with_runs=True)) for task in owned]
        credentials.revoke_all(c, agent_id, KIND, now)
        users.remove_user(c, agent_id, now)
        audit.note(c, rota, actor, "agent.deleted", agent_id, name=agent.name, tasks=len(owned))
        return agent, ended

    agent, ended = await rota.database.write(write)
    rota.bus.tell_rights(agent_id)
    for loop in ("scheduler", "dispatcher", "pruner"):
        rota.bus.wake(loop)
    for task, runs in ended:
        ends.tell(rota, task, runs)
        rota.tell_task("task.removed", task)
    return agent


async def set_secret(rota: Rota, actor: Actor, agent_id: str, password: str | None = None) -> str:
    """Give an agent a secret in place of the one it had: a random one, or a password. Answers it, this once.

    Needs `system.root`. Raises NotFound, and Invalid at `body.password`.
    """
    actor.require("system.root")
    if password is not None and not 1 <= len(password) <= LONGEST_PASSWORD:
        raise Invalid.at("body.password", f"must have from 1 to {LONGEST_PASSWORD} characters")
    hashed = await hash_in_thread(password) if password is not None else None
    now = rota.clock.now()

    def write(c: Connection) -> str:
        _get(c, agent_id)
        credentials.revoke_all(c, agent_id, KIND, now)
        users.update_password(c, agent_id, hashed)
        audit.note(c, rota, actor, "agent.credentials_created", agent_id)
        return password if password is not None else _new_secret(c, rota, agent_id)

    return await rota.database.write(write)


async def log_in(rota: Rota, agent_id: str, secret: str) -> User:
    """The agent of that id and secret. Raises Unauthorized, without telling which of the two is wrong."""
    hashed = hash_secret(secret)

    def read(c: Connection) -> tuple[User | None, bool]:
        agent = users.find_user(c, agent_id)
        holder = credentials.find_by_hash(c, KIND, hashed)
        return agent, agent is not None and holder is not None and holder.id == agent.id

    agent, is_right = await rota.database.read(read)
    if not is_right:
        is_right = await has_password(rota, agent if agent and agent.kind == KIND else None, secret)
    if agent is None or agent.kind != KIND or not is_right:
        raise Unauthorized("Invalid agent credentials")
    await rota.database.write(lambda c: audit.note(c, rota, agent.actor, "agent.authenticated", agent.id))
    return agent


def _get(c: Connection, agent_id: str) -> User:
    found = users.find_user(c, agent_id)
    if found is None or found.kind != KIND:
        raise NotFound(f"there is no agent {agent_id[:100]!r}")
    return found


def _new_secret(c: Connection, rota: Rota, agent_id: str) -> str:
    secret = new_secret(AGENT_PREFIX)
    credentials.insert_credential(
        c, id=rota.ids.new(), user_id=agent_id, kind=KIND, hash=hash_secret(secret), created_at=rota.clock.now()
    )
    return secret


def _check_webhook(url: str | None) -> None:
    try:
        if url is not None:
            read_url(url)
    except Refused as refusal:
        raise Invalid.at("body.webhook_url", f"cannot be called: {refusal}", reading.shown(url)) from None


def _check_scopes(scopes: Iterable[str], known: Sequence[str]) -> None:
    for scope in scopes:
        if scope not in known:
            raise Invalid.at("body.scopes", f"nothing asks for this scope; {reading.nearest(scope, known)}", reading.shown(scope))


def _check_name(name: str) -> None:
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable() and name.strip()):
        raise Invalid.at("body.name", f"must have from 1 to {LONGEST_NAME} printable characters")
