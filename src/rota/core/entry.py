"""Entries of a run's log that have structure: each is a line of the stream `entry`, whose text is one JSON object."""

from typing import Any, Literal, get_args

import msgspec

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)
# A longer line of a log is cut in two, and neither half would be JSON.
LONGEST_BYTES = 60 * 1024
# JSON writes one character in six bytes at most.
_LONGEST_MESSAGE = 10_000


def encode_message(level: Level, message: str, percent: int | None = None) -> bytes:
    """What a module says, as a line (fylr §4.3): level, message, and how far it has come. A long message is cut."""
    entry: dict[str, Any] = {"level": level, "msg": _cut(message)}
    return encode_entry(entry if percent is None else {**entry, "percent": percent})


def encode_entry(entry: dict[str, Any]) -> bytes:
    """Any object as a line. Raises ValueError for one that is longer than LONGEST_BYTES."""
    line = msgspec.json.encode(entry) + b"\n"
    if len(line) > LONGEST_BYTES:
        raise ValueError(f"an entry of {len(line)} bytes is too long; {LONGEST_BYTES} is the most")
    return line


def decode_entry(text: str) -> dict[str, Any] | None:
    """The object of a line; None for a line that is none."""
    try:
        entry = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return entry if isinstance(entry, dict) else None


def plain(text: str) -> str:
    """A line as a person reads it: `warning 40% half of it is gone`. Objects of another kind stay JSON."""
    entry = decode_entry(text)
    if entry is None or not isinstance(entry.get("msg"), str) or entry.get("level") not in LEVELS:
        return text
    percent = entry.get("percent")
    return " ".join([entry["level"], *([f"{percent}%"] if isinstance(percent, int) else []), entry["msg"]])


def writable(text: str) -> str:
    """Without what UTF-8 cannot write: the names of files may hold any byte, and come as single surrogates."""
    return text.encode(errors="backslashreplace").decode()


def _cut(message: str) -> str:
    text = writable(message[: _LONGEST_MESSAGE + 1])
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
