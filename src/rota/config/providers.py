"""`[providers.NAME]`: services that answer for language models, beside those that are always there."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from rota.config.document import Table
from rota.config.kinds import LABEL, SECRET, URL, Kind, enum, integer
from rota.config.quantities import duration
from rota.config.secret import Secret

ProviderKind = Literal["anthropic", "openai", "replicate", "echo"]
# Names of the agents' own language, and what they stand for unless the settings say more (NLA §7.1).
BUILT_IN: dict[str, ProviderKind] = {"claude": "anthropic", "replicate": "replicate", "echo": "echo"}

PROVIDER_KEYS: dict[str, tuple[Kind, str]] = {
    "kind": (
        enum("anthropic", "openai", "replicate", "echo"),
        "Whose API it speaks. Needed, but for the names `claude`, `replicate` and `echo`, which are always there.",
    ),
    "base_url": (URL, "Where it is. The service's own address unless given."),
    "api_key": (SECRET, "Used where a node or step names no key of its own."),
    "model": (LABEL, "Used by `llm.NAME.complete` where a step names none."),
    "timeout": (duration(positive=True), "How long one answer may take, all of it. 10m unless given."),
    "max_retries": (integer(0, 20), "Further tries when it is overloaded or cannot be reached. 4 unless given."),
}


class ProviderSettings(Struct, frozen=True, kw_only=True):
    """One provider. `timeout` is seconds; a `base_url` of None is the service's own."""

    name: str
    kind: ProviderKind
    base_url: str | None = None
    api_key: Secret | None = None
    model: str | None = None
    timeout: float = 600.0
    max_retries: int = 4


def read_providers(root: Table) -> Iterator[ProviderSettings]:
    """Errors go to the document's findings."""
    section = root.child("providers")
    for name in section.values if section is not None else ():
        table = section.child(name) if section is not None else None
        if table is not None:
            yield from _read_provider(name, table)


def _read_provider(name: str, table: Table) -> Iterator[ProviderSettings]:
    before = len(table.document.findings.errors)
    table.check_name()
    table.refuse_unknown(PROVIDER_KEYS)
    values: dict[str, Any] = {
        key: value for key, (kind, _) in PROVIDER_KEYS.items() if (value := table.read(key, kind)) is not None
    }
    kind = values.setdefault("kind", BUILT_IN.get(name))
    if kind is None and "kind" not in table.values:
        table.error("needs kind")
    if name in BUILT_IN and kind is not None and kind != BUILT_IN[name]:
        table.error(f"{name} is {BUILT_IN[name]} everywhere; give this one another name", "kind")
    if len(table.document.findings.errors) == before:
        yield ProviderSettings(name=name, **values)
