"""Replaces secret values in a stream of bytes, wherever the chunks are cut."""

import re
from collections.abc import Collection, Iterator
from typing import Any

REDACTED = b"[redacted]"
MIN_SECRET_BYTES = 4  # shorter values stand everywhere in ordinary output: masking them would hide nothing but the output


_NOTHING = re.compile(b"(?!)")


class Secrets:
    """Literal values that must not be shown. Each line of a multi-line value is a secret too.

    Values, and lines of values, shorter than 4 bytes are not masked on their own. Overlapping values are masked together.
    """

    def __init__(self, values: Collection[str]) -> None:
        self._values: list[bytes] = []
        self._pattern = _NOTHING
        if not values:  # as most runs are: a pattern for each of them would be made for nothing
            return
        found = {piece for value in values for piece in _pieces(value) if len(piece) >= MIN_SECRET_BYTES}
        self._values = sorted(found, key=lambda value: (-len(value), value))
        self._pattern = re.compile(b"|".join(re.escape(value) for value in self._values))

    def __bool__(self) -> bool:
        return bool(self._values)

    def redact(self, text: bytes) -> bytes:
        """The whole of a text, masked."""
        stream = MaskedStream(self)
        return stream.feed(text) + stream.flush()

    def redact_text(self, text: str) -> str:
        return self.redact(text.encode(errors="surrogatepass")).decode(errors="surrogatepass") if self else text

    def redact_all(self, value: Any) -> Any:
        """A document, with what is secret hidden in all of its texts."""
        match value:
            case str():
                return self.redact_text(value)
            case dict():
                return {self.redact_text(name): self.redact_all(item) for name, item in value.items()}
            case list():
                return [self.redact_all(item) for item in value]
            case _:
                return value

    def occur_in(self, data: bytes) -> bool:
        return any(value in data for value in self._values)

    def find_spans(self, data: bytes, covered: int) -> Iterator[tuple[int, int]]:
        """What to hide, overlaps joined, in order. The first `covered` bytes are taken as hidden."""
        start, end = 0, covered
        found = self._pattern.search(data)
        while found:
            if found.start() < end:
                end = max(end, found.end())
            else:
                if end:
                    yield start, end
                start, end = found.span()
            found = self._pattern.search(data, found.start() + 1)
        if end:
            yield start, end

    def find_unfinished(self, data: bytes) -> int:
        """Where the earliest secret starts that the end of `data` cuts off; its length if there is none."""
        return min((_cut_off_at(value, data) for value in self._values), default=len(data))


class MaskedStream:
    """One stream in masking. Holds back only the bytes that may turn out to begin a secret."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._held = b""
        self._covered = 0  # so many of the held bytes belong to a secret that was already shown as redacted

    def feed(self, chunk: bytes) -> bytes:
        data = self._held + chunk
        return self._release(data, self._secrets.find_unfinished(data))

    def flush(self) -> bytes:
        """What was held back: nothing follows that could complete a secret."""
        return self._release(self._held, len(self._held))

    def _release(self, data: bytes, hold: int) -> bytes:
        if not self._covered and not self._secrets.occur_in(data):
            self._held = data[hold:]
            return data[:hold]
        out: list[bytes] = []
        shown, covered = 0, 0
        for start, end in self._secrets.find_spans(data, self._covered):
            is_open = start == 0 and self._covered > 0
            if start < hold and not is_open:
                out += (data[shown:start], REDACTED)
            if start < hold or is_open:
                shown, covered = min(end, hold), max(0, end - hold)
        out.append(data[shown:hold])
        self._held, self._covered = data[hold:], covered
        return b"".join(out)


def _pieces(value: str) -> Iterator[bytes]:
    whole = value.encode(errors="surrogateescape").strip(b"\r\n")
    yield whole
    yield from (line.strip() for line in whole.splitlines())


def _cut_off_at(secret: bytes, data: bytes) -> int:
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(secret[:1], at + 1)
    return len(data) if at < 0 else at
