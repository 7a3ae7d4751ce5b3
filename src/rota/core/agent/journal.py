"""What an agent's run says of itself, in lines of its log: each item an entry, a long one several that belong together."""

from collections.abc import Iterable, Iterator

from rota.core.entry import Level, decode_entry, encode_entry

# JSON writes one character in six bytes at most, and an entry has 60 KiB.
PIECE = 10_000


def encode(level: Level, text: str) -> bytes:
    """The lines of one item; all but the last say that there is `more`."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    *first, last = pieces
    lines = [encode_entry({"level": level, "msg": piece, "more": True}) for piece in first]
    return b"".join([*lines, encode_entry({"level": level, "msg": last})])


def decode(lines: Iterable[str]) -> Iterator[str]:
    """The items that these lines of the stream `entry` hold, as they were written; one that is not whole yet is not told."""
    begun: list[str] = []
    for line in lines:
        entry = decode_entry(line)
        if entry is None or not isinstance(entry.get("msg"), str):
            continue
        begun.append(entry["msg"])
        if entry.get("more") is not True:
            yield "".join(begun)
            begun = []
