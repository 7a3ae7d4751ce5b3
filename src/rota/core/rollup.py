"""How a service is doing, from how its instances are (RunWisp §8.3)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

SlotState = Literal["running", "stopped", "fatal", "restarting"]
ServiceState = Literal["stopped", "running", "degraded", "fatal"]


class SlotStatus(Struct, frozen=True, kw_only=True):
    """One instance. `start_at` is when it starts again, `run_id` its live run."""

    number: int
    state: SlotState
    run_id: str | None = None
    start_at: datetime | None = None
    restarts: int = 0
    fast_failures: int = 0


class ServiceStatus(Struct, frozen=True, kw_only=True):
    state: ServiceState
    slots: list[SlotStatus]


def slot_state(*, is_wanted: bool, is_running: bool, is_fatal: bool, is_done: bool = False) -> SlotState:
    """The state of one instance.

    is_wanted  its service is to run, not stopped by anybody
    is_done    it succeeded, and its policy restarts failures alone
    """
    if is_running:
        return "running"
    if is_fatal:
        return "fatal"
    return "restarting" if is_wanted and not is_done else "stopped"


def roll_up(is_wanted: bool, slots: Sequence[SlotState]) -> ServiceState:
    """The state of a service: stopped by somebody or done; running with all its instances up; fatal when every one gave up."""
    if slots and all(slot == "running" for slot in slots):
        return "running"
    if slots and all(slot == "fatal" for slot in slots):
        return "fatal"
    if all(slot == "stopped" for slot in slots) or (not is_wanted and "running" not in slots):
        return "stopped"
    return "degraded"
