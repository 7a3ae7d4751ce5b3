"""The nodes of a chain: what each may say, and what is checked when it is saved (NLA §7)."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from rota.core.errors import Invalid, Problem

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Variable = Annotated[str, Meta(min_length=1, max_length=200)]
Header = Annotated[str, Meta(pattern=r"^[^\r\n\x00]*$(?!\n)")]


class Prompt(Struct, frozen=True, kw_only=True, tag_field="type", tag="prompt", omit_defaults=True, forbid_unknown_fields=True):
    """Asks a model, and keeps what it says in a variable.

        {"type": "prompt", "name": "Synopsis", "system": "You write films.", "user": "A {genre} film: {prompt}", "llm": "claude",
         "apikey": "{claudeKey}", "model": "claude-sonnet-4-5", "temperature": 1, "maxTokens": 1024, "output": "context"}

    system, user, apikey and model are templates (core.agent.template).

    apikey  of the provider; where it comes to nothing, the operator's for this provider counts
    llm     the name of a provider
    output  the variable that receives the text, made if it is not there
    """

    name: Name
    system: str
    user: str
    apikey: str
    llm: Annotated[str, Meta(min_length=1)]
    model: str
    temperature: int | float
    max_tokens: Annotated[int, Meta(ge=1)] = field(name="maxTokens")
    output: Variable


class Mcp(Struct, frozen=True, kw_only=True, tag_field="type", tag="mcp", omit_defaults=True, forbid_unknown_fields=True):
    """Lets a model work with the tools of an MCP server, until it has an answer.

    config     which server: {"server": "<of the settings>"}, {"url": …, "headers": {…}}, or {"command": […], "env": {…}}
    llm        a provider whose models know tools; Claude unless another is named
    max_steps  how many times the model may ask for tools
    """

    name: Name
    config: dict[str, Any]
    user: str
    apikey: str
    output: Variable
    max_steps: Annotated[int, Meta(ge=1, le=100)] = field(name="maxSteps", default=10)
    llm: Annotated[str, Meta(min_length=1)] = "claude"
    model: str = "claude-sonnet-4-5"
    max_tokens: Annotated[int, Meta(ge=1)] = field(name="maxTokens", default=4096)


class Return(Struct, frozen=True, kw_only=True, tag_field="type", tag="return", omit_defaults=True, forbid_unknown_fields=True):
    """Ends the chain: these variables are the output of the run. One name alone is a list of one."""

    name: Name
    output: Variable | list[Variable]

    @property
    def names(self) -> list[str]:
        return [self.output] if isinstance(self.output, str) else self.output


class ServerConfig(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an Mcp node's `config` says: exactly one of server, url and command."""

    server: Annotated[str, Meta(min_length=1)] | None = None
    url: Annotated[str, Meta(pattern=r"^https?://")] | None = None
    headers: dict[str, Header] = {}
    command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)] | None = None
    env: dict[str, str] = {}


Node = Prompt | Mcp | Return
Nodes = Annotated[list[Node], Meta(max_length=1000)]


def read_nodes(values: Sequence[Any], at: str = "nodes") -> list[Node]:
    """Nodes as they come in. Raises Invalid that names what is wrong with each: `nodes.2.maxTokens`."""
    nodes: list[Node] = []
    problems: list[Problem] = []
    for index, value in enumerate(values):
        try:
            nodes.append(msgspec.convert(value, Node))
        except msgspec.ValidationError as error:
            problems.append(_problem(str(error), f"{at}.{index}"))
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)
    return nodes


def check(nodes: Sequence[Node], llms: Collection[str] | None = None) -> list[Problem]:
    """What is wrong with a chain, at `nodes.<i>.<field>`. `llms`: the providers there are; None asks not."""
    found: list[Problem] = []
    for index, node in enumerate(nodes):
        if isinstance(node, Prompt | Mcp) and llms is not None and node.llm not in llms:
            words = f"there is no provider {node.llm[:100]!r}; there are {', '.join(sorted(llms))}"
            found.append(Problem(f"nodes.{index}.llm", words, node.llm[:100]))
        if isinstance(node, Mcp):
            found += [
                Problem(f"nodes.{index}.config{each.location}", each.message, each.value) for each in _config_problems(node)
            ]
    return found


def server_config(node: Mcp) -> ServerConfig:
    """Raises ValueError and ValidationError for one that names no server as we know them."""
    config = msgspec.convert(node.config, ServerConfig)
    if sum(each is not None for each in (config.server, config.url, config.command)) != 1:
        raise ValueError("needs exactly one of server, url and command")
    return config


def starts_process(nodes: Sequence[Node]) -> bool:
    """Whether a chain starts programs on this machine."""
    return any(isinstance(node, Mcp) and "command" in node.config for node in nodes)


def _config_problems(node: Mcp) -> list[Problem]:
    if not _is_of_ours(node.config):
        return []
    try:
        server_config(node)
    except msgspec.ValidationError as error:
        return [_problem(str(error), "")]
    except ValueError as error:
        return [Problem("", str(error))]
    return []


def _is_of_ours(config: dict[str, Any]) -> bool:
    """What has another shape is kept as it is, and fails when it runs: that shape is published nowhere (NLA §7.2)."""
    known = set(ServerConfig.__struct_fields__)
    return bool(config.keys() & {"server", "url", "command"}) and config.keys() <= known


def _problem(words: str, at: str) -> Problem:
    """What msgspec says, with its place: `Expected `int`, got `str` - at `$.maxTokens``."""
    what, _, place = words.partition(" - at `$")
    missing = what.partition("missing required field `")[2] or what.partition("unknown field `")[2]
    path = place.removesuffix("`").replace("[", ".").replace("]", "") + (f".{missing.removesuffix('`')}" if missing else "")
    return Problem(f"{at}{path}", what[:1].lower() + what[1:])
