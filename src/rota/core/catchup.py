"""Which of a task's due slots are run, and which are only recorded as missed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from rota.core.policy import Policy
from rota.core.schedule import Planned, Schedule

# No more slots than this are looked at from either end of a long sleep, whatever the schedule.
LOOKED_AT = 1000


class Due(Struct, frozen=True):
    """Slots up to a moment, oldest first. `is_cut` says that there were more in the middle than anybody wants counted."""

    slots: list[Planned]
    is_cut: bool = False


class Plan(Struct, frozen=True):
    """A verdict on every due slot, in time order; the three lists are disjoint.

    on_time  simply due
    made_up  fell into a time when nothing was awake, and are run now
    missed   fell into such a time, and are only recorded
    repeats  suppressed second occurrences of a wall time
    """

    on_time: list[Planned]
    made_up: list[Planned]
    missed: list[Planned]
    repeats: list[Planned]

    @property
    def slept_through(self) -> int:
        return len(self.made_up) + len(self.missed)


def looked_at(policy: Policy) -> int:
    """How many slots from either end of a sleep matter."""
    return max(LOOKED_AT, policy.max_catch_up if policy.catch_up == "all" else 0)


def due_slots(schedule: Schedule, cursor_at: datetime, now: datetime, most: int = LOOKED_AT) -> Due:
    """All slots after `cursor_at` up to `now`.

    After a sleep of more than `most` slots: the oldest and the newest of them.
    """
    oldest = list(islice(_between(schedule, cursor_at, now), most))
    if len(oldest) < most or (following := schedule.next_after(oldest[-1].at)) is None or following.at > now:
        return Due(oldest)
    pace = (oldest[-1].at - oldest[0].at) / (len(oldest) - 1) if len(oldest) > 1 else timedelta(seconds=1)
    resume_at = max(oldest[-1].at, now - pace * most)
    newest = list(_between(schedule, resume_at, now))[-most:]
    return Due(oldest + newest, is_cut=resume_at > oldest[-1].at)


def _between(schedule: Schedule, after: datetime, until: datetime) -> Iterator[Planned]:
    slot = schedule.next_after(after)
    while slot is not None and slot.at <= until:
        yield slot
        slot = schedule.next_after(slot.at)


def plan(
    due: list[Planned],
    policy: Policy,
    anchor_at: datetime,
    awake_since: datetime,
    now: datetime,
    idle_since: datetime | None = None,
) -> Plan:
    """Split the due slots of one task.

    anchor_at    when its schedule was given: a slot before that was due from the start, and slept through by nobody
    awake_since  slots after this moment are simply due, however late they are handled; slots up to it fell into a time
                 when nothing was awake (downtime, suspend, a clock that was set forward) and follow `catch_up`:
                 latest = the newest one · all = the newest `max_catch_up` · skip = none
                 idle = the newest one, if no run stood in its way
    idle_since   when the task's last run ended: slots up to it came while a run went on, or was cut off by the downtime
    now          a slot older than `misfire_grace_s` is not made up at all
    """
    real = [slot for slot in due if not slot.suppressed]
    slept = [slot for slot in real if anchor_at < slot.at <= awake_since]
    made_up = _made_up(slept, policy, now, idle_since)
    kept = {slot.at for slot in made_up}
    return Plan(
        on_time=[slot for slot in real if not anchor_at < slot.at <= awake_since],
        made_up=made_up,
        missed=[slot for slot in slept if slot.at not in kept],
        repeats=[slot for slot in due if slot.suppressed],
    )


def is_misfire(slot_at: datetime, policy: Policy, now: datetime) -> bool:
    """Whether a slot is too late to be made up, whatever `catch_up` says."""
    return policy.misfire_grace_s is not None and now - slot_at > timedelta(seconds=policy.misfire_grace_s)


def _made_up(slept: list[Planned], policy: Policy, now: datetime, idle_since: datetime | None) -> list[Planned]:
    fresh = [slot for slot in slept if not is_misfire(slot.at, policy, now)]
    match policy.catch_up:
        case "skip":
            return []
        case "latest":
            return fresh[-1:]
        case "idle":
            return [slot for slot in fresh[-1:] if idle_since is None or slot.at > idle_since]
        case "all":
            return fresh[-policy.max_catch_up :]
