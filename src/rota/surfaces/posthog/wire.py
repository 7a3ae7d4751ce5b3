"""Tasks as this API writes them (contract §5): every key is always there."""

from typing import Any

from msgspec import Struct

from rota.core.projecttask import Origin


class UserBasic(Struct, kw_only=True):
    id: int
    uuid: str
    distinct_id: str | None
    first_name: str
    last_name: str
    email: str
    is_email_verified: bool | None
    hedgehog_config: dict[str, Any] | None = None
    role_at_organization: str | None = None


class Task(Struct, kw_only=True):
    id: str
    task_number: int | None
    slug: str
    title: str
    title_manually_set: bool
    description: str
    origin_product: Origin
    repository: str | None
    github_integration: int | None
    github_user_integration: str | None
    signal_report: str | None
    json_schema: Any
    internal: bool
    archived: bool
    archived_at: str | None
    ci_prompt: str | None
    latest_run: Any
    created_at: str
    updated_at: str
    created_by: UserBasic | None


class TaskWrite(Struct, kw_only=True):
    """For descriptions: what POST and PATCH take. Nothing is required."""

    title: str = ""
    title_manually_set: bool = False
    description: str = ""
    origin_product: Origin = "user_created"
    repository: str | None = None
    github_integration: int | None = None
    github_user_integration: str | None = None
    signal_report: str | None = None
    signal_report_task_relationship: str = "implementation"
    json_schema: Any = None
    internal: bool = False
    archived: bool = False
    ci_prompt: str | None = None


class TaskPage(Struct, kw_only=True):
    count: int
    next: str | None
    previous: str | None
    results: list[Task]


class LatestStatus(Struct, kw_only=True):
    status: str
    environment: str


class Summary(Struct, kw_only=True):
    id: str
    title: str
    repository: str | None
    created_at: str
    updated_at: str
    origin_product: Origin
    latest_run: LatestStatus | None


class SummaryPage(Struct, kw_only=True):
    count: int
    next: str | None
    previous: str | None
    results: list[Summary]


class SummariesBody(Struct, kw_only=True):
    ids: list[str]


class Repositories(Struct, kw_only=True):
    repositories: list[str]


class DeviceBody(Struct, kw_only=True):
    device_id: str


class TokenBody(Struct, kw_only=True):
    token: str
    platform: str = ""


class PushToken(Struct, kw_only=True):
    """`id` is what presence calls `device_id`."""

    id: str
    platform: str
    created_at: str
    last_seen_at: str
