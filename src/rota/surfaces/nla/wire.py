"""What goes over the wire of NLA's API, field by field (contract §4.1, §5, §6)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Status = Literal["running", "complete", "error"]
# `$` alone would let a line break follow.
AgentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$(?!\n)", max_length=100)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(min_length=1, max_length=10_000)]


class Task(Struct, kw_only=True, rename="camel"):
    """One execution of an agent. `createdAt` is UTC with milliseconds."""

    id: str
    name: str
    agent_id: str
    user_id: str
    created_at: str
    logs: list[str]
    output: dict[str, Any]
    status: Status
    callback: str | None


class AgentText(Struct, kw_only=True):
    """What an update says; what is not given has its default."""

    id: AgentId | None = None
    name: Name
    description: Description
    variables: dict[str, str] = {}
    fields: list[Any] = []
    workflow: list[dict[str, Any]]


class NewAgent(AgentText, kw_only=True):
    id: AgentId


class Agent(Struct, kw_only=True):
    id: str
    name: str
    description: str
    variables: dict[str, Any]
    fields: list[Any]
    workflow: list[dict[str, Any]]


class RunBody(Struct, kw_only=True):
    """`callback` is told of each change; null or empty for nobody."""

    input: dict[str, Any]
    callback: str | None = None


class AgentsQuery(Struct):
    query: str = ""


class Refusal(Struct):
    """The body of every error."""

    message: str
