"""Names of later RunWisp releases, read as ours with a warning (RunWisp §20)."""

from typing import Any

from rota.config.document import Table

RENAMED = {"manual_trigger": "api_trigger", "max_queued": "queue_max", "restart_attempts": "start_retries"}
RENAMED_NOTIFY = {
    "keep_notifications": "history_keep",
    "keep_for": "history_keep_for",
    "coalesce_limit": "occurrence_ring",
    "retry_budget": "default_timeout",
}
REVALUED = {"on_overlap": {"kill": "terminate"}, "log_on_full": {"kill": "kill_task"}}


def modernise_unit(table: Table) -> None:
    """Turn later names and values of a unit, or of [defaults], into ours, in place."""
    for old, new in RENAMED.items():
        if old in table.values:
            _move(table, old, table, new)
    for key, values in REVALUED.items():
        value = table.values.get(key)
        if isinstance(value, str) and value in values:
            _deprecate(table, key, f'"{value}"', f'"{values[value]}"')
            table.values[key] = values[value]
    _modernise_catch_up(table)


def modernise_root(root: Table) -> None:
    """`[daemon] timezone` is `[scheduler] timezone`."""
    daemon = root.values.get("daemon")
    scheduler = root.values.setdefault("scheduler", {}) if isinstance(daemon, dict) and "timezone" in daemon else None
    if isinstance(daemon, dict) and isinstance(scheduler, dict):
        _move(Table(root.document, ("daemon",), daemon), "timezone", Table(root.document, ("scheduler",), scheduler), "timezone")


def modernise_notifying(root: Table) -> None:
    """`[notifiers.ID]` is a `[[notifier]]` with that id, `[[route]]` a `[[notification_route]]`, and keys of [notify] have other
    names."""
    _modernise_notifiers(root)
    if isinstance(root.values.get("route"), list):
        _move(root, "route", root, "notification_route")
    notify = root.values.get("notify")
    if isinstance(notify, dict):
        table = Table(root.document, ("notify",), notify)
        for old, new in RENAMED_NOTIFY.items():
            if old in notify:
                _move(table, old, table, new)


def _modernise_notifiers(root: Table) -> None:
    later, ours = root.values.get("notifiers"), root.values.setdefault("notifier", [])
    if isinstance(later, dict) and isinstance(ours, list):
        _deprecate(root, "notifiers", "notifiers", "[[notifier]] with an id")
        for identity in [key for key, values in later.items() if isinstance(values, dict)]:
            root.document.rename(("notifiers", identity), ("notifier", len(ours)))
            ours.append({**later.pop(identity), "id": identity})
        if not later:
            del root.values["notifiers"]
    if not root.values["notifier"]:
        del root.values["notifier"]


def _move(source: Table, old: str, target: Table, new: str) -> None:
    if new in target.values:
        source.error(f"is the later name of {_name(source, target, new)}, which is given too", old, on_key=True)
        del source.values[old]
        return
    _deprecate(source, old, old, _name(source, target, new))
    source.document.rename((*source.path, old), (*target.path, new))
    target.values[new] = source.values.pop(old)


def _name(source: Table, target: Table, key: str) -> str:
    return key if source.path == target.path else f"[{target.path[-1]}] {key}"


def _deprecate(table: Table, key: str, old: str, new: str) -> None:
    table.warn(f"deprecated: {old} is a name of another version, write {new}", key)


def _modernise_catch_up(table: Table) -> None:
    """A number of runs: 0 skip, 1 latest, more all with that cap."""
    count: Any = table.values.get("catch_up")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        return
    policy = {0: "skip", 1: "latest"}.get(count, "all")
    _deprecate(table, "catch_up", "a number", f'"{policy}"')
    table.values["catch_up"] = policy
    if count > 1:
        table.document.rename((*table.path, "catch_up"), (*table.path, "max_catch_up_runs"))
        table.values.setdefault("max_catch_up_runs", count)
