"""What is wrong with an agent before it has ever run."""

from collections.abc import Collection, Iterator

from rota.core.agent import node
from rota.core.errors import Problem
from rota.core.work import Agent

WAYS = ("nodes", "command", "url")
BELONGS = {"env": "command", "working_dir": "command", "headers": "url"}


def check_agent(work: Agent, llms: Collection[str] | None = None) -> list[Problem]:
    """At `nodes.<i>.<field>` or the field's name. `llms`: the providers there are; None asks not."""
    return [*_check_way(work), *node.check(work.nodes or (), llms)]


def _check_way(work: Agent) -> Iterator[Problem]:
    given = [way for way in WAYS if getattr(work, way) is not None]
    if len(given) != 1:
        yield Problem(given[1] if given else "nodes", "an agent has exactly one of nodes, command and url")
    for field, way in BELONGS.items():
        if getattr(work, field) and way not in given:
            yield Problem(field, f"is for an agent with {way}")
    if work.url is not None and not work.url.lower().startswith(("http://", "https://")):
        yield Problem("url", "only http and https can be called", work.url[:200])
