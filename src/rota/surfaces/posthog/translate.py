"""Tasks of ours as this API writes them."""

from typing import Any

from rota.core.projecttask import slug_of
from rota.store.projectlist import Shown
from rota.store.projects import Project
from rota.store.pushtokens import PushToken
from rota.store.users import User
from rota.surfaces.posthog import wire
from rota.surfaces.posthog.moments import stamp, stamp_or_none


def task_wire(project: Project, shown: Shown, latest_run: Any) -> wire.Task:
    """`latest_run` as runs are written here, or None."""
    task = shown.task
    return wire.Task(
        id=task.id,
        task_number=task.number,
        slug=slug_of(project.name, task.number),
        title=task.title,
        title_manually_set=task.title_manually_set,
        description=task.description,
        origin_product=task.origin_product,
        repository=task.repository,
        github_integration=task.github_integration,
        github_user_integration=task.github_user_integration,
        signal_report=task.signal_report,
        json_schema=task.json_schema,
        internal=task.internal,
        archived=task.archived_at is not None,
        archived_at=stamp_or_none(task.archived_at),
        ci_prompt=task.ci_prompt,
        latest_run=latest_run,
        created_at=stamp(task.created_at),
        updated_at=stamp(task.updated_at),
        created_by=None if shown.creator is None else user_wire(shown.creator),
    )


def user_wire(user: User) -> wire.UserBasic:
    """Names here are one text, which stands for the first name."""
    return wire.UserBasic(
        id=user.number,
        uuid=user.id,
        distinct_id=user.id,
        first_name=user.name,
        last_name="",
        email=user.email or "",
        is_email_verified=None,
    )


def summary_wire(shown: Shown, latest: wire.LatestStatus | None) -> wire.Summary:
    task = shown.task
    return wire.Summary(
        id=task.id,
        title=task.title,
        repository=task.repository,
        created_at=stamp(task.created_at),
        updated_at=stamp(task.updated_at),
        origin_product=task.origin_product,
        latest_run=latest,
    )


def token_wire(token: PushToken) -> wire.PushToken:
    return wire.PushToken(
        id=token.id,
        platform=token.platform,
        created_at=stamp(token.created_at),
        last_seen_at=stamp(token.last_seen_at),
    )
