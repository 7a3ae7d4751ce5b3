"""Operations on runs."""

from typing import Any

from rota.core.artifact import MissingArtifacts
from rota.core.errors import Invalid, RotaError
from rota.core.projectrun import STATUSES, ProjectRun
from rota.http.reply import Reply, created, encode, ok
from rota.http.routes import Ask
from rota.ops import projectruns, projectstarts, projecttasks
from rota.ops.projectruns import Change, OutputRefused, Place
from rota.ops.projectstarts import NeedsAuthorization, Request, UnknownAncestor, UnknownEnvironment
from rota.surfaces.posthog import runwire as wire
from rota.surfaces.posthog import tasks
from rota.surfaces.posthog import wire as task_wire
from rota.surfaces.posthog.errors import Detailed, Refused, Wrong
from rota.surfaces.posthog.fields import INVALID, Field, Fields, anything, choice, json_object, list_of, text, uuid
from rota.surfaces.posthog.operation import Op, id_of, project_of
from rota.surfaces.posthog.paging import page_of, window_of

LONGEST = 1024 * 1024
PROVIDERS = {"claude": "anthropic", "codex": "openai"}
MODES: dict[str, tuple[str, ...]] = {
    "claude": ("default", "acceptEdits", "plan", "bypassPermissions", "auto"),
    "codex": ("auto", "read-only", "full-access"),
}
EVERY_MODE = tuple(dict.fromkeys(mode for modes in MODES.values() for mode in modes))
WORKED_BY = ("runtime_adapter", "model", "reasoning_effort")
PENDING: Fields = {
    "pending_user_message": Field(text(LONGEST)),
    "pending_user_artifact_ids": Field(list_of(text(128)), default=[]),
}
MAKE: Fields = {
    "mode": Field(choice(("interactive", "background")), default="background"),
    "branch": Field(text(255), null=True),
    "runtime_adapter": Field(choice(tuple(PROVIDERS))),
    "model": Field(text(255)),
    "reasoning_effort": Field(choice(("low", "medium", "high", "xhigh", "max"))),
    "initial_permission_mode": Field(choice(EVERY_MODE)),
    "sandbox_environment_id": Field(uuid),
    "pr_authorship_mode": Field(choice(("user", "bot"))),
    "run_source": Field(choice(("manual", "signal_report"))),
    "signal_report_id": Field(text(255)),
    "github_user_token": Field(text(4096)),
}
RUN: Fields = {**MAKE, "resume_from_run_id": Field(uuid), **PENDING}
CREATE: Fields = {**MAKE, "environment": Field(choice(("local", "cloud")), default="local")}
UPDATE: Fields = {
    "status": Field(choice(STATUSES)),
    "branch": Field(text(255), null=True),
    "stage": Field(text(100), null=True),
    "output": Field(anything, null=True),
    "state": Field(json_object),
    "state_remove_keys": Field(list_of(text(), empty="This list may not be empty.")),
    "state_append": Field(json_object),
    "error_message": Field(text(LONGEST), null=True),
    "environment": Field(choice(("local",))),
}
OUTPUT: Fields = {"output": Field(anything, required=True, null=True)}
CANCEL: Fields = {"reason": Field(text(500))}
# What stands in the state as it was given.
KEPT = (
    "mode", "runtime_adapter", "model", "reasoning_effort", "initial_permission_mode", "sandbox_environment_id",
    "pr_authorship_mode", "run_source", "signal_report_id", "pending_user_message", "pending_user_artifact_ids",
)  # fmt: skip


async def list_runs(ask: Ask) -> Reply:
    window = window_of(ask)
    page = await projectruns.list_runs(
        ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"), limit=window.limit, offset=window.offset
    )
    return ok(page_of(ask, window, page.total, await wire.runs_wire(ask, page.items)))


async def get_run(ask: Ask) -> Reply:
    return ok(await wire.run_wire(ask, await projectruns.get_run(ask.rota, place_of(ask))))


async def run_task(ask: Ask) -> Reply:
    return await _show_task(ask, await _start(ask, _request(ask.body)))


async def create_run(ask: Ask) -> Reply:
    request = _request(ask.body, is_queued=False)
    run = await wire.run_wire(ask, await _start(ask, request))
    return created(run, f"{str(ask.scope['path']).rstrip('/')}/{run.id}/")


async def start_run(ask: Ask) -> Reply:
    ids = tuple(ask.body["pending_user_artifact_ids"])
    message = ask.body.get("pending_user_message") or None
    try:
        run = await projectstarts.dispatch_run(ask.rota, place_of(ask), message=message, artifact_ids=ids)
    except Invalid as error:
        raise _refusal(error) from None
    return await _show_task(ask, run)


async def update_run(ask: Ask) -> Reply:
    body = {**ask.body, "state_remove_keys": tuple(ask.body.get("state_remove_keys", ()))}
    return ok(await wire.run_wire(ask, await projectruns.update_run(ask.rota, place_of(ask), Change(**body))))


async def set_output(ask: Ask) -> Reply:
    try:
        run = await projectruns.set_output(ask.rota, place_of(ask), ask.body["output"])
    except OutputRefused as error:
        raise Refused(error.message) from None
    return ok(await wire.run_wire(ask, run))


