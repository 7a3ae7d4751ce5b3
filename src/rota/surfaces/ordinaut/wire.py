"""What goes over the wire of Ordinaut's API, field by field (contract §2 to §4, §7). Moments are UTC, to the microsecond."""

from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

Kind = Literal["cron", "rrule", "once", "event", "condition"]
Backoff = Literal["exponential_jitter", "linear", "fixed"]
TaskStatus = Literal["active", "paused", "canceled"]
RunStatus = Literal["queued", "running", "success", "failed", "skipped", "canceled"]
Trigger = Literal["schedule", "run_now", "event", "retry"]

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(min_length=1, max_length=2000)]
Key = Annotated[str, Meta(max_length=100)]
Expression = Annotated[str, Meta(max_length=10_000)]
Priority = Annotated[int, Meta(ge=1, le=9)]
Retries = Annotated[int, Meta(ge=0, le=10)]
Window = Annotated[int, Meta(ge=0, le=3_153_600_000)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Offset = Annotated[int, Meta(ge=0, le=2**53)]
AgentName = Annotated[str, Meta(min_length=1, max_length=100)]
Scope = Annotated[str, Meta(min_length=1, max_length=100)]
WebhookUrl = Annotated[str, Meta(max_length=2000, pattern=r"^https?://[^\s/]")]
Topic = Annotated[str, Meta(min_length=1, max_length=100)]


class TaskBody(Struct, kw_only=True):
    title: Title
    description: Description
    schedule_kind: Kind
    schedule_expr: Expression | None = None
    timezone: str = "UTC"
    payload: dict[str, Any]
    created_by: UUID | None = None
    priority: Priority = 5
    max_retries: Retries = 3
    backoff_strategy: Backoff = "exponential_jitter"
    dedupe_key: Key | None = None
    dedupe_window_seconds: Window = 0
    concurrency_key: Key | None = None


class TaskChange(Struct, kw_only=True):
    """Only what is given changes."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    schedule_kind: Kind | UnsetType = UNSET
    schedule_expr: Expression | UnsetType | None = UNSET
    timezone: str | UnsetType = UNSET
    payload: dict[str, Any] | UnsetType = UNSET
    created_by: UUID | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    max_retries: Retries | UnsetType = UNSET
    backoff_strategy: Backoff | UnsetType = UNSET
    dedupe_key: Key | UnsetType | None = UNSET
    dedupe_window_seconds: Window | UnsetType = UNSET
    concurrency_key: Key | UnsetType | None = UNSET
    status: TaskStatus | UnsetType = UNSET


class Run(Struct, kw_only=True):
    """One attempt. `success` is null until it is over, and where it was skipped."""

    id: str
    task_id: str
    lease_owner: str | None
    leased_until: str | None
    started_at: str | None
    finished_at: str | None
    success: bool | None
    error: str | None
    attempt: int
    output: Any
    created_at: str
    duration_ms: int | None
    status: RunStatus
    trigger: Trigger
    scheduled_for: str | None
    error_type: str | None


class Notice(Struct, kw_only=True):
    """What an agent's `webhook_url` is sent. `event` is `run.failed`: the last attempt of a run has failed."""

    event: str
    agent_id: str | None
    task_id: str
    task_title: str | None
    run: Run


class Task(Struct, kw_only=True):
    """`next_runs` and `last_run` are there where one task is asked for."""

    id: str
    title: str
    description: str
    schedule_kind: Kind
    schedule_expr: str | None
    timezone: str
    payload: dict[str, Any]
    created_by: str
    priority: int
    max_retries: int
    backoff_strategy: Backoff
    dedupe_key: str | None
    dedupe_window_seconds: int
    concurrency_key: str | None
    status: TaskStatus
    created_at: str
    updated_at: str
    next_run_at: str | None
    next_runs: list[str] | UnsetType = UNSET
    last_run: Run | UnsetType | None = UNSET
    warnings: list[str] = []


class SnoozeBody(Struct, kw_only=True):
    delay_seconds: Annotated[int, Meta(ge=1, le=604_800)]
    reason: Annotated[str, Meta(max_length=200)] | None = None


class EventBody(Struct, kw_only=True):
    topic: Topic
    payload: dict[str, Any]
    source_agent_id: UUID


class AgentBody(Struct, kw_only=True):
    name: AgentName
    scopes: list[Scope]
    webhook_url: WebhookUrl | None = None


class AgentChange(Struct, kw_only=True):
    name: AgentName | UnsetType = UNSET
    scopes: list[Scope] | UnsetType = UNSET
    webhook_url: WebhookUrl | UnsetType | None = UNSET


class Agent(Struct, kw_only=True):
    id: str
    name: str
    scopes: list[str]
    webhook_url: str | None
    created_at: str


class PasswordBody(Struct, kw_only=True):
    password: str | None = None


class Credentials(Struct, kw_only=True):
    agent_id: str
    agent_secret: str
    message: str


class LoginBody(Struct, kw_only=True):
    agent_id: str
    agent_secret: str | None = None


class RefreshBody(Struct, kw_only=True):
    refresh_token: str


class TokenPair(Struct, kw_only=True):
    access_token: str
    refresh_token: str
    expires_in: int
    scope: str
    token_type: str = "bearer"  # noqa: S105  the word of RFC 6750, no secret


class Operation(Struct, kw_only=True):
    message: str
    success: bool = True
    details: dict[str, Any] | None = None


class TaskPage(Struct, kw_only=True):
    items: list[Task]
    total: int
    limit: int
    offset: int
    has_more: bool


class RunPage(Struct, kw_only=True):
    items: list[Run]
    total: int
    limit: int
    offset: int
    has_more: bool


class AuditEntry(Struct, kw_only=True):
    id: str
    actor_agent_id: str
    action: str
    subject_id: str | None
    details: dict[str, Any]
    at: str


class AuditPage(Struct, kw_only=True):
    items: list[AuditEntry]
    total: int
    limit: int
    offset: int
    has_more: bool


class TaskStats(Struct, kw_only=True):
    task_id: str
    period_days: int
    total_runs: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    failure_rate: float
    avg_execution_time_seconds: float
    last_run: str | None
    last_success: str | None
    last_failure: str | None


class Summary(Struct, kw_only=True):
    period_days: int
    total_runs: int
    total_tasks_executed: int
    successful_runs: int
    failed_runs: int
    success_rate: float
    failure_rate: float
    avg_execution_time_seconds: float
    runs_per_day: float


class TopicLine(Struct, kw_only=True):
    topic: str
    active_tasks: int
    task_ids: list[str]


class Topics(Struct, kw_only=True):
    total_topics: int
    topics: list[TopicLine]


class StreamEvent(Struct, kw_only=True):
    event_id: str
    topic: str
    payload: dict[str, Any]
    source_agent_id: str | None
    published_at: str
    published_by: str | None
    stream_id: str


class StreamPage(Struct, kw_only=True):
    total_events: int
    events: list[StreamEvent]


class TasksQuery(Struct):
    status: TaskStatus | None = None
    created_by: UUID | None = None
    schedule_kind: Kind | None = None
    limit: Limit = 50
    offset: Offset = 0


class RunsQuery(Struct):
    task_id: UUID | None = None
    success: bool | None = None
    include_errors: bool = False
    start_time: str | None = None
    end_time: str | None = None
    limit: Limit = 50
    offset: Offset = 0


class TaskDays(Struct):
    days: Annotated[int, Meta(ge=1, le=365)] = 30


class SummaryDays(Struct):
    days: Annotated[int, Meta(ge=1, le=365)] = 7


class RecentQuery(Struct):
    count: Annotated[int, Meta(ge=1, le=1000)] = 50


class CleanupQuery(Struct):
    max_age_hours: Annotated[int, Meta(ge=0, le=876_000)] = 24


class AgentsQuery(Struct):
    name_filter: str | None = None
    scope_filter: str | None = None
    limit: Limit = 50
    offset: Offset = 0


class AuditQuery(Struct):
    action: str | None = None
    actor_agent_id: str | None = None
    since: str | None = None
    limit: Limit = 50
    offset: Offset = 0
