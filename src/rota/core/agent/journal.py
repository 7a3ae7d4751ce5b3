"""What an agent's run says of itself, in lines of its log: each item an entry, a long one several that belong together."""

from collections.abc import Iterable, Iterator
from typing import Any

from rota.core.entry import Level, decode_entry, encode_entry

# JSON writes one character in six bytes at most, and an entry has 60 KiB.
PIECE = 10_000


def encode(level: Level, text: str) -> bytes:
    """The lines of one item, numbered from 0; all but the last say that there is `more`."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    last = len(pieces) - 1
    return b"".join(encode_entry({"level": level, "msg": piece, **_place(part, last)}) for part, piece in enumerate(pieces))


def decode(lines: Iterable[str]) -> Iterator[str]:
    """The items that these lines of the stream `entry` hold, as they were written.

    One that is not whole is not told: it is being written, or a crash came between.
    """
    begun: list[str] = []
    for line in lines:
        entry = decode_entry(line)
        if entry is None or not isinstance(entry.get("msg"), str):
            continue
        part = entry.get("part", 0)
        begun = [*begun, entry["msg"]] if part == len(begun) else [entry["msg"]] if part == 0 else []
        if begun and entry.get("more") is not True:
            yield "".join(begun)
            begun = []


def _place(part: int, last: int) -> dict[str, Any]:
    return {**({"part": part} if part else {}), **({"more": True} if part < last else {})}
