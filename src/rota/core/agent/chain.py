"""What becomes of a chain's variables, and what its log says (NLA §4.2, §4.3)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rota.core.agent.node import Mcp, Node, Prompt, Return
from rota.core.agent.template import BadTemplate, names, render, to_text
from rota.core.hidden import HIDDEN
from rota.core.pipeline.account import Checkpoint

Variables = dict[str, Any]


class MissingVariable(LookupError):
    """A return node names a variable that is not there."""


def begin(*layers: Mapping[str, Any]) -> Variables:
    """The variables before the first node; later layers are over earlier ones."""
    return {name: value for layer in layers for name, value in layer.items()}


def replay(variables: Variables, done: Sequence[Checkpoint]) -> Variables:
    """The variables behind the finished nodes: each has kept what it changed."""
    return begin(variables, *(each.output for each in done))


def part(nodes: Sequence[Node], given: Mapping[str, Any]) -> tuple[Variables, dict[str, str]]:
    """What is given for a run, as it may be shown, and the keys of providers that are in it, as text: those are kept apart."""
    hidden = {name for node in nodes if isinstance(node, Prompt | Mcp) for name in names(node.apikey)}
    apart = {name: text for name, value in given.items() if name in hidden and (text := to_text(value)).strip()}
    return {**given, **dict.fromkeys(apart, HIDDEN)}, apart


def join(shown: Mapping[str, Any], secrets: Mapping[str, str]) -> Variables:
    """The values again, of which keys were kept apart. Those that are kept no longer are as if they had not been given."""
    known = {name: value for name, value in shown.items() if value != HIDDEN}
    return known | {name: secrets[name] for name, value in shown.items() if value == HIDDEN and name in secrets}


def keys(nodes: Sequence[Node], variables: Mapping[str, Any]) -> Iterator[str]:
    """The keys of providers that can be told before anything has run."""
    for node in nodes:
        if isinstance(node, Prompt | Mcp):
            try:
                yield render(node.apikey, variables).strip()
            except BadTemplate:
                continue  # it waits for what an earlier node says, or the node will fail


def returned(node: Return, variables: Mapping[str, Any]) -> Variables:
    """The output of a run. Raises MissingVariable."""
    for name in node.names:
        if name not in variables:
            raise MissingVariable(f"there is no variable {name!r} to return")
    return {name: variables[name] for name in node.names}


def running_line(node: Node) -> str:
    return f"{node.name}: Running"


def response_line(text: str) -> str:
    return f"Response: {text}"


def error_line(reason: str) -> str:
    return f"Error: {reason}"
