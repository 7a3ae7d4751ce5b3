"""What of the settings the runs of our modules are given. It goes to the process that works on them, and nowhere else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rota.config import Settings
    from rota.config.notify import Notifier

Given = dict[str, Any]


def nothing(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    return {}


def roots(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    """Folders that may be touched."""
    return {"roots": list(settings.files.roots)}


def databases(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    """And databases: name → URL."""
    return {**roots(settings, notifiers), "databases": {each.name: each.url.reveal() for each in settings.databases}}


def guard(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    """Which addresses may be called."""
    return {"private": settings.outgoing.private, "allow": list(settings.outgoing.allow)}


def mailers(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    """Folders, and mail servers: id of the notifier → its keys, the password as text."""
    found = {each.id: {key: _plain(value) for key, value in each.values.items()} for each in notifiers if each.type == "smtp"}
    return {**roots(settings, notifiers), "mailers": found}


def records(settings: "Settings", notifiers: "Sequence[Notifier]") -> Given:
    """The record store, if one is declared."""
    import msgspec

    store = settings.records
    if store.url is None:
        return {}
    return {"url": store.url.reveal(), "batch": store.batch, "objecttypes": msgspec.to_builtins(list(store.objecttypes))}


def _plain(value: Any) -> Any:
    from rota.config.secret import Secret

    return value.reveal() if isinstance(value, Secret) else value
