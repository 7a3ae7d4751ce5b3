"""What a provider of language models is asked, what it answers, and how it fails."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

# Of what a provider says about an error, this much is told on.
MOST_WORDS = 300


class ProviderFault(Exception):
    """A provider gave no answer. The message is for the run's log; keys are masked by who logs it.

    is_passing     another try may help: it is overloaded, or could not be reached
    retry_after_s  it asks not to be tried again before so many seconds
    """

    def __init__(self, message: str, *, is_passing: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


class ToolSpec(Struct, frozen=True):
    """A tool a model may ask for. `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]


class ToolUse(Struct, frozen=True):
    """A model asks for a tool."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResult(Struct, frozen=True):
    """What came of a ToolUse with that id."""

    id: str
    text: str
    is_error: bool = False


class Turn(Struct, frozen=True, kw_only=True):
    """One side's part in a conversation: the user's text or results, the model's text and what it asks for."""

    role: Literal["user", "assistant"]
    text: str = ""
    uses: Sequence[ToolUse] = ()
    results: Sequence[ToolResult] = ()


class Asked(Struct, frozen=True, kw_only=True):
    """One question to a model.

    apikey   where it is empty, the operator's for this provider counts
    on_text  called with each part of the text as it comes
    note     takes a line about what happens meanwhile, such as another try
    """

    model: str
    turns: Sequence[Turn]
    system: str = ""
    temperature: float | None = None
    max_tokens: int = 1024
    apikey: str = ""
    tools: Sequence[ToolSpec] = ()
    on_text: Callable[[str], object] = lambda _: None
    note: Callable[[str], object] = lambda _: None


class Completion(Struct, kw_only=True):
    """A model's answer.

    usage  input_tokens and output_tokens, as the provider counts them; empty where it does not tell
    stop   why it ended, in the provider's word
    """

    text: str = ""
    uses: list[ToolUse] = []
    usage: dict[str, int] = {}
    stop: str | None = None


class Provider(Protocol):
    """Models behind one address.

    keys  secrets of its own, to be masked wherever it is told of
    """

    name: str
    keys: Sequence[str]
    model: str | None

    async def complete(self, asked: Asked) -> Completion:
        """Raises ProviderFault. Lets itself be cancelled."""
