"""fylr's bodies (contract §4): what comes in, and what goes out."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rota.core.module import Texts
from rota.core.policy import LONGEST_S
from rota.core.task import MOST_RECIPIENTS, Recipient

Status = Literal["new", "running", "done", "canceled", "error"]
Level = Literal["debug", "info", "warning", "error"]
Moment = str  # RFC 3339, UTC, whole seconds
IDS = {"id": "_id", "version": "_version"}
LONGEST_TIMEOUT_S = int(LONGEST_S)


class Email(Struct, forbid_unknown_fields=True):
    """Who is mailed after a run."""

    recipients: Annotated[list[Recipient], Meta(max_length=MOST_RECIPIENTS)] | None = None


class Schedule(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Criteria, all of which must hold; an empty or missing list holds always."""

    days_of_month: list[int] | None = None
    weekdays: list[str] | None = None
    hours: list[int] | None = None
    minutes: list[int] | None = None
    timezone: str | None = None


class TaskBody(Struct, kw_only=True, forbid_unknown_fields=True, rename=IDS):
    """A task as it is written. From `state` on, a value must be what the server has."""

    id: int | UnsetType | None = UNSET
    version: int | UnsetType | None = UNSET
    task_module: str | UnsetType | None = UNSET
    task_params: dict[str, Any] | UnsetType | None = UNSET
    task_timeout_sec: Annotated[int, Meta(ge=0, le=LONGEST_TIMEOUT_S)] | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=10_000)] | UnsetType | None = UNSET
    next_run_at: Moment | UnsetType | None = UNSET
    frontend_prefs: dict[str, Any] | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    schedules: list[Schedule] | UnsetType | None = UNSET
    state: Any = UNSET
    status: Any = UNSET
    status_percent: Any = UNSET
    status_msg: Any = UNSET
    run_started_at: Any = UNSET
    run_canceled_at: Any = UNSET
    run_finished_at: Any = UNSET


READ_ONLY = ("state", "status", "status_percent", "status_msg", "run_started_at", "run_canceled_at", "run_finished_at")


class WrapperBody(Struct, kw_only=True, rename={"basetype": "_basetype"}):
    """The envelope of a task that is written. What else is beside `task` is passed over."""

    task: TaskBody
    basetype: Literal["task"] | UnsetType = UNSET


class RecipientShown(Struct):
    email: str
    problems_only: bool


class EmailShown(Struct):
    recipients: list[RecipientShown]


class Task(Struct, kw_only=True, rename=IDS):
    """A task as it is shown; every field is always there."""

    id: int
    version: int
    task_module: str
    task_params: dict[str, Any]
    task_timeout_sec: int
    description: str
    next_run_at: Moment | None
    frontend_prefs: dict[str, Any]
    email: EmailShown
    schedules: list[Schedule]
    state: dict[str, Any]
    status: Status
    status_percent: int | None
    status_msg: str
    run_started_at: Moment | None
    run_canceled_at: Moment | None
    run_finished_at: Moment | None


class User(Struct, rename={**IDS, "generated_displayname": "_generated_displayname"}):
    id: int
    version: int
    generated_displayname: str


class Wrapper(Struct, kw_only=True, rename={"basetype": "_basetype", "user": "_user"}):
    """A task in its envelope, with the user whose it is and who it runs as."""

    basetype: Literal["task"] = "task"
    created_at: Moment
    updated_at: Moment
    task: Task
    user: User


class TaskList(Struct):
    """`count`: of all the user's tasks."""

    limit: int
    offset: int
    count: int
    objects: list[Wrapper]


class Entry(Struct):
    """A line of the log."""

    idx: int
    timestamp: Moment
    level: Level
    msg: str
    status_percent: int | None


class Section(Struct):
    """Parameters that are shown together, by name: type, position, and what else there is to say of each."""

    name: str
    group: str
    parameters: dict[str, dict[str, Any]]


class Module(Struct):
    """What a task can do. `debug`: for development, people are not offered it."""

    name: str
    displayname: Texts
    description: Texts
    debug: bool
    params: list[Section]


class Modules(Struct):
    modules: list[Module]


class Acknowledged(Struct, frozen=True):
    acknowledged: str = "ok"


class Acknowledge(Struct):
    status: Acknowledged = Acknowledged()


class PageQuery(Struct):
    """`offset` passes over so many, `limit` caps them."""

    offset: str = "0"
    limit: str = "100"


class TokenForm(Struct):
    """What is asked of the token endpoint, as a form."""

    grant_type: str | None = None
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    refresh_token: str | None = None
    token: str | None = None
    token_type_hint: str | None = None


class Tokens(Struct, kw_only=True):
    """`expires_in`: seconds. `refresh_token`: when the scope has `offline`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the kind of token, not one
    expires_in: int
    scope: str
    refresh_token: str | UnsetType = UNSET


class OAuthError(Struct):
    error: str
    error_description: str
