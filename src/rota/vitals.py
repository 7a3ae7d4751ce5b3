"""How the server is doing, as its own parts report it: read by health checks and metrics."""

import bisect
from collections import Counter
from datetime import datetime

from msgspec import Struct, field

from rota.core.states import State

DURATION_BOUNDS_S = (0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)


class Histogram(Struct):
    """Counts of durations per upper bound in seconds, the last one without a bound."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS_S) + 1))
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(DURATION_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def add(self, other: "Histogram") -> None:
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s


class Spent(Struct):
    """What work came to beside its outcomes, on another machine: `tokens` as (provider, kind, count)."""

    steps: Histogram
    tokens: list[tuple[str, str, int]]


class Vitals(Struct):
    """Counters since the start of this server, and what stands at this moment.

    problems  name of a part -> what is wrong with it now; empty when all is well
    notes     the same of what should be looked at, and keeps nothing from working
    silent_until  until this moment schedules may have had their runs already, for the clock was set back; None if it was not
    lag_s     how late the scheduler handled the last slot, in seconds
    steps     how long finished steps of pipelines took, retries inside them included
    tokens    what models took, by provider and kind (`input_tokens`, `output_tokens`)
    """

    started_at: datetime
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    ended: Counter[State] = field(default_factory=Counter)
    started: int = 0
    fired: int = 0
    retried: int = 0
    running: int = 0
    waiting: int = 0
    silent_until: datetime | None = None
    lag_s: float = 0.0
    durations: Histogram = field(default_factory=Histogram)
    steps: Histogram = field(default_factory=Histogram)
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take_spent(self) -> Spent | None:
        """All that was counted since the last time, if anything was."""
        if not self.tokens and not any(self.steps.counts):
            return None
        spent = Spent(self.steps, [(provider, kind, count) for (provider, kind), count in self.tokens.items()])
        self.steps, self.tokens = Histogram(), Counter()
        return spent

    def add_spent(self, spent: Spent) -> None:
        self.steps.add(spent.steps)
        for provider, kind, count in spent.tokens:
            self.tokens[provider, kind] += count

    def observe_step(self, seconds: float) -> None:
        self.steps.observe(seconds)

    def count_tokens(self, provider: str, usage: dict[str, int]) -> None:
        for kind, count in usage.items():
            self.tokens[provider, kind] += count
