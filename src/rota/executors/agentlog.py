"""What an agent's run writes into its log: items that can be read back, and a model's words as they come."""

from collections.abc import Iterable
from typing import Any

from rota.core.agent import journal
from rota.core.entry import Level
from rota.executors.base import Context
from rota.logs import Stream
from rota.logs.mask import MaskedStream, Secrets

# A key so short stands in ordinary text as well: hiding it would hide the text.
SHORTEST_KEY = 8


class AgentLog:
    """Keys that were hidden stand nowhere in what goes through here. Items go to `entry`, a model's words to `stdout`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keys: set[str] = {value for value in context.secrets.values() if value}
        self._secrets = Secrets(self._keys)
        self._words: MaskedStream | None = None
        self._at_line_start = True

    def hide(self, keys: Iterable[str]) -> None:
        """From now on."""
        found = {key for key in keys if len(key) >= SHORTEST_KEY} - self._keys
        if found:
            self.end_words()
            self._keys |= found
            self._secrets = Secrets(self._keys)

    def say(self, level: Level, text: str) -> None:
        """One item."""
        self.end_words()
        self._record("entry", journal.encode(level, self.mask(text)))

    def note(self, text: str) -> None:
        """A line of our own."""
        self.end_words()
        self._context.note(self.mask(text))

    def hear(self, words: str) -> None:
        """A part of what a model says."""
        if self._words is None:
            self._words = MaskedStream(self._secrets)
        self._write(self._words.feed(words.encode(errors="replace")))

    def end_words(self) -> None:
        """The model has said all of it, or will say no more."""
        if self._words is not None:
            self._write(self._words.flush())
            self._words = None
        if not self._at_line_start:
            self._write(b"\n")

    def mask(self, text: str) -> str:
        return self._secrets.redact_text(text)

    def mask_all(self, value: Any) -> Any:
        """A value with the keys in all of its texts hidden."""
        return self._secrets.redact_all(value)

    def _write(self, data: bytes) -> None:
        if data:
            self._at_line_start = data.endswith(b"\n")
            self._record("stdout", data)

    def _record(self, stream: Stream, data: bytes) -> None:
        log, policy = self._context.log, self._context.task.spec.policy
        log.write(stream, data, self._context.now_ms())
        if log.overflowed:
            self._context.stop.ask("log_overflow")
        elif log.disk_pressure and policy.log.on_full == "kill_task":
            self._context.stop.ask("stop")
