"""What a running module is given."""

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from rota.core.entry import Level


class Cancelled(Exception):
    """The run is to stop. Raised by `Context.check` and `Context.sleep`; let it through."""


class Channel(Protocol):
    """The way to the server. All of it may be called from any thread."""

    def say(self, level: Level, message: str, percent: int | None) -> None: ...

    def progress(self, percent: int) -> None: ...

    def get_state(self) -> dict[str, Any]:
        """What the last run of the task kept. Waits for the server."""

    def keep(self, state: dict[str, Any]) -> None: ...


class Context:
    """One run, as its module sees it. May be used from any thread.

    run_id   of the run
    task     name of its task
    attempt  from 1
    key      the same for each try of this work, and no other's: for calls that must not be made twice
    params   all that it was given, with defaults, as JSON
    event    what it is started for, where it waits for an event
    given    what the settings hand to a built-in module; empty for all others
    """

    def __init__(
        self,
        channel: Channel,
        *,
        run_id: str = "",
        task: str = "",
        attempt: int = 1,
        key: str = "",
        params: Mapping[str, Any] | None = None,
        event: Mapping[str, Any] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.run_id = run_id
        self.task = task
        self.attempt = attempt
        self.key = key
        self.params = dict(params or {})
        self.event = None if event is None else dict(event)
        self.given = dict(given or {})
        self._channel = channel
        self._cancelled = threading.Event()
        self._state: dict[str, Any] | None = None

    def log(self, level: Level, message: str, percent: int | None = None) -> None:
        """An entry of the run's log; with `percent` the run's progress too."""
        self._channel.say(level, str(message), None if percent is None else _whole(percent))

    def debug(self, message: str, percent: int | None = None) -> None:
        self.log("debug", message, percent)

    def info(self, message: str, percent: int | None = None) -> None:
        self.log("info", message, percent)

    def warning(self, message: str, percent: int | None = None) -> None:
        self.log("warning", message, percent)

    def error(self, message: str, percent: int | None = None) -> None:
        """Only a line of the log: to fail, raise."""
        self.log("error", message, percent)

    def progress(self, percent: float) -> None:
        """How far the run has come, 0 to 100."""
        self._channel.progress(_whole(percent))

    @property
    def state(self) -> dict[str, Any]:
        """What this task keeps from run to run: JSON. What it holds when the run ends, in whatever way, is kept; see `save`."""
        if self._state is None:
            self._state = self._channel.get_state()
        return self._state

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self._state = dict(state)

    def save(self) -> None:
        """Keep the state at once, so that not even a crash loses it."""
        self._channel.keep(self.state)

    @property
    def cancelled(self) -> bool:
        """Whether the run is to stop. Whoever goes on is killed when the grace of the task's policy is over."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises Cancelled if the run is to stop."""
        if self.cancelled:
            raise Cancelled("the run is to stop")

    def sleep(self, seconds: float) -> None:
        """Raises Cancelled as soon as the run is to stop."""
        if self._cancelled.wait(min(max(0.0, seconds), threading.TIMEOUT_MAX)):
            raise Cancelled("the run is to stop")

    def cancel(self) -> None:
        """Ask the module to stop."""
        self._cancelled.set()

    @property
    def touched_state(self) -> dict[str, Any] | None:
        """The state, if anybody has looked at it."""
        return self._state


def _whole(percent: float) -> int:
    return max(0, min(100, int(percent)))
