"""Runs as this API writes them (contract §5.5): every key is always there."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from rota.core.projectrun import Environment, ProjectRun, Status
from rota.http.routes import Ask
from rota.ops import projectruns
from rota.surfaces.posthog import artifactwire, loglinks
from rota.surfaces.posthog.moments import stamp, stamp_or_none


class TaskRun(Struct, kw_only=True):
    """`log_url` needs no key, and is good for five minutes to an hour."""

    id: str
    task: str
    stage: str | None
    branch: str | None
    status: Status
    environment: Environment
    runtime_adapter: str | None
    provider: str | None
    model: str | None
    reasoning_effort: str | None
    log_url: str | None
    error_message: str | None
    output: Any
    state: dict[str, Any]
    artifacts: list[artifactwire.Artifact]
    created_at: str
    updated_at: str
    completed_at: str | None


class RunPage(Struct, kw_only=True):
    count: int
    next: str | None
    previous: str | None
    results: list[TaskRun]


class RunRequest(Struct, kw_only=True):
    """For descriptions: what starts a run. Nothing is required."""

    mode: str = "background"
    branch: str | None = None
    resume_from_run_id: str | None = None
    pending_user_message: str | None = None
    pending_user_artifact_ids: list[str] = []
    runtime_adapter: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    initial_permission_mode: str | None = None
    sandbox_environment_id: str | None = None
    pr_authorship_mode: str | None = None
    run_source: str | None = None
    signal_report_id: str | None = None
    github_user_token: str | None = None
    environment: Environment = "local"


class RunStart(Struct, kw_only=True):
    pending_user_message: str | None = None
    pending_user_artifact_ids: list[str] = []


class RunUpdate(Struct, kw_only=True):
    """For descriptions: what a worker tells. Nothing is required."""

    status: Status | None = None
    branch: str | None = None
    stage: str | None = None
    output: Any = None
    state: dict[str, Any] = {}
    state_remove_keys: list[str] = []
    state_append: dict[str, Any] = {}
    error_message: str | None = None
    environment: Environment | None = None


class OutputBody(Struct, kw_only=True):
    output: Any


class EntriesBody(Struct, kw_only=True):
    entries: list[dict[str, Any]]


class CancelBody(Struct, kw_only=True):
    reason: str = ""


class CommandBody(Struct, kw_only=True):
    jsonrpc: str
    method: str
    params: dict[str, Any] = {}
    id: Any = None


async def runs_wire(ask: Ask, found: Sequence[ProjectRun]) -> list[TaskRun]:
    """With their artifacts and links: one query for each, however many runs."""
    manifests = await projectruns.list_manifests(ask.rota, found)
    links = await loglinks.links_of(ask)
    return [_run_wire(run, [artifactwire.artifact_wire(each) for each in manifests[run.id]], links.url(run)) for run in found]


async def run_wire(ask: Ask, run: ProjectRun) -> TaskRun:
    return (await runs_wire(ask, [run]))[0]


def state_event(run: ProjectRun) -> dict[str, Any]:
    """A change of a run in its stream (§8.5)."""
    return {
        "type": "task_run_state",
        "run_id": run.id,
        "task_id": run.run.task_id,
        "status": run.status,
        "stage": run.stage,
        "output": run.output,
        "branch": run.branch,
        "error_message": run.error,
        "updated_at": stamp(run.updated_at),
        "completed_at": stamp_or_none(run.run.ended_at),
    }


def _run_wire(run: ProjectRun, manifest: list[artifactwire.Artifact], log_url: str) -> TaskRun:
    state = run.state
    return TaskRun(
        id=run.id,
        task=run.run.task_id,
        stage=run.stage,
        branch=run.branch,
        status=run.status,
        environment=run.environment,
        runtime_adapter=_text(state.get("runtime_adapter")),
        provider=_text(state.get("provider")),
        model=_text(state.get("model")),
        reasoning_effort=_text(state.get("reasoning_effort")),
        log_url=log_url,
        error_message=run.error,
        output=run.output,
        state=state,
        artifacts=manifest,
        created_at=stamp(run.run.created_at),
        updated_at=stamp(run.updated_at),
        completed_at=stamp_or_none(run.run.ended_at),
    )


def _text(value: Any) -> str | None:
    """A worker may put anything into the state."""
    return value if isinstance(value, str) else None
