"""The log of a project's run as its clients read it: one JSON object for each entry (§8.5)."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

Entry = dict[str, Any]
LEVELS = {"stdout": "info", "stderr": "error", "system": "debug"}
UPDATE = "session/update"
# Pieces of a message that is told whole afterwards.
CHUNK = "agent_message_chunk"
TURN_COMPLETE, AWAITING_INPUT = "_posthog/turn_complete", "_posthog/awaiting_user_input"
# After these nothing is due from the worker until somebody answers.
IDLE = frozenset({TURN_COMPLETE, AWAITING_INPUT})


def notification(method: str, params: Mapping[str, Any], at: datetime) -> Entry:
    """An entry of our own."""
    told = {"jsonrpc": "2.0", "method": method, "params": dict(params)}
    return {"type": "notification", "timestamp": _stamp(at), "notification": told}


def console(run_id: str, stream: str, text: str, at: datetime) -> Entry:
    """A line that the work printed. One that is an entry itself is shown as what it is."""
    if stream == "stdout" and text.startswith("{") and (entry := read_entry(text)) and entry.get("type") == "notification":
        return entry
    params = {"sessionId": run_id, "level": LEVELS.get(stream, "info"), "message": text}
    return notification("_posthog/console", params, at)


def read_entry(text: str) -> Entry | None:
    """None for what is no JSON object."""
    try:
        entry = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return entry if isinstance(entry, dict) else None


def method_of(entry: Entry) -> str | None:
    told = entry.get("notification")
    method = told.get("method") if isinstance(told, dict) else None
    return method if isinstance(method, str) else None


def type_of(entry: Entry) -> str | None:
    """What an entry is filtered by: its method, or which update it is."""
    method = method_of(entry)
    if method != UPDATE:
        return method
    params = entry["notification"].get("params")
    update = params.get("update") if isinstance(params, dict) else None
    kind = update.get("sessionUpdate") if isinstance(update, dict) else None
    return kind if isinstance(kind, str) else UPDATE


def is_kept(entry: Entry) -> bool:
    return type_of(entry) != CHUNK


def find_idle(entries: Collection[Entry]) -> bool | None:
    """Whether nothing is due from the worker behind these entries; None if they say nothing."""
    kinds = [kind in IDLE for entry in entries if (kind := method_of(entry)) is not None]
    return kinds[-1] if kinds else None


def is_after(entry: Entry, moment: datetime) -> bool:
    """Whether it says that it is later; what says no time is not."""
    try:
        at = datetime.fromisoformat(entry["timestamp"])
    except (KeyError, TypeError, ValueError):
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) > moment


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
