"""Language models: one file per API that is spoken, all of them in one list."""

from collections.abc import Callable, Sequence

from rota.config import BUILT_IN_PROVIDERS, ProviderSettings
from rota.outgoing import Outgoing
from rota.providers import anthropic, openai, replicate
from rota.providers.base import Asked, Completion, Provider, ProviderFault, ToolResult, ToolSpec, ToolUse, Turn
from rota.providers.echo import Echo
from rota.providers.wire import Wire

__all__ = [
    "Asked",
    "Completion",
    "Provider",
    "ProviderFault",
    "Providers",
    "ToolResult",
    "ToolSpec",
    "ToolUse",
    "Turn",
    "build_providers",
]

MAKERS: dict[str, tuple[Callable[[Wire, str | None], Provider], str]] = {
    "anthropic": (anthropic.Anthropic, anthropic.BASE_URL),
    "openai": (openai.OpenAI, openai.BASE_URL),
    "replicate": (replicate.Replicate, replicate.BASE_URL),
}


class Providers:
    """Those of one server, by name."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._providers)

    def find(self, name: str) -> Provider | None:
        return self._providers.get(name)

    def get(self, name: str) -> Provider:
        """Raises ProviderFault."""
        found = self._providers.get(name)
        if found is None:
            raise ProviderFault(f"there is no provider {name[:100]!r}")
        return found


def build_providers(told: Sequence[ProviderSettings], outgoing: Outgoing) -> Providers:
    """Those that are always there, as the settings have them, and those that only the settings know."""
    always = [ProviderSettings(name=name, kind=kind) for name, kind in BUILT_IN_PROVIDERS.items()]
    return Providers([_make(each, outgoing) for each in {one.name: one for one in [*always, *told]}.values()])


def _make(told: ProviderSettings, outgoing: Outgoing) -> Provider:
    if told.kind == "echo":
        return Echo(told.name, told.model)
    make, base_url = MAKERS[told.kind]
    wire = Wire(
        name=told.name,
        outgoing=outgoing,
        base_url=told.base_url or base_url,
        api_key=told.api_key.reveal() if told.api_key else "",
        timeout_s=told.timeout,
        max_retries=told.max_retries,
    )
    return make(wire, told.model)
