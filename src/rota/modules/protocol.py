"""What the server and its workers say to each other: messages of msgpack, each after its length in 4 bytes."""

from typing import Any

import msgspec
from msgspec import Struct

from rota.modules.source import Source

# Longer is no output but a store of its own.
MOST_OUTPUT_BYTES = 8 * 1024 * 1024
MOST_STATE_BYTES = 1024 * 1024
# What a worker says: its output and state, and the end of a traceback.
MOST_MESSAGE_BYTES = MOST_OUTPUT_BYTES + MOST_STATE_BYTES + 1024 * 1024
_LENGTH_BYTES = 4


class Start(Struct, frozen=True, kw_only=True, array_like=True):
    """Work on a run. `params` fit the definition and have its defaults; `env` are its variables (ROTA_RUN_ID …)."""

    source: Source
    module: str
    params: dict[str, Any]
    run_id: str
    task: str
    attempt: int
    key: str
    env: dict[str, str]
    event: dict[str, Any] | None = None
    given: dict[str, Any] = {}


class Begin(Struct, frozen=True, array_like=True):
    """What a worker is to do next. `number` counts what it was given."""

    number: int
    start: Start


class Stop(Struct, frozen=True, tag="stop", array_like=True):
    """The run of that number is to stop. Passed over if it is another's turn by now."""

    number: int


class State(Struct, frozen=True, tag="state", array_like=True):
    """What the task keeps, as the run asked."""

    state: dict[str, Any]


class Said(Struct, frozen=True, tag="said", array_like=True):
    """An entry for the log, whole; with `percent` the run's progress too."""

    line: bytes
    percent: int | None = None


class Came(Struct, frozen=True, tag="came", array_like=True):
    """How far it has come."""

    percent: int


class AskState(Struct, frozen=True, tag="ask", array_like=True):
    """To be answered by State."""


class Keep(Struct, frozen=True, tag="keep", array_like=True):
    """The state, to be kept at once: JSON."""

    state: bytes


class Ended(Struct, frozen=True, kw_only=True, tag="ended", array_like=True):
    """The run is over.

    output     JSON; None for a failure
    error      why it failed, on one line
    traceback  where, for the log
    state      JSON of what it keeps; None where it changed nothing
    left       what it left behind (`threads`, `processes`): the worker must go, and they with it
    cancelled  it ended because it was asked to
    """

    output: bytes | None = None
    error: str | None = None
    traceback: str | None = None
    state: bytes | None = None
    left: list[str] = []
    cancelled: bool = False


# Begin has a way of its own, on which the worker waits for work.
ToWorker = Stop | State
FromWorker = Said | Came | AskState | Keep | Ended
_encode = msgspec.msgpack.Encoder().encode


def encode(message: Begin | ToWorker | FromWorker) -> bytes:
    body = _encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Frames:
    """Cuts what comes into the bodies of messages; `most_bytes` each."""

    def __init__(self, most_bytes: int = 2**32) -> None:
        self._most_bytes = most_bytes
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Raises ValueError for a message that would be too long."""
        held = self._held + data if self._held else data
        found, at = [], 0
        while len(held) - at >= _LENGTH_BYTES:
            length = int.from_bytes(held[at : at + _LENGTH_BYTES], "big")
            if length > self._most_bytes:
                raise ValueError(f"a message of {length} bytes; {self._most_bytes} is the most")
            end = at + _LENGTH_BYTES + length
            if len(held) < end:
                break
            found.append(held[at + _LENGTH_BYTES : end])
            at = end
        self._held = held[at:]
        return found
