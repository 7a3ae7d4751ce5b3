"""How a task behaves: overlap, limits, retries, catch-up, stopping. One literal list of fields, all with defaults."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

LONGEST_S = 100 * 365 * 86_400  # no moment that is reckoned from it falls off the calendar
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S)]
SomeSeconds = Annotated[float, Meta(gt=0, le=LONGEST_S)]
Overlap = Literal["queue", "skip", "terminate"]
Backoff = Literal["constant", "linear", "exponential", "exponential_jitter"]
CatchUp = Literal["latest", "all", "skip", "idle"]
Signal = Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"]
OnFull = Literal["drop_new", "drop_old", "kill_task"]


class Retry(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What follows a failed attempt. `attempts` counts the extra tries after the first; delays are seconds."""

    attempts: Annotated[int, Meta(ge=0, le=100)] = 0
    backoff: Backoff = "constant"
    delay_s: Seconds = 5.0
    cap_s: Seconds = 300.0


class Restart(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Keeps a task going until it succeeds, as a service's instance is kept alive (RunWisp §8.2). Goes before retries.

    healthy_after_s  an attempt this long begins both counts anew
    start_retries    more failures in a row than this, each before that, and it is given up
    """

    delay_s: Seconds = 1.0
    backoff: Backoff = "constant"
    healthy_after_s: SomeSeconds = 60.0
    start_retries: Annotated[int, Meta(ge=0, le=100)] = 3


class Dst(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What happens to wall times that do not exist or exist twice (design: one rule for all schedules).

    gap      `end` first instant after the gap · `shift` by the offset before it · `skip` not at all
    fold     which of the two occurrences of a fixed-time schedule fires
    interval `real` interval-like schedules fire at every real occurrence · `wall` repeats are suppressed and recorded
    """

    gap: Literal["end", "shift", "skip"] = "end"
    fold: Literal["first", "second", "both"] = "first"
    interval: Literal["real", "wall"] = "real"


class Stop(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a process is asked to end: `signal` to its group, then SIGKILL after `grace_s` (0 = at once)."""

    signal: Signal = "SIGTERM"
    grace_s: Seconds = 5.0


class LogLimit(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Cap of one log segment in bytes, and what happens when it is reached."""

    max_size: Annotated[int, Meta(gt=0, lt=2**53)] = 100 * 1024 * 1024
    on_full: OnFull = "drop_old"


class Policy(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything about a task but what it does and when. Seconds unless the name says otherwise."""

    overlap: Overlap = "queue"
    max_concurrent: Annotated[int, Meta(ge=1, le=1024)] = 1
    queue_max: Annotated[int, Meta(ge=0, le=10_000)] = 100
    concurrency_key: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    dedupe_key: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    dedupe_window_s: Seconds = 0.0
    priority: Annotated[int, Meta(ge=1, le=9)] = 5
    timeout_s: SomeSeconds | None = None
    retry: Retry = field(default_factory=Retry)
    restart: Restart | None = None
    catch_up: CatchUp = "latest"
    max_catch_up: Annotated[int, Meta(ge=1, le=10_000)] = 100
    misfire_grace_s: Seconds | None = None
    jitter_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    dst: Dst = field(default_factory=Dst)
    stop: Stop = field(default_factory=Stop)
    exit_codes: Annotated[list[Annotated[int, Meta(ge=0, le=255)]], Meta(min_length=1)] = field(default_factory=lambda: [0])
    log: LogLimit = field(default_factory=LogLimit)
    keep_runs: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    keep_for_s: SomeSeconds | None = None
    resume_after_crash: bool | None = None
