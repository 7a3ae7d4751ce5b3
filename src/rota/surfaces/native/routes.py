"""The native API, route by route."""

from functools import lru_cache
from typing import Any

from starlette.routing import Router

from rota.core.notification import Notification
from rota.core.run import Receipt
from rota.http.auth import Authenticate, as_operator, by_bearer
from rota.http.metrics import MEDIA_TYPE
from rota.http.openapi import openapi
from rota.http.paging import Page
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route, build_app
from rota.logs import LogPage
from rota.ops.context import Rota
from rota.ops.documents import TaskBody
from rota.ops.health import Readiness
from rota.ops.nodes import NodeList
from rota.ops.workers import Hold
from rota.surfaces.native import artifacts, errors, happenings, installation, modules, runs, tasks, telling, wire, workers

EVENT_STREAM = "text/event-stream"
# One of these must be among the scopes of a key that has any.
READ, RUNS, PUBLISH, ADMIN = ("tasks:read",), ("runs:read",), ("events:publish",), ("admin",)
CREATE, UPDATE, CANCEL = ("tasks:create",), ("tasks:update",), ("tasks:cancel", "tasks:delete")
RUN = ("tasks:run", "tasks:update")


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST", path="/v1/tasks", scopes=CREATE, handler=tasks.create_task, summary="Create a task",
        body=TaskBody, reply=wire.Task, status=201, errors=(403, 409),
    ),
    Route(
        method="GET", path="/v1/tasks", scopes=READ, handler=tasks.list_tasks,
        summary="List tasks", query=wire.ListQuery, reply=Page[wire.Task],
    ),
    Route(
        method="GET", path="/v1/tasks/{id}", scopes=READ, handler=tasks.get_task,
        summary="Get a task by id or name", reply=wire.Task, errors=(404,),
    ),
    Route(
        method="PATCH", path="/v1/tasks/{id}", scopes=UPDATE, handler=tasks.update_task,
        summary="Change a task; If-Match names the version it is at",
        body=dict[str, Any], shown_body=wire.TaskChange, reply=wire.Task, errors=(403, 404, 409),
    ),
    Route(
        method="DELETE", path="/v1/tasks/{id}", scopes=CANCEL, handler=tasks.delete_task,
        summary="Remove a task", status=204, errors=(404, 409),
    ),
    Route(
        method="POST", path="/v1/tasks/{id}/run", scopes=RUN, handler=tasks.start_task,
        summary="Run a task now; Idempotency-Key makes it safe to repeat",
        body=wire.RunBody, body_optional=True, reply=wire.Run, status=201, errors=(403, 404, 409),
    ),
    Route(
        method="POST", path="/v1/tasks/{id}/pause", scopes=UPDATE, handler=tasks.pause_task,
        summary="Start nothing until it is resumed",
        body=wire.NoBody, body_optional=True, reply=wire.Task, errors=(404, 409),
    ),
    Route(
        method="POST", path="/v1/tasks/{id}/resume", scopes=UPDATE, handler=tasks.resume_task, summary="Go on from now",
        body=wire.NoBody, body_optional=True, reply=wire.Task, errors=(404, 409),
    ),
    Route(
        method="POST", path="/v1/tasks/{id}/cancel", scopes=CANCEL, handler=tasks.cancel_task, summary="End a task for good",
        body=wire.NoBody, body_optional=True, reply=wire.Task, errors=(404, 409),
    ),
    Route(
        method="POST", path="/v1/tasks/{id}/snooze", scopes=UPDATE, handler=tasks.snooze_task,
        summary="Put the next occurrence off",
        body=wire.SnoozeBody, reply=wire.Snoozed, errors=(404, 409),
    ),
    Route(
        method="GET", path="/v1/tasks/{id}/next", scopes=READ, handler=tasks.list_next, summary="When it is due next",
        query=wire.NextQuery, reply=wire.NextList, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/tasks/{id}/slots", scopes=READ, handler=tasks.list_slots,
        summary="What became of each planned instant",
        query=wire.SlotsQuery, reply=Page[wire.Slot], errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs", scopes=RUNS, handler=runs.list_runs,
        summary="List runs", query=wire.RunsQuery, reply=Page[wire.Run], errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs/{id}", scopes=RUNS, handler=runs.get_run,
        summary="Get a run", reply=wire.Run, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/attempts", scopes=RUNS, handler=runs.list_attempts,
        summary="Attempts that ended while the run went on",
        reply=wire.AttemptList, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/steps", scopes=RUNS, handler=runs.list_steps,
        summary="The finished steps of a pipeline's run, in order.",
        reply=wire.StepList, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/artifacts", scopes=RUNS, handler=artifacts.list_artifacts,
        summary="Files of a run, in order",
        reply=wire.ArtifactList, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/artifacts/{artifact_id}", scopes=RUNS, handler=artifacts.download,
        summary="A file of a run",
        media_type="application/octet-stream", errors=(404,),
    ),
    Route(
        method="POST", path="/v1/runs/{id}/cancel", scopes=(*CANCEL, *UPDATE), handler=runs.cancel_run,
        summary="Ask a run to end",
        body=wire.NoBody, body_optional=True, query=wire.CancelQuery, reply=Receipt, errors=(404,),
    ),
    Route(
        method="POST", path="/v1/runs/{id}/take", scopes=UPDATE, handler=workers.take_run,
        summary="Take a run that waits for a worker",
        body=wire.NoBody, body_optional=True, reply=Hold, errors=(404, 409),
    ),
    Route(
        method="POST", path="/v1/runs/{id}/renew", scopes=UPDATE, handler=workers.renew_run,
        summary="Tell that its worker goes on",
        body=workers.RenewBody, reply=Hold, errors=(404, 409, 422),
    ),
    Route(
        method="POST", path="/v1/runs/{id}/finish", scopes=UPDATE, handler=workers.finish_run,
        summary="Tell what a worker's run came to",
        body=workers.FinishBody, reply=wire.Run, errors=(404, 409, 422),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/log", scopes=RUNS, handler=runs.get_log, summary="Lines of a run's log",
        query=wire.LogQuery, reply=LogPage, errors=(404, 409),
    ),
    Route(
        method="GET", path="/v1/runs/{id}/log/stream", scopes=RUNS, handler=runs.stream_log,
        summary="Lines as they are written; Last-Event-ID resumes",
        query=wire.LogStreamQuery, media_type=EVENT_STREAM, errors=(404, 409, 422),
    ),
    Route(
        method="POST", path="/v1/events", scopes=PUBLISH, handler=happenings.publish_event, summary="Publish an event",
        body=wire.EventBody, reply=wire.Event, status=202,
    ),
    Route(
        method="GET", path="/v1/stream", scopes=RUNS, handler=happenings.stream_notices,
        summary="What happens; Last-Event-ID resumes",
        media_type=EVENT_STREAM,
    ),
    Route(
        method="GET", path="/v1/notifications", scopes=RUNS, handler=telling.list_notifications, summary="The bell",
        query=wire.PageQuery, reply=Page[Notification],
    ),
    Route(
        method="GET", path="/v1/notifications/unread", scopes=RUNS, handler=telling.count_unread,
        summary="How many lines of the bell are unread", reply=wire.Count,
    ),
    Route(
        method="POST", path="/v1/notifications/read", scopes=UPDATE, handler=telling.mark_all_read,
        summary="Note all of them as read",
        body=wire.NoBody, body_optional=True, reply=wire.Count,
    ),
    Route(
        method="POST", path="/v1/notifications/{id}/read", scopes=UPDATE, handler=telling.mark_read, summary="Note one as read",
        body=wire.NoBody, body_optional=True, reply=Notification, errors=(404,),
    ),
    Route(
        method="POST", path="/v1/notifications/{id}/unread", scopes=UPDATE, handler=telling.mark_unread,
        summary="Note one as unread",
        body=wire.NoBody, body_optional=True, reply=Notification, errors=(404,),
    ),
    Route(
        method="GET", path="/v1/deliveries", scopes=ADMIN, handler=telling.list_deliveries, summary="What was told outside",
        query=wire.DeliveriesQuery, reply=Page[wire.Delivery], errors=(403,),
    ),
    Route(
        method="GET", path="/v1/deliveries/{id}", scopes=ADMIN, handler=telling.get_delivery, summary="A delivery with its tries",
        reply=wire.Delivery, errors=(403, 404),
    ),
    Route(
        method="POST", path="/v1/deliveries/{id}/replay", scopes=ADMIN, handler=telling.replay_delivery,
        summary="Send it once more",
        body=wire.NoBody, body_optional=True, reply=wire.Delivery, errors=(403, 404, 409),
    ),
    Route(
        method="POST", path="/v1/reload", scopes=ADMIN, handler=installation.reload_settings,
        summary="Read the settings file again",
        body=wire.NoBody, body_optional=True, reply=dict[str, Any], errors=(403, 409, 422),
    ),
    Route(
        method="GET", path="/v1/modules", scopes=READ, handler=modules.list_modules,
        summary="What tasks of the kind `module` and steps `module.<name>` can call", reply=modules.ModuleList, errors=(403,),
    ),
    Route(
        method="GET", path="/v1/info", handler=installation.get_info,
        summary="What this server is", reply=wire.Info,
    ),
    Route(
        method="GET", path="/v1/nodes", scopes=ADMIN, handler=installation.list_nodes,
        summary="The servers that share the database, their workers, and which server plans", reply=NodeList, errors=(403,),
    ),
    Route(
        method="DELETE", path="/v1/keys/{id}", scopes=ADMIN, handler=installation.revoke_key,
        summary="Take a key back; streams that were opened with it end", status=204, errors=(403, 404),
    ),
    Route(
        method="GET", path="/v1/openapi.json", handler=get_openapi,
        summary="This description", reply=dict[str, Any],
    ),
    Route(
        method="GET", path="/livez", handler=installation.livez,
        summary="Whether the server lives", reply=wire.Livez, is_open=True,
    ),
    Route(
        method="GET", path="/readyz", handler=installation.readyz,
        summary="Whether work is planned, started and recorded; 503 with reasons",
        reply=Readiness, is_open=True,
    ),
    Route(
        method="GET", path="/metrics", handler=installation.metrics, summary="Numbers, as OpenMetrics",
        media_type=MEDIA_TYPE.decode(), is_open=True,
    ),
)  # fmt: skip


def app(rota: Rota, authenticate: Authenticate | None = None) -> Router:
    """The native API. Without `authenticate`, users ask with the Bearer keys that are made with `--for native`."""
    return build_app(rota, ROUTES, authenticate or by_bearer(rota, "native"), errors.render_problem)


def control_app(rota: Rota) -> Router:
    """The native API for the operator: on the control socket, and in the command line when no server runs."""
    return app(rota, as_operator)


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    return openapi("Rota", ROUTES, errors.ProblemDetails, problem_media_type=errors.MEDIA_TYPE)
