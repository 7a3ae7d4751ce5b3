"""How the server is doing: ready or not, and in numbers."""

import asyncio
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.errors import RotaError
from rota.core.states import State
from rota.ops.context import Rota
from rota.store import admission, runs, settings, tasks
from rota.store.database import Connection

PROBE_S = 5.0
# Due work that nobody took up for this long means that a loop stands still.
STUCK = timedelta(seconds=30)


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`reasons`: what keeps the server from doing its work, by the part that says so; empty when it is ready. `notes`: what
    should be looked at, and keeps it from nothing."""

    ready: bool
    reasons: dict[str, str]
    notes: dict[str, str] = {}


class Load(Struct, frozen=True):
    """Live runs by state, as the store has them."""

    live: dict[State, int]


async def check_readiness(rota: Rota) -> Readiness:
    """Whether work is planned, started and recorded. Writes to the store, if it could not be written last time."""
    reasons = dict(rota.vitals.problems)
    try:
        async with asyncio.timeout(PROBE_S):
            await rota.database.write(_probe if rota.database.problem else _look)
            reasons |= await rota.database.read(lambda c: _find_stuck(c, rota))
    except TimeoutError:
        reasons["store"] = f"it did not answer within {PROBE_S:.0f} seconds"
    except RotaError as error:
        reasons["store"] = error.message
    gap = rota.blobs.find_gap()
    silence = _describe_silence(rota.clock.now(), rota.vitals.silent_until)
    own = {"blobs": gap, "scheduler": silence}
    notes = rota.vitals.notes | {part: note for part, note in own.items() if note}
    return Readiness(ready=not reasons, reasons=reasons, notes=notes)


async def read_load(rota: Rota) -> Load:
    return Load(await rota.database.read(runs.count_by_state))


def _describe_silence(now: datetime, until_at: datetime | None) -> str | None:
    """Nothing once the clock is where it was before it was set back."""
    if until_at is None or now >= until_at:
        return None
    behind = until_at - now
    return (
        f"the clock was set back, and is {timedelta(seconds=round(behind.total_seconds()))} behind where it was: slots that were"
        f" run before are not run again, so schedules may be silent until {until_at.isoformat(timespec='seconds')}"
    )


def _probe(c: Connection) -> None:
    settings.upsert_setting(c, "write_probe", "1")


def _look(c: Connection) -> None:
    settings.find_setting(c, "write_probe")


def _find_stuck(c: Connection, rota: Rota) -> dict[str, str]:
    limit = rota.clock.now() - STUCK
    due = {"scheduler": tasks.next_due(c), "dispatcher": admission.next_due(c)}
    return {loop: f"work that was due at {at.isoformat()} was not taken up" for loop, at in due.items() if at and at < limit}
