"""A task inside a project: what it has beside what every task has, and the rules of its title, slug and repository."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from rota.core.errors import Invalid, Problem

Origin = Literal[
    "error_tracking", "eval_clusters", "user_created", "automation", "slack", "support_queue", "session_summaries",
    "signal_report", "posthog_ai", "hogdesk", "loop",
]  # fmt: skip
ORIGINS: tuple[Origin, ...] = (
    "error_tracking", "eval_clusters", "user_created", "automation", "slack", "support_queue", "session_summaries",
    "signal_report", "posthog_ai", "hogdesk", "loop",
)  # fmt: skip
REPORT: Origin = "signal_report"
# Tasks of these origins are seen by the whole project.
SHARED: tuple[Origin, ...] = (REPORT,)

# What a later change may bring.
CHANGEABLE = (
    "title", "title_manually_set", "description", "repository", "github_integration", "github_user_integration",
    "json_schema", "internal", "ci_prompt",
)  # fmt: skip
LONGEST_TITLE = 60
UNTITLED = "Untitled Task"
NO_PREFIX = "TSK"
PREFIX = 3


class ProjectTask(Struct, frozen=True, kw_only=True):
    """Moments are aware UTC.

    id          of the task
    number      counts from 0 in each project, and is never given twice
    created_by  the user it belongs to; None: nobody, the whole project sees it
    repository  `organization/repository` in lower case, or empty
    json_schema what the final output of a run is held to
    internal    left out of lists unless asked for
    archived_at left out of lists since; otherwise it can be used like any other
    ci_prompt   for rounds of repair; nothing or blank: the built-in one
    """

    id: str
    project_id: int
    number: int
    created_at: datetime
    updated_at: datetime
    created_by: str | None = None
    title: str = ""
    title_manually_set: bool = False
    description: str = ""
    origin_product: Origin = "user_created"
    repository: str | None = None
    github_integration: int | None = None
    github_user_integration: str | None = None
    signal_report: str | None = None
    json_schema: Any = None
    internal: bool = False
    archived_at: datetime | None = None
    ci_prompt: str | None = None

    def is_seen_by(self, user_id: str) -> bool:
        return self.created_by in (None, user_id) or self.origin_product in SHARED


def with_title(task: ProjectTask, given: Mapping[str, Any]) -> ProjectTask:
    """The title of a new task: what is given counts as set by hand, what is generated from the description does not; an explicit
    `title_manually_set` always wins."""
    title, description = given.get("title", ""), given.get("description", "")
    is_set = given.get("title_manually_set", bool(title))
    return replace(task, title=title or (generate_title(description) if description else ""), title_manually_set=is_set)


def revised(task: ProjectTask, given: Mapping[str, Any], now: datetime) -> ProjectTask:
    """The task after a change of what is given: a title without a word on its flag sets that; being archived is stamped on the
    change alone; a new description leaves the title."""
    change = {name: given[name] for name in CHANGEABLE if name in given}
    if "title" in given:
        change.setdefault("title_manually_set", True)
    return replace(task, **change, archived_at=archived_at(task.archived_at, given.get("archived"), now), updated_at=now)


def archived_at(before: datetime | None, archived: bool | None, now: datetime) -> datetime | None:
    """The stamp after a request that says so, or says nothing (None)."""
    if archived is None:
        return before
    return (before or now) if archived else None


def generate_title(description: str) -> str:
    """The first line, cut to 60 characters."""
    line = description.strip().partition("\n")[0].rstrip()
    if not line:
        return UNTITLED
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 3]}..."


def slug_of(project_name: str, number: int) -> str:
    """Such as `DEF-12` in `Default Project`, `MBA-0` in `My Big API`."""
    letters = [sign for sign in project_name if sign.isalnum()]
    capitals = [sign for sign in letters if sign.isupper()]
    prefix = "".join((capitals if len(capitals) >= PREFIX else letters)[:PREFIX]).upper()
    return f"{prefix or NO_PREFIX}-{number}"


def fold(text: str) -> str:
    """As a search compares it."""
    return text.casefold()


def read_repository(text: str) -> str:
    """In lower case. Raises Invalid at `body.repository` unless it is `organization/repository`, or empty."""
    organization, slash, name = text.partition("/")
    if text and not (organization.strip() and slash and name.strip() and "/" not in name):
        message = "Repository must be in the format organization/repository"
        raise Invalid(message, [Problem("body.repository", message)])
    return text.lower()
