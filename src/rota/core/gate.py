"""The one gate that all jittered starts go through, so that as few as possible of them run together (RunWisp §6.6)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace


class Fire(Struct, frozen=True, kw_only=True):
    """One tick of a task with a jitter window.

    deadline_at  tick and place in the window: it starts then at the latest
    window_s     how far it may slip behind its tick at most
    """

    run_id: str
    name: str
    tick_at: datetime
    deadline_at: datetime
    window_s: float

    @property
    def order(self) -> tuple[datetime, str, datetime]:
        return (self.deadline_at, self.name, self.tick_at)


class Flight(Struct, frozen=True):
    """A fire that was let through at `started_at`, and has not ended."""

    fire: Fire
    started_at: datetime


class Gate(Struct):
    """What is in flight, and what is held. Each step changes it in place; `started` and `moved` tell what has changed.

    started  let through by a step
    moved    fires whose deadline is another one now, in flight or held
    """

    in_flight: list[Flight] = field(default_factory=list)
    held: list[Fire] = field(default_factory=list)
    started: list[Fire] = field(default_factory=list)
    moved: list[Fire] = field(default_factory=list)

    def step(self, arrived: Iterable[Fire], now: datetime) -> None:
        """Everything that happens at one moment: what was held goes before what arrives."""
        self._drain(now)
        for fire in sorted(arrived, key=lambda each: each.order):
            self._arrive(fire, now)
        self._drain(now)

    @property
    def next_at(self) -> datetime | None:
        """When the first held fire starts, should nothing end before."""
        return min((fire.deadline_at for fire in self.held), default=None)

    @property
    def latest_moves(self) -> list[Fire]:
        """`moved` without those that were moved again."""
        return list({fire.run_id: fire for fire in self.moved}.values())

    def _arrive(self, fire: Fire, now: datetime) -> None:
        window = timedelta(seconds=fire.window_s)
        if all(now - flight.started_at >= window for flight in self.in_flight):
            self._start(fire, now)
        else:
            self.held.append(self._swapped(fire))

    def _swapped(self, fire: Fire) -> Fire:
        """It takes the later slot of a peer of its tick that was pulled forward into its own, as far as its window lets it."""
        later = [flight for flight in self.in_flight if _is_ahead(flight, fire)]
        if not later:
            return fire
        peer = min(later, key=lambda flight: flight.fire.order)
        latest_at = fire.tick_at + timedelta(seconds=fire.window_s)
        pulled = replace(peer.fire, deadline_at=fire.deadline_at)
        self.in_flight[self.in_flight.index(peer)] = Flight(pulled, peer.started_at)
        self.moved += [pulled, swapped := replace(fire, deadline_at=min(peer.fire.deadline_at, latest_at))]
        return swapped

    def _drain(self, now: datetime) -> None:
        """Start what has waited long enough and, when nothing is in flight, the one with the earliest deadline."""
        for fire in sorted(self.held, key=lambda each: each.order):
            if fire.deadline_at <= now or not self.in_flight:
                self.held.remove(fire)
                self._start(fire, now)

    def _start(self, fire: Fire, now: datetime) -> None:
        self.in_flight.append(Flight(fire, now))
        self.started.append(fire)


def _is_ahead(flight: Flight, fire: Fire) -> bool:
    """Whether it has the same tick and a later slot, and was started before that slot."""
    peer = flight.fire
    return peer.tick_at == fire.tick_at and fire.deadline_at < peer.deadline_at and flight.started_at < peer.deadline_at
