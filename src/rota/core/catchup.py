"""Which of a task's due slots are run, and which are only recorded as missed."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.policy import Policy
from rota.core.schedule import Planned


class Plan(Struct, frozen=True):
    """A verdict on every due slot, in time order. `run` and `missed` are disjoint; `repeats` are suppressed wall times."""

    run: list[Planned]
    missed: list[Planned]
    repeats: list[Planned]


def plan(due: list[Planned], policy: Policy, awake_since: datetime, now: datetime) -> Plan:
    """Split the due slots of one task.

    awake_since  slots after this moment are simply due, however late they are handled; slots up to it fell into a time
                 when nothing was awake (downtime, suspend, a clock that was set forward) and follow `catch_up`:
                 latest = the newest one · all = the newest `max_catch_up` · skip = none
    now          a slot later than `misfire_grace_s` is not made up at all
    """
    repeats = [slot for slot in due if slot.suppressed]
    real = [slot for slot in due if not slot.suppressed]
    slept = [slot for slot in real if slot.at <= awake_since]
    on_time = [slot for slot in real if slot.at > awake_since]
    made_up = _made_up(slept, policy, now)
    kept = {slot.at for slot in made_up}
    return Plan(run=made_up + on_time, missed=[slot for slot in slept if slot.at not in kept], repeats=repeats)


def _made_up(slept: list[Planned], policy: Policy, now: datetime) -> list[Planned]:
    if policy.misfire_grace_s is not None:
        oldest = now - timedelta(seconds=policy.misfire_grace_s)
        slept = [slot for slot in slept if slot.at >= oldest]
    match policy.catch_up:
        case "skip":
            return []
        case "latest":
            return slept[-1:]
        case "all":
            return slept[-policy.max_catch_up :]
