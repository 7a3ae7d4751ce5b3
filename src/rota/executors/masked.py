"""A run's log that hides values which only this attempt knows to be secret."""

from collections.abc import Sequence

from rota.executors.base import RunLog
from rota.logs import Stream
from rota.logs.mask import MaskedStream, Secrets


class Masked:
    """In front of the log; costs nothing where there is no secret."""

    def __init__(self, log: RunLog, values: Sequence[str]) -> None:
        self._log = log
        self._secrets = Secrets(values)
        self._streams: dict[Stream, MaskedStream] = {}

    def write(self, stream: Stream, data: bytes, at_ms: int) -> None:
        """Bytes as they come; a value may be cut in two."""
        if self._secrets:
            data = self._streams.setdefault(stream, MaskedStream(self._secrets)).feed(data)
        if data:
            self._log.write(stream, data, at_ms)

    def write_whole(self, stream: Stream, lines: bytes, at_ms: int) -> None:
        """Whole lines."""
        self._log.write(stream, self._secrets.redact(lines) if self._secrets else lines, at_ms)

    def flush(self, at_ms: int) -> None:
        for stream, masked in self._streams.items():
            held = masked.flush()
            if held:
                self._log.write(stream, held, at_ms)

    def redact(self, text: str) -> str:
        return self._secrets.redact(text.encode(errors="replace")).decode(errors="replace") if self._secrets else text
