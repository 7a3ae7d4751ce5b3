"""What is to be done: the document a person writes, and the stored task around it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from rota.core.inputs import Input
from rota.core.placement import MOST_LABELS, PlaceLabel
from rota.core.policy import Policy
from rota.core.schedule import ScheduleSpec
from rota.core.service import ServicePolicy
from rota.core.work import Agent, Work

# `$` alone would let a line break follow.
TaskName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}$(?!\n)")]
Label = Annotated[str, Meta(min_length=1, max_length=100)]
MOST_RECIPIENTS = 100
Status = Literal["active", "paused", "canceled", "removed"]
Source = Literal["file", "api"]


Email = Annotated[
    str,
    Meta(
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f,<>\"]+@[^@\s\x00-\x1f\x7f,<>\"]+$(?!\n)",
        extra={"meaning": "an e-mail address, as ann@example.org"},
    ),
]


class Recipient(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody who gets a mail about each run that has ended. `problems_only`: unless it succeeded."""

    email: Email
    problems_only: bool = False


class Notify(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who is told of this task's ends: notifiers of the settings (`id`, `id:recipient`) or `inapp`, the bell.

    on_missed  False: nobody is told of slots that were missed
    mail       who gets a mail with the log of each run that has ended; needs the right system.task
    """

    on_failure: list[Label] = []
    on_success: list[Label] = []
    on_missed: bool = True
    mail: Annotated[list[Recipient], Meta(max_length=MOST_RECIPIENTS)] = []


class TaskSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The document of a task: what is asked for, nothing that the server adds.

    Unknown fields are refused at the door (ops) and kept in the store, so that a document written by a newer version
    survives a round trip through this one.

    params       default values of a run's params
    inputs       what a run may be given; None lets any params through
    service      makes it a service: its runs are kept alive
    runs_on      labels that whoever carries it out must offer, all of them
    run_on_start one run each time the server starts
    api_trigger  False refuses a manual start on every surface
    shared       every user may see and start it; a run is then whoever's who started it. Name and title are unique among those
    """

    name: TaskName
    executor: Work
    title: Annotated[str, Meta(max_length=200)] | None = None
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    group: str | None = None
    schedule: ScheduleSpec | None = None
    policy: Policy = field(default_factory=Policy)
    params: dict[str, Any] = {}
    inputs: list[Input] | None = None
    labels: list[Label] = []
    runs_on: Annotated[list[PlaceLabel], Meta(max_length=MOST_LABELS)] = []
    service: ServicePolicy | None = None
    run_on_start: bool = False
    api_trigger: bool = True
    shared: bool = False
    notify: Notify = field(default_factory=Notify)


class Task(Struct, frozen=True, kw_only=True):
    """A stored task. Moments are aware UTC.

    owner_id   the user it belongs to; None for one the settings file defines (the installation's)
    anchor_at  where its schedule counts from: creation, or the last change of the schedule
    cursor_at  every slot up to this moment has its recorded outcome
    next_at    the next slot; None if there is none
    """

    id: str
    spec: TaskSpec
    source: Source
    status: Status
    created_at: datetime
    updated_at: datetime
    anchor_at: datetime
    cursor_at: datetime
    owner_id: str | None = None
    next_at: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_service(self) -> bool:
        return self.spec.service is not None

    @property
    def keeps_documents(self) -> bool:
        """Whether a run goes on by the document it was started from when that is changed meanwhile (NLA §6)."""
        return isinstance(self.spec.executor, Agent)
