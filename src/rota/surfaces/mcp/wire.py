"""What tools are given and what they answer, field by field. Moments are RFC 3339 in UTC with `Z`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from rota.core.schedule.event import LONGEST_TOPIC
from rota.core.states import State
from rota.core.task import Source, Status
from rota.surfaces.native.wire import Next, Run

# Clients give up on a call after about a minute.
LONGEST_WAIT_S = 50
FAR = 2**53

TaskRef = Annotated[str, Meta(min_length=1, max_length=200, description="The id of a task, or its name.")]
RunId = Annotated[str, Meta(min_length=1, max_length=100, description="The id of a run.")]
Limit = Annotated[int, Meta(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[str, Meta(max_length=200, description="`next_cursor` of the page before.")]
Count = Annotated[int, Meta(ge=1, le=100, description="How many planned instants.")]
Params = Annotated[dict[str, Any], Meta(description="Values over the task's own `params`.")]
Change = Annotated[
    dict[str, Any],
    Meta(
        description="Fields of the task's document as in create_task. null takes a field away; an object that names its `kind` "
        "(executor, schedule) takes the whole place; other objects are merged. The name stays."
    ),
]
WaitSeconds = Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S, description="How many seconds to wait at most; ask again after that.")]
Version = Annotated[int, Meta(ge=1, le=FAR, description="The version it was read at; refused if it has changed since.")]
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Makes it safe to repeat: the same key with the same arguments answers the same run.",
    ),
]
FromLine = Annotated[
    int, Meta(ge=-FAR, le=FAR, description="The number of the first line, from 0; a negative one counts from the end.")
]
Lines = Annotated[int, Meta(ge=1, le=1000, description="How many lines at most.")]
DelaySeconds = Annotated[int, Meta(ge=1, le=604_800, description="By how many seconds: up to a week.")]
Moment = Annotated[datetime, Meta(tz=True)]


class Nothing(Struct, forbid_unknown_fields=True):
    """No arguments."""


class OfTask(Struct, forbid_unknown_fields=True):
    task: TaskRef


class OfRun(Struct, forbid_unknown_fields=True):
    run_id: RunId


class OfList(Struct, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = 50
    cursor: Cursor | None = None


class ToUpdate(OfTask, forbid_unknown_fields=True, kw_only=True):
    change: Change
    version: Version | None = None


class ToPreview(OfTask, forbid_unknown_fields=True, kw_only=True):
    """`params` are those of the run that a pipeline is shown for."""

    count: Count = 5
    params: Params = {}


class ToStart(OfTask, forbid_unknown_fields=True, kw_only=True):
    params: Params = {}
    idempotency_key: Key | None = None


class ToSnooze(OfTask, forbid_unknown_fields=True, kw_only=True):
    delay_s: DelaySeconds
    reason: Annotated[str, Meta(max_length=1000)] | None = None


class OfSlots(OfTask, forbid_unknown_fields=True, kw_only=True):
    """`at` asks about one instant; the answer then says why, if nothing ran."""

    at: Moment | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class OfRuns(OfList, forbid_unknown_fields=True, kw_only=True):
    """Without `task` those of all tasks; without `states` in any state."""

    task: TaskRef | None = None
    states: list[State] | None = None


class ToWait(OfRun, forbid_unknown_fields=True, kw_only=True):
    wait_s: WaitSeconds = 25


class OfLog(OfRun, forbid_unknown_fields=True, kw_only=True):
    from_line: FromLine = -100
    limit: Lines = 200


class ToPublish(Struct, forbid_unknown_fields=True):
    topic: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOPIC)]
    payload: dict[str, Any] = {}


class Task(Struct, kw_only=True):
    """`document` is what create_task takes, without what is left to defaults. `next_at`: the next planned instant."""

    id: str
    name: str
    status: Status
    source: Source
    owner_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    next_at: datetime | None
    document: dict[str, Any]


class TaskLine(Struct, kw_only=True):
    """A task in a list. `schedule` is null for one that is started by hand."""

    id: str
    name: str
    title: str | None
    status: Status
    executor: str
    schedule: str | None
    is_service: bool
    next_at: datetime | None
    labels: list[str]


class Removed(Struct):
    removed: str


class Snoozed(Struct):
    """The task with its new next slot, and the run that stands for the occurrence that was put off."""

    task: Task
    run: Run


class PreviewedStep(Struct, kw_only=True):
    """What is known of a step before it runs. Templates that wait for earlier steps stay as they are written.

    runs: what its condition comes to, null if that waits · waits_for: what it reads of earlier steps · problem: why it would fail
    """

    id: str
    uses: str
    with_: Any = field(name="with")
    runs: bool | None
    waits_for: list[str]
    problem: str | None


class Preview(Struct):
    """`next`: planned instants. `steps`: of a pipeline; null for other executors."""

    next: list[Next]
    steps: list[PreviewedStep] | None


class Started(Struct):
    """`replayed`: an earlier call with the same key started it."""

    run: Run
    replayed: bool


class Waited(Struct):
    """`ended` false: it goes on, ask again."""

    run: Run
    ended: bool


class StepTool(Struct, kw_only=True):
    """A tool that steps of pipelines can call: `uses` its name, `with` what its schema says."""

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    right: str | None
    scopes: list[str]


class StepTools(Struct):
    items: list[StepTool]


class FieldFault(Struct):
    """`location` is a path into the arguments, such as `executor.steps.0.uses`."""

    location: str
    message: str


class Fault(Struct, kw_only=True):
    """Why a call came to nothing. `code` is stable, `hint` the next step."""

    code: str
    message: str
    hint: str | None = None
    fields: list[FieldFault] = []


class Called(Struct, kw_only=True, omit_defaults=True):
    """What came of a call: `result`, or `error`."""

    ok: bool
    tool: str
    result: Any = None
    error: Fault | None = None


class Listed(Struct):
    name: str
    description: str


class Described(Struct, kw_only=True):
    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


class About(Struct, kw_only=True):
    name: Literal["rota"] = "rota"
    version: str
    tools: int


class Handshake(Struct, kw_only=True):
    """`session_id` names this conversation for the client alone: the server keeps nothing of one."""

    name: Literal["rota"] = "rota"
    version: str
    session_id: str
    tools: list[str]
