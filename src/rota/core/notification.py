"""Who is told of what: kinds of happenings, the routes they take, and when like ones are told together."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from rota.core.push import PushRules
from rota.core.run import Run
from rota.core.states import State
from rota.core.task import Task

Kind = Literal[
    "run.started",
    "run.succeeded",
    "run.failed",
    "run.timeout",
    "run.stopped",
    "run.crashed",
    "run.missed",
    "service.fatal",
    "notify.delivery_failed",
]
Severity = Literal["info", "warn", "error"]
Stage = Literal["first", "check_in", "summary"]

BELL = "inapp"
OF_STATE: dict[State, Kind] = {
    "running": "run.started",
    "succeeded": "run.succeeded",
    "failed": "run.failed",
    "queue_full": "run.failed",
    "timed_out": "run.timeout",
    "stopped": "run.stopped",
    "canceled": "run.stopped",
    "crashed": "run.crashed",
    "missed": "run.missed",
}
SEVERITIES: dict[Kind, Severity] = {
    "run.started": "info",
    "run.succeeded": "info",
    "run.failed": "error",
    "run.timeout": "error",
    "run.stopped": "info",
    "run.crashed": "error",
    "run.missed": "warn",
    "service.fatal": "error",
    "notify.delivery_failed": "warn",
}
ROUTED: frozenset[Kind] = frozenset(SEVERITIES) - {"notify.delivery_failed"}
FAILURES: frozenset[Kind] = frozenset({"run.failed", "run.timeout", "run.crashed", "run.missed", "service.fatal"})


class Notification(Struct, frozen=True, kw_only=True):
    """A line of the bell: one happening, or several alike. `occurrences` holds the newest, in order of time.

    attempt_id  that of the run which it tells of; the first attempt's is its run's
    """

    id: str
    kind: Kind
    severity: Severity
    title: str
    body: str
    fingerprint: str
    created_at: datetime
    last_occurred_at: datetime
    task_name: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    attempt_id: str | None = None
    owner_id: str | None = None
    count: int = 1
    occurrences: list[datetime] = []
    read_at: datetime | None = None


class Note(Struct, frozen=True, kw_only=True):
    """What is told about a run, as it stood then.

    count   how many happenings it stands for, the newest of them this one, the oldest at `since`
    log_end the first line of the run's log that no more belongs to it, where there may be others
    """

    kind: Kind
    task: str
    task_id: str
    run: Run
    at: datetime
    since: datetime
    count: int = 1
    stage: Stage = "first"
    log_end: int | None = None


class Route(Struct, frozen=True, kw_only=True):
    """Happenings that match all that is given go to these targets: `id` of a notifier, or `id:recipient`."""

    targets: tuple[str, ...]
    kinds: frozenset[Kind] = frozenset()
    severities: frozenset[Severity] = frozenset()
    task: str | None = None

    def matches(self, kind: Kind, task_name: str) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.severities or SEVERITIES[kind] in self.severities)
            and (self.task is None or fnmatchcase(task_name, self.task))
        )


class Rules(Struct, frozen=True, kw_only=True):
    """All that decides about telling (RunWisp §15). Without `always` and routes nobody is ever told.

    always     targets of every failure, and beside any other target
    window_s   how long like happenings are held back after one was told; 0: never
    ring       how many are held back at most before a word in between; also how many moments the bell remembers
    outbound   whether like ones are held back outside the bell too
    budget_s   how long a delivery is tried
    notifiers  the targets there are
    push       how the devices of a project task's creator are told; None: not at all
    """

    always: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    window_s: float = 3600.0
    ring: int = 10
    outbound: bool = True
    budget_s: float = 300.0
    notifiers: frozenset[str] = frozenset()
    push: PushRules | None = None

    def concerns(self, kind: Kind, task: Task) -> bool:
        """Whether such a happening may go anywhere: cheap, and asked of every run."""
        if kind in FAILURES:
            return bool(self.always or self.routes or task.spec.notify.on_failure)
        return bool(self.routes or (kind == "run.succeeded" and task.spec.notify.on_success))

    def targets(self, kind: Kind, task: Task) -> list[str]:
        """Where it goes, each target once."""
        listed = [target for route in self.routes if route.matches(kind, task.name) for target in route.targets]
        listed += self._own(kind, task)
        if kind == "run.missed" and not task.spec.notify.on_missed:
            return []
        if not listed and kind not in FAILURES:
            return []
        return list(dict.fromkeys([*listed, *self.always]))

    def _own(self, kind: Kind, task: Task) -> Iterable[str]:
        """The task's own lists. Only the settings file may send to a recipient of its choice."""
        notify = task.spec.notify
        wanted = notify.on_failure if kind in FAILURES else notify.on_success if kind == "run.succeeded" else []
        if task.source == "file":
            return wanted
        return [target for target in wanted if target == BELL or target in self.notifiers]


class Alert(Struct, frozen=True, kw_only=True):
    """Like happenings that are told together, as long as its window lasts. `held` were not told outside yet."""

    fingerprint: str
    ends_at: datetime
    note: Note
    held: int = 0
    notification_id: str | None = None


def kind_of(run: Run) -> Kind | None:
    """What the state of a run is to whoever is told; None for what is told to nobody."""
    if run.reason == "start_failed" and run.state == "failed":
        return "service.fatal"
    return OF_STATE.get(run.state)


def fingerprint(note: Note) -> str:
    """Happenings with the same are alike: task, kind, end reason, and whose run it is."""
    run = note.run
    return sha256("\x00".join([note.task_id, note.kind, run.reason or run.state, run.owner_id or ""]).encode()).hexdigest()[:32]


def absorb(rules: Rules, alert: Alert | None, note: Note) -> tuple[Alert, Note | None]:
    """The alert after one more happening, and what is told outside now: this one, several together, or nothing yet."""
    ends_at = note.at + timedelta(seconds=rules.window_s)
    if alert is None or alert.ends_at <= note.at:
        return Alert(fingerprint=fingerprint(note), ends_at=ends_at, note=note), note
    if not rules.outbound:
        return replace(alert, ends_at=ends_at, note=note), note
    held = alert.held + 1
    newest = replace(note, count=held, since=alert.note.since if alert.held else note.at)
    if held >= rules.ring:
        return replace(alert, ends_at=ends_at, note=newest, held=0), replace(newest, stage="check_in")
    return replace(alert, note=newest, held=held), None


def summarise(rules: Rules, alert: Alert, now: datetime) -> tuple[Alert, Note]:
    """The alert after its window has ended, or the server stops, and what was held back."""
    ends_at = now + timedelta(seconds=rules.window_s)
    return replace(alert, ends_at=ends_at, held=0), replace(alert.note, stage="summary")
