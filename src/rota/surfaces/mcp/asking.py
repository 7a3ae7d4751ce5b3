"""What a tool is: its name, what it takes and answers, who may call it, and the function that asks `ops`."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from msgspec import Struct

from rota.core.actor import Actor
from rota.ops.context import Rota


class Ask(NamedTuple):
    """One call, read and checked: `given` is what the tool says it takes."""

    rota: Rota
    actor: Actor
    given: Any


class McpTool(Struct, frozen=True, kw_only=True):
    """A tool of ours, as MCP clients see it.

    takes         struct of the arguments · answers: struct of the result
    scopes        one of them is needed, where the credential has scopes (Ordinaut §2)
    reads         changes nothing · destroys: what is lost does not come back · repeats: twice is as good as once
    needs_server  means nothing where no run is carried out
    place         of the argument that ops call `body`, with a dot; empty where that is all of them
    """

    name: str
    title: str
    description: str
    handler: Callable[[Ask], Awaitable[Any]]
    takes: type
    answers: Any
    scopes: tuple[str, ...]
    reads: bool = False
    destroys: bool = False
    repeats: bool = False
    needs_server: bool = False
    place: str = ""
