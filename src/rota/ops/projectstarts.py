"""Starting runs of projects, and letting those start that were only made."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rota.core.actor import Actor
from rota.core.artifact import Artifact, MissingArtifacts
from rota.core.errors import Conflict, Invalid, Problem, Throttled
from rota.core.projectrun import Environment, ProjectRun, inherit
from rota.core.projecttask import ProjectTask
from rota.core.task import Task
from rota.ops import artifacts as artifact_ops
from rota.ops import audit
from rota.ops.context import Rota
from rota.ops.projectruns import Place, find, tell_followers
from rota.ops.projecttasks import get_visible_task
from rota.ops.starts import check_startable
from rota.store import artifacts, leases, projectruns, runs, runsecrets, tasks
from rota.store.database import Connection
from rota.store.projects import Project
from rota.store.runs import NewRun

TOKEN = "GITHUB_TOKEN"  # noqa: S105  the variable's name
AGAIN_S = 30.0


class UnknownAncestor(Invalid):
    """The run to go on with is none of this task."""


class UnknownEnvironment(Invalid):
    """The settings name no such sandbox environment for the project."""


class NeedsAuthorization(Invalid):
    """Work in another's name needs a token of theirs."""


class Request(Struct, frozen=True, kw_only=True):
    """What a run is to be (§5.4). `state` holds what was given of its other keys, by their names.

    token      of the one in whose name the work is done; kept apart, and told to the work alone
    is_queued  False: only made, for a worker or for `dispatch_run`
    """

    environment: Environment = "cloud"
    state: Mapping[str, Any] = {}
    branch: str | None = None
    resumes_id: str | None = None
    artifact_ids: tuple[str, ...] = ()
    token: str | None = None
    is_queued: bool = True


class Started(Struct, frozen=True):
    run: ProjectRun
    task: Task
    claimed: list[Artifact]


async def start_run(rota: Rota, actor: Actor, project: Project, task_id: str, request: Request) -> ProjectRun:
    """Make a run, with everything that belongs to it, or nothing at all.

    Raises NotFound, Throttled where the project has as many runs as it may, UnknownAncestor, NeedsAuthorization,
    UnknownEnvironment, and MissingArtifacts, in this order.
    """
    now = rota.clock.now()

    def write(c: Connection) -> Started:
        about = get_visible_task(c, actor, project, task_id)
        _check_share(c, rota, project)
        request_ = _resumed(c, task_id, request)
        _check_authorship(actor, about, request_)
        _check_sandbox(rota, project, request_)
        return _insert(c, rota, actor, about, tasks.get_task(c, task_id), request_, now)

    rota.bus.wake("dispatcher")
    started = await rota.database.write(write)
    await artifact_ops.keep_claimed(rota, started.claimed)
    rota.tell_run("run.created", started.run.run, started.task)
    return started.run


async def dispatch_run(rota: Rota, place: Place, *, message: str | None = None, artifact_ids: tuple[str, ...] = ()) -> ProjectRun:
    """Let a cloud run start that was only made. Dispatched twice, it starts once.

    artifact_ids  of the run's own

    Raises NotFound, Conflict for a run that is local or has begun, and MissingArtifacts.
    """
    now = rota.clock.now()

    def write(c: Connection) -> ProjectRun:
        run, _, _ = find(c, place, for_update=True)
        if run.environment != "cloud":
            raise Conflict("Only cloud runs can be started")
        if run.status not in ("queued", "not_started") or run.run.state != "pending":
            raise Conflict(f"Cannot start a run that is {run.status}")
        _check_attached(c, run.id, artifact_ids)
        told = {"pending_user_message": message, "pending_user_artifact_ids": list(artifact_ids)}
        state = {**run.told_state, **{key: value for key, value in told.items() if value}}
        after = replace(run, told_state=state, told_at=now)
        projectruns.put_project_run(c, after)
        if not rota.settings.project(place.project.id).is_outside:
            leases.queue(c, run.id, now)
        return after

    run = await rota.database.write(write)
    rota.bus.wake("dispatcher")
    tell_followers(rota, run.id)
    return run


def _insert(c: Connection, rota: Rota, actor: Actor, about: ProjectTask, task: Task, request: Request, now: datetime) -> Started:
    check_startable(task)
    new = NewRun.of(task, rota.ids.new(), "api", now, actor_id=actor.id)
    is_kept = not request.is_queued or rota.settings.project(about.project_id).is_outside
    runs.insert_runs(c, [replace(new, admission="offered" if is_kept else "new")])
    made = ProjectRun(
        run=new.run, environment=request.environment, told_state=dict(request.state), told_at=now, branch=request.branch,
        resumes_id=request.resumes_id,
    )  # fmt: skip
    projectruns.put_project_run(c, made)
    claimed = artifacts.claim_staged(c, task.id, request.artifact_ids, new.run.id, now) if request.artifact_ids else []
    if request.token:
        runsecrets.put_secrets(c, new.run.id, {TOKEN: request.token})
    audit.note(c, rota, actor, "task.run_now", task.id, run_id=new.run.id)
    return Started(made, task, claimed)


def _check_share(c: Connection, rota: Rota, project: Project) -> None:
    most = rota.settings.project(project.id).max_active_runs
    if most is not None and projectruns.count_live(c, project.id) >= most:
        raise Throttled(f"this project has {most} active runs, which is all it may have", retry_after_s=AGAIN_S)


def _resumed(c: Connection, task_id: str, request: Request) -> Request:
    """With what it takes over from the run that it goes on with."""
    if request.resumes_id is None:
        return request
    ancestor = projectruns.find_project_run(c, task_id, request.resumes_id)
    if ancestor is None:
        raise UnknownAncestor("Invalid resume_from_run_id")
    state = inherit({**request.state, "resume_from_run_id": ancestor.id}, ancestor.told_state)
    return replace(request, state=state, branch=request.branch or ancestor.branch)


def _check_authorship(actor: Actor, about: ProjectTask, request: Request) -> None:
    is_users = request.state.get("pr_authorship_mode") == "user"
    if is_users and about.created_by != actor.id and not request.token:
        message = "A token of yours is needed to work in your name on a task that is not yours."
        raise NeedsAuthorization(message, [Problem("body.pr_authorship_mode", message)])


def _check_sandbox(rota: Rota, project: Project, request: Request) -> None:
    wanted = request.state.get("sandbox_environment_id")
    if wanted is not None and wanted not in rota.settings.project(project.id).sandbox_environments:
        raise UnknownEnvironment("Invalid sandbox_environment_id")


def _check_attached(c: Connection, run_id: str, artifact_ids: tuple[str, ...]) -> None:
    known = {artifact.id for artifact in artifacts.list_artifacts(c, run_id)} if artifact_ids else set()
    missing = [each for each in dict.fromkeys(artifact_ids) if each not in known]
    if missing:
        raise MissingArtifacts(missing)
