"""What goes over the wire of the native API, field by field. Moments are RFC 3339 in UTC with `Z`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from rota.core.delivery import DeliveryAttempt, DeliveryStatus
from rota.core.inputs import Input
from rota.core.pipeline.account import Checkpoint
from rota.core.placement import MOST_LABELS, PlaceLabel
from rota.core.policy import Policy
from rota.core.run import Attempt, Trigger
from rota.core.schedule import ScheduleSpec
from rota.core.schedule.event import LONGEST_TOPIC
from rota.core.service import ServicePolicy
from rota.core.states import Reason, State
from rota.core.task import Label, Notify, Source, Status
from rota.core.work import Work
from rota.http.paging import DEFAULT_LIMIT, Cursor, Limit

Moment = Annotated[datetime, Meta(tz=True)]
# Whole numbers that every client can hold.
FAR = 2**53


class Task(Struct, kw_only=True):
    """The document of a task (executor, schedule, policy …) and what the server adds to it."""

    id: str
    name: str
    title: str | None
    description: str | None
    group: str | None
    executor: Work
    schedule: ScheduleSpec | None
    policy: Policy
    params: dict[str, Any]
    inputs: list[Input] | None
    labels: list[str]
    runs_on: list[str]
    service: ServicePolicy | None
    run_on_start: bool
    api_trigger: bool
    shared: bool
    notify: Notify
    source: Source
    status: Status
    owner_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    next_at: datetime | None


class TaskChange(Struct, kw_only=True, omit_defaults=True):
    """Any fields of a task's document: RFC 7396, but an object that names its `kind` takes the whole place."""

    title: Annotated[str, Meta(max_length=200)] | None = None
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    group: str | None = None
    executor: Work | None = None
    schedule: ScheduleSpec | None = None
    policy: Policy | None = None
    params: dict[str, Any] | None = None
    inputs: list[Input] | None = None
    labels: list[Label] | None = None
    runs_on: Annotated[list[PlaceLabel], Meta(max_length=MOST_LABELS)] | None = None
    service: ServicePolicy | None = None
    run_on_start: bool | None = None
    api_trigger: bool | None = None
    shared: bool | None = None
    notify: Notify | None = None


class Run(Struct, kw_only=True):
    id: str
    task_id: str
    state: State
    trigger: Trigger
    nominal_at: datetime | None
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int
    exit_code: int | None
    output: Any
    error: str | None
    reason: Reason | None
    params: dict[str, Any]
    priority: int
    instance: int | None
    cause_run_id: str | None
    depth: int
    progress: int | None


class RunBody(Struct, forbid_unknown_fields=True):
    """`params` go over the task's own."""

    params: dict[str, Any] = {}


class SnoozeBody(Struct, forbid_unknown_fields=True):
    delay_s: Annotated[int, Meta(ge=1, le=604_800)]
    reason: Annotated[str, Meta(max_length=1000)] | None = None


class NoBody(Struct, forbid_unknown_fields=True):
    """An empty object, or no body at all."""


class EventBody(Struct, forbid_unknown_fields=True):
    topic: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOPIC)]
    payload: dict[str, Any] = {}


class Event(Struct, kw_only=True):
    """`started`: the runs it started, of tasks the asker may see; `started_total` counts all."""

    id: str
    topic: str
    at: datetime
    started: list[str]
    started_total: int


class Next(Struct):
    """`local` is the same instant with the offset of the schedule's zone."""

    at: datetime
    local: datetime
    note: Literal["dst_gap", "dst_fold"] | None


class NextList(Struct):
    items: list[Next]


class Slot(Struct):
    """`outcome` is null where nothing is recorded; `reason` then says why."""

    nominal_at: datetime
    outcome: State | None
    run_id: str | None
    reason: str | None


class Livez(Struct):
    status: Literal["ok"] = "ok"


class Info(Struct, kw_only=True):
    """What this server is. `details` are facts that differ from server to server."""

    name: Literal["rota"] = "rota"
    version: str
    started_at: datetime
    now: datetime
    default_timezone: str
    actor: str
    details: dict[str, Any]


class ListQuery(Struct):
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class RunsQuery(Struct):
    """`task` is an id or a name, `state` one state or several with commas between."""

    task: str | None = None
    state: str | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class PageQuery(Struct):
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class DeliveriesQuery(Struct):
    """`run` is the id of a run."""

    run: str | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class NextQuery(Struct):
    count: Annotated[int, Meta(ge=1, le=1000)] = 10
    after: Moment | None = None


class SlotsQuery(Struct):
    """`at` asks about one instant."""

    at: Moment | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class LogQuery(Struct):
    """`from` is a line number from 0, or a negative one that counts from the end."""

    start: Annotated[int, Meta(ge=-FAR, le=FAR)] = field(name="from", default=0)
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class LogStreamQuery(Struct):
    """`words` adds events of that name: what standard output has of a line that has not ended, in full each time it grew."""

    start: Annotated[int, Meta(ge=-FAR, le=FAR)] = field(name="from", default=0)
    words: bool = False


class CancelQuery(Struct):
    """`wait` is how many seconds to wait for the end."""

    wait: Annotated[int, Meta(ge=0, le=60)] = 0


class Snoozed(Struct):
    """The task with its new next slot, and the run that stands for the one that was put off."""

    task: Task
    run: Run


class AttemptList(Struct):
    items: list[Attempt]


class Count(Struct):
    count: int


class Mail(Struct):
    """What a mail says that a task sends. The text is there once it was written."""

    to: str
    subject: str | None = None
    text: str | None = None


class Delivery(Struct):
    """Something told to a receiver. `tries`, and the `mail` of a task, are there where one delivery is asked for."""

    id: str
    target: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    due_at: datetime
    run_id: str | None = None
    ended_at: datetime | None = None
    error: str | None = None
    tries: list[DeliveryAttempt] | None = None
    mail: Mail | None = None


class StepList(Struct):
    """`usage`: the tokens that models took for all of them."""

    items: list[Checkpoint]
    usage: dict[str, int]


class Artifact(Struct):
    """A file of a run. `size` in bytes."""

    id: str
    name: str
    type: str
    source: str
    size: int
    content_type: str
    uploaded_at: datetime


class ArtifactList(Struct):
    items: list[Artifact]


class LogDone(Struct):
    """The log is complete. `state` is what the run came to."""

    run_id: str
    state: State
