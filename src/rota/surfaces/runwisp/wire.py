"""What goes over the wire, field by field (contract §4, §5, §12). Lengths of time are nanoseconds, sizes bytes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from rota.core.notification import Kind, Severity
from rota.core.policy import Backoff, CatchUp, OnFull, Overlap, Signal
from rota.surfaces.runwisp.words import EndReason, Phase, Stream, TriggeredBy

# Whole numbers that every client can hold.
FAR = 2**53


class Parameter(Struct, kw_only=True, omit_defaults=True):
    """What a run may be given (§11)."""

    kind: Literal["env", "arg", "option", "flag"]
    key: str
    type: Literal["string", "number"] | None = None
    choices: list[str] | None = None
    default: str | None = None
    required: bool = False
    allow_custom: bool = False
    description: str | None = None


class Compose(Struct, kw_only=True, omit_defaults=True):
    file: str
    project_name: str
    service: str | None = None


class Task(Struct, kw_only=True, omit_defaults=True):
    """A task or service as it holds, after inheritance and defaults. What is unset, zero, false or empty is left out, but for
    `name`, `api_trigger` and `autostart`. Secrets are in none of the fields."""

    name: str
    kind: Literal["task", "service"]
    description: str | None = None
    group: str | None = None
    api_trigger: bool
    autostart: bool
    cron: str | None = None
    timezone: str | None = None
    next_run_at: datetime | None = None
    jitter: int = 0
    run_on_start: bool = False
    catch_up: CatchUp | None = None
    max_catch_up_runs: int = 0
    max_concurrent: int = 0
    on_overlap: Overlap | None = None
    queue_max: int = 0
    timeout: int = 0
    graceful_stop: int = 0
    stop_signal: Signal | None = None
    exit_codes: list[int] | None = None
    restart: Literal["never", "on_failure", "always"] | None = None
    restart_delay: int = 0
    restart_backoff: Backoff | None = None
    healthy_after: int = 0
    start_retries: int = 0
    instances: int = 0
    priority: int = 0
    depends_on: list[str] | None = None
    retry_attempts: int = 0
    retry_delay: int = 0
    retry_backoff: Backoff | None = None
    log_max_size: int = 0
    log_on_full: OnFull | None = None
    keep_runs: int = 0
    keep_for: int = 0
    env: dict[str, str] | None = None
    env_file: str | None = None
    secrets_file: str | None = None
    shell: str | None = None
    working_dir: str | None = None
    umask: str | None = None
    user: str | None = None
    parameters: list[Parameter] | None = None
    compose: Compose | None = None


class Run(Struct, kw_only=True, omit_defaults=True):
    """One attempt: a retry is a run of its own that names the one before it."""

    id: str
    task_name: str
    status: Phase
    end_reason: EndReason | None = None
    exit_code: int | None = None
    triggered_by: TriggeredBy
    created_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    retry_attempt: int
    retry_of_run_id: str | None = None
    instance_index: int | None = None
    params: dict[str, str] | None = None


class RunPage(Struct):
    runs: list[Run]
    total: int


class Summary(Struct, kw_only=True, omit_defaults=True):
    """Counts over all runs there are; `last_failure` is when the newest of them failed."""

    total: int
    success: int
    failed: int
    missed: int
    last_failure: datetime | None = None


class LogLine(Struct, omit_defaults=True):
    """`ts` in Unix milliseconds. A line over 64 KiB goes on in lines that are `continued`."""

    n: int
    ts: int
    stream: Stream
    text: str
    continued: bool = False
    frame_count: int = 0


class LogPage(Struct, kw_only=True):
    lines: list[LogLine]
    first_available: int
    total_lines: int
    truncated: bool
    finalized: bool


class LineHistory(Struct):
    """What a line was before, frame by frame, the last one as it stayed; each frame is a list of rows."""

    frames: list[list[str]]


class Hit(Struct):
    run_id: str
    n: int
    stream: Stream
    text: str
    ts: int


class SearchPage(Struct):
    """`scanned_runs`: how many runs this call looked at, 50 at most. Without `next_cursor` it has looked at all."""

    hits: list[Hit]
    exhausted: bool
    scanned_runs: int
    next_cursor: str | UnsetType = UNSET


class LogDone(Struct):
    """`final_line` is the number of the last line, -1 for none."""

    final_line: int
    status: Phase
    end_reason: EndReason | None = None


class Notification(Struct, kw_only=True, omit_defaults=True):
    """A line of the bell: one happening, or several alike. `occurrences` are the newest of them, in order of time."""

    id: str
    kind: Kind
    severity: Severity
    title: str
    body: str
    task_name: str
    run_id: str
    fingerprint: str
    count: int
    occurrences: list[datetime]
    created_at: datetime
    last_occurred_at: datetime
    read_at: datetime | None = None


class NotificationPage(Struct):
    """Newest first. `next_cursor`, where there is more, is the `before` of the next page."""

    items: list[Notification]
    next_cursor: str | UnsetType = UNSET


class UnreadCount(Struct):
    count: int


class NotificationEvent(Struct):
    notification: Notification
    unread_count: int


class UnreadChanged(Struct):
    unread_count: int


class Message(Struct):
    message: str


class TriggerBody(Struct):
    """`params`: an absent key takes its default, null leaves even that out, "" is an empty value."""

    params: dict[str, Any] | None = None


class FilterBody(Struct):
    """The same names as in the query of a list."""

    status: str | None = None
    task_name: str | None = None
    triggered_by: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    exit_code_min: int | str | None = None
    exit_code_max: int | str | None = None
    retries_only: bool = False
    search: str | None = None


class Selector(Struct):
    """Either `ids`, or `match_all` with `filter` and `except_ids`."""

    ids: Annotated[list[str], Meta(max_length=10_000)] | None = None
    match_all: bool = False
    filter: FilterBody | None = None
    except_ids: Annotated[list[str], Meta(max_length=10_000)] = []


class Affected(Struct):
    affected: int


class Triggered(Struct):
    task_name: str
    run_id: str


class Rerun(Struct):
    triggered: list[Triggered]


class TaskBrief(Struct, kw_only=True, omit_defaults=True):
    name: str
    kind: Literal["task", "service"]
    cron: str | None = None
    next_run_at: datetime | None = None


class Capability(Struct):
    name: str
    available: bool


class DaemonInfo(Struct, kw_only=True):
    version: str
    fingerprint: str
    port: int
    cloud_enabled: bool = False
    service_managed: bool
    auth_disabled: bool
    external_url: str
    scheduling_active: bool
    config_loaded_at: datetime | None
    config_stale: bool
    resolved_timezone: str
    timezone_source: Literal["config", "system"]
    tasks: list[TaskBrief]
    capabilities: list[Capability]


class SystemStats(Struct, kw_only=True):
    """Of the machine; `cpu_usage` and `mem_usage` in percent."""

    name: str
    version: str
    uptime: str
    host: str
    os: str
    arch: str
    cpu_cores: int
    cpu_usage: float
    mem_total: int
    mem_used: int
    mem_usage: float
    work_dir: str


class Changed(Struct):
    name: str
    reasons: list[str]


class Reloaded(Struct):
    added: list[str]
    changed: list[Changed]
    removed: list[str]


class RunEvent(Struct, omit_defaults=True):
    run: Run
    error: str | None = None


class RunDeleted(Struct):
    run_id: str
    task_name: str


class ErrorDetail(Struct, omit_defaults=True):
    location: str | None = None
    message: str | None = None
    value: Any = None


class ErrorModel(Struct, kw_only=True, omit_defaults=True):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: list[ErrorDetail] | None = None


class RunsQuery(Struct):
    """`status`: phases and end reasons with commas between; moments are RFC 3339, both ends included."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    status: str | None = None
    task_name: str | None = None
    triggered_by: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    exit_code_min: str | None = None
    exit_code_max: str | None = None
    retries_only: bool = False
    search: str | None = None
    sort_field: Literal["task_name", "status", "start_at", "exit_code", "duration", "created_at"] | None = None
    sort_direction: Literal["asc", "desc"] = "desc"


class TriggerQuery(Struct):
    """`wait` holds the answer back until the run has ended, `wait_timeout` seconds at most."""

    wait: bool = False
    wait_timeout: Annotated[int, Meta(ge=1, le=3600)] = 300


class NotificationsQuery(Struct):
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    before: str | None = None


class LogQuery(Struct):
    """A negative `from` counts from the end."""

    start: Annotated[int, Meta(ge=-FAR, le=FAR)] = field(name="from", default=-1000)
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


class SearchQuery(Struct):
    q: str = ""
    regex: bool = False
    case: bool = False
    run_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    cursor: str | None = None


class LogStreamQuery(Struct):
    start: Annotated[int, Meta(ge=-FAR, le=FAR)] = field(name="from", default=-1000)
    replay_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 5000