async def cancel_run(ask: Ask) -> Reply:
    run, accepted = await projectruns.cancel_run(ask.rota, place_of(ask), ask.body.get("reason") or None)
    return Reply(202 if accepted else 200, encode(await wire.run_wire(ask, run)))


def place_of(ask: Ask) -> Place:
    """The run of the path. Raises NotFound for what is no id."""
    return Place(ask.actor, project_of(ask), id_of(ask, "task_id"), id_of(ask, "run_id"))


async def _start(ask: Ask, request: Request) -> ProjectRun:
    try:
        return await projectstarts.start_run(ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"), request)
    except Invalid as error:
        raise _refusal(error) from None


async def _show_task(ask: Ask, run: ProjectRun) -> Reply:
    """With the run as it was left: work on it may have begun since, but a client asks for a queued one here (§8.2)."""
    shown = await projecttasks.get_task(ask.rota, ask.actor, project_of(ask), id_of(ask, "task_id"))
    is_latest = shown.latest is not None and shown.latest.id == run.id
    return ok(await tasks.show_task(ask, shown._replace(latest=run) if is_latest else shown))


def _request(body: dict[str, Any], *, is_queued: bool = True) -> Request:
    """Raises Wrong for values that do not go together (§5.4)."""
    _check_worker(body)
    state = {key: body[key] for key in KEPT if body.get(key) not in (None, "", [])}
    if "runtime_adapter" in body:
        state["provider"] = PROVIDERS[body["runtime_adapter"]]
    if body.get("run_source") == "signal_report":
        state["pr_authorship_mode"] = "bot"
    branch = body.get("branch") or None
    if branch is not None:
        state["pr_base_branch"] = branch
    return Request(
        environment=body.get("environment", "cloud"),
        state=state,
        branch=branch,
        resumes_id=body.get("resume_from_run_id"),
        artifact_ids=tuple(body.get("pending_user_artifact_ids", ())),
        token=body.get("github_user_token") or None,
        is_queued=is_queued,
    )


def _check_worker(body: dict[str, Any]) -> None:
    adapter, mode = body.get("runtime_adapter"), body.get("initial_permission_mode")
    for name in ("runtime_adapter", "model"):
        if any(body.get(each) for each in WORKED_BY) and not body.get(name):
            others = ", ".join(each for each in WORKED_BY if each != name)
            raise Wrong(INVALID, f"This field is required beside {others}.", name)
    if mode is not None and adapter is None:
        raise Wrong(INVALID, "This needs runtime_adapter beside it.", "initial_permission_mode")
    if mode is not None and adapter is not None and mode not in MODES[adapter]:
        raise Wrong("invalid_choice", f'"{mode}" is not a valid choice for {adapter}.', "initial_permission_mode")


def _refusal(error: Invalid) -> RotaError:
    match error:
        case UnknownAncestor() | UnknownEnvironment():
            return Detailed(error.message)
        case MissingArtifacts():
            return Detailed(error.message, missing_artifact_ids=error.missing_artifact_ids)
        case NeedsAuthorization():
            return Wrong("github_authorization_required", error.problems[0].message, "pr_authorship_mode")
    return error


RUNS, ONE = "/tasks/{task_id}/runs", "/tasks/{task_id}/runs/{run_id}"
RUN_ROUTES: tuple[Op, ...] = (
    Op(
        method="POST", path="/tasks/{task_id}/run", handler=run_task, summary="Run a task", scope="task:write",
        body=RUN, shown_body=wire.RunRequest, reply=task_wire.Task, errors=(404,),
    ),
    Op(
        method="GET", path=RUNS, handler=list_runs, summary="List the runs of a task, newest first", scope="task:read",
        reply=wire.RunPage, errors=(404,),
    ),
    Op(
        method="POST", path=RUNS, handler=create_run, summary="Make a run that a worker takes, or that is started later",
        scope="task:write", body=CREATE, shown_body=wire.RunRequest, reply=wire.TaskRun, status=201, errors=(404,),
    ),
    Op(
        method="GET", path=ONE, handler=get_run, summary="Get a run", scope="task:read", reply=wire.TaskRun, errors=(404,),
    ),
    Op(
        method="PATCH", path=ONE, handler=update_run, summary="Tell how a run is going, or how it ended",
        scope="task:write", body=UPDATE, shown_body=wire.RunUpdate, reply=wire.TaskRun, errors=(404,),
    ),
    Op(
        method="POST", path=f"{ONE}/start", handler=start_run, summary="Let a cloud run start that was only made",
        scope="task:write", body=PENDING, shown_body=wire.RunStart, reply=task_wire.Task, errors=(404,),
    ),
    Op(
        method="PATCH", path=f"{ONE}/set_output", handler=set_output, summary="Tell the final output of a run",
        scope="task:write", body=OUTPUT, shown_body=wire.OutputBody, reply=wire.TaskRun, errors=(404,),
    ),
    Op(
        method="POST", path=f"{ONE}/cancel", handler=cancel_run, summary="Ask a run to end; 200 if it is over already",
        scope="task:write", body=CANCEL, shown_body=wire.CancelBody, reply=wire.TaskRun, status=202, errors=(404, 503),
    ),
)  # fmt: skip
