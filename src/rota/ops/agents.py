"""Agents: programs that act in their own name."""

from collections.abc import Iterable

from msgspec import Struct

from rota.core.actor import Actor
from rota.core.errors import Invalid
from rota.ops.context import Rota
from rota.ops.secrets import AGENT_PREFIX, hash_secret, new_secret
from rota.store import credentials, users
from rota.store.database import Connection

LONGEST_NAME = 100
KIND = "agent"


class NewAgent(Struct, frozen=True, kw_only=True):
    """An agent with its secret, which is shown once."""

    agent_id: str
    agent_secret: str


async def add_agent(rota: Rota, actor: Actor, name: str, *, scopes: Iterable[str] = ()) -> NewAgent:
    """Needs `system.root`. Raises Invalid at `body.name`, Conflict if the name is taken."""
    actor.require("system.root")
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable() and name.strip()):
        raise Invalid.at("body.name", f"must have from 1 to {LONGEST_NAME} printable characters")
    limits = list(scopes)
    agent_id, key_id, secret, now = rota.ids.new(), rota.ids.new(), new_secret(AGENT_PREFIX), rota.clock.now()

    def write(c: Connection) -> NewAgent:
        users.insert_user(c, id=agent_id, name=name, created_at=now, kind="agent")
        credentials.insert_credential(
            c, id=key_id, user_id=agent_id, kind=KIND, hash=hash_secret(secret), created_at=now, scopes=limits
        )
        return NewAgent(agent_id=agent_id, agent_secret=secret)

    return await rota.database.write(write)
