"""RunWisp's API, route by route (contract §12)."""

from functools import lru_cache
from typing import Any

from msgspec import structs
from starlette.routing import Router

from rota.http.auth import Authenticate, as_operator
from rota.http.openapi import openapi
from rota.http.reply import Reply, ok
from rota.http.routes import EVENT_STREAM, Ask, Route, build_app
from rota.http.streams import StreamLimit
from rota.ops.context import Rota
from rota.ops.machine import Sample
from rota.surfaces.runwisp import auth, bell, daemon, errors, logs, runs, streams, tasks, wire
from rota.surfaces.runwisp.metrics import MEDIA_TYPE

MOST_BODY = 1024 * 1024
MOST_STREAMS, MOST_STREAMS_EACH = 64, 8
TEXT = "text/plain; charset=utf-8"
RUN = "/api/tasks/{task}/runs/{id}"


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


async def get_schema(ask: Ask) -> Reply:
    return ok(daemon.shape_of(ask.path["name"], describe()))


OWN = (
    Route(
        method="GET", path="/health", handler=daemon.get_health, summary="Whether the server lives",
        media_type=TEXT, is_public=True,
    ),
    Route(
        method="GET", path="/metrics", handler=daemon.get_metrics, summary="Numbers, as OpenMetrics",
        media_type=MEDIA_TYPE.decode(), errors=(404,), is_public=True,
    ),
    Route(method="GET", path="/api/info", handler=daemon.get_info, summary="What this server is", reply=wire.DaemonInfo),
    Route(
        method="GET", path="/api/system", handler=daemon.get_system,
        summary="How busy the machine is", reply=wire.SystemStats,
    ),
    Route(
        method="GET", path="/api/system/history", handler=daemon.list_samples,
        summary="The last samples, one every 5 seconds, oldest first", reply=list[Sample],
    ),
    Route(
        method="POST", path="/api/reload", handler=daemon.reload_settings,
        summary="Read the settings file again, all or nothing", reply=wire.Reloaded, errors=(400, 409),
    ),
    Route(
        method="GET", path="/api/daemon/log-stream", handler=streams.stream_own_log,
        summary="The server's own log: the last 100 lines, then each new one", media_type=EVENT_STREAM,
    ),
    Route(
        method="GET", path="/api/tasks", handler=tasks.list_tasks,
        summary="All tasks and services by name", reply=list[wire.Task],
    ),
    Route(
        method="POST", path="/api/tasks/{task}/run", handler=tasks.start_task,
        summary="Run a task now; a start that its policy refuses is a run that has ended",
        body=wire.TriggerBody, body_optional=True, query=wire.TriggerQuery, reply=wire.Run, status=201,
        errors=(403, 404, 409),
    ),
    Route(
        method="POST", path="/api/tasks/{task}/start", handler=tasks.start_service,
        summary="Start a service that is stopped", reply=wire.Message, errors=(400, 404),
    ),
    Route(
        method="POST", path="/api/tasks/{task}/stop", handler=tasks.stop_service,
        summary="Stop a service until it is started", reply=wire.Message, errors=(400, 404),
    ),
    Route(
        method="POST", path="/api/tasks/{task}/restart", handler=tasks.restart_service,
        summary="Restart a service at once, or start it", reply=wire.Message, errors=(400, 404),
    ),
    Route(
        method="GET", path="/api/tasks/{task}/runs", handler=runs.list_task_runs, summary="Runs of a task",
        query=wire.RunsQuery, lenient=True, reply=wire.RunPage, errors=(404,),
    ),
    Route(method="GET", path=RUN, handler=runs.get_task_run, summary="A run", reply=wire.Run, errors=(404, 422)),
    Route(
        method="DELETE", path=RUN, handler=runs.delete_run,
        summary="Delete a run that has ended; for seven seconds it can be restored", status=204, errors=(404, 409, 422),
    ),
    Route(
        method="POST", path=f"{RUN}/stop", handler=runs.stop_run, summary="Stop a run",
        reply=wire.Message, errors=(400, 404, 422),
    ),
    Route(
        method="GET", path=f"{RUN}/log", handler=logs.get_log, summary="Lines of a run's log",
        query=wire.LogQuery, lenient=True, reply=wire.LogPage, errors=(404,),
    ),
    Route(
        method="GET", path=f"{RUN}/log/raw", handler=logs.get_raw_log, summary="The whole log as text",
        media_type=TEXT, errors=(404, 422),
    ),
    Route(
        method="GET", path=f"{RUN}/log/line/{{n}}/history", handler=logs.get_line_history,
        summary="What a line was before it was drawn over", reply=wire.LineHistory, errors=(404, 422),
    ),
    Route(
        method="GET", path="/api/tasks/{task}/log/search", handler=logs.search_log,
        summary="Lines of a task's runs that hold a text or match an expression, newest run first",
        query=wire.SearchQuery, lenient=True, reply=wire.SearchPage, errors=(400, 404),
    ),
    Route(
        method="GET", path=f"{RUN}/log/stream", handler=logs.stream_log,
        summary="Lines as they are written; Last-Event-ID resumes",
        query=wire.LogStreamQuery, lenient=True, media_type=EVENT_STREAM, errors=(404,),
    ),
    Route(
        method="GET", path="/api/runs", handler=runs.list_runs, summary="Runs of all tasks",
        query=wire.RunsQuery, lenient=True, reply=wire.RunPage,
    ),
    Route(
        method="GET", path="/api/runs/summary", handler=runs.summarize_runs,
        summary="How many runs there are, and how they went", reply=wire.Summary,
    ),
    Route(
        method="GET", path="/api/runs/stream", handler=streams.stream_runs,
        summary="What happens to runs; Last-Event-ID resumes", media_type=EVENT_STREAM,
    ),
    Route(
        method="GET", path="/api/stream", handler=streams.stream_all,
        summary="What happens; Last-Event-ID resumes", media_type=EVENT_STREAM,
    ),
    Route(
        method="POST", path="/api/runs/bulk/cancel", handler=runs.cancel_selected,
        summary="Stop the selected runs", body=wire.Selector, reply=wire.Affected,
    ),
    Route(
        method="POST", path="/api/runs/bulk/delete", handler=runs.delete_selected,
        summary="Delete those of the selected runs that have ended", body=wire.Selector, reply=wire.Affected,
    ),
    Route(
        method="POST", path="/api/runs/bulk/restore", handler=runs.restore_selected,
        summary="Bring deleted runs back", body=wire.Selector, reply=wire.Affected,
    ),
    Route(
        method="POST", path="/api/runs/bulk/rerun", handler=runs.rerun_selected,
        summary="Run each selected task once more, with the params of its newest selected run",
        body=wire.Selector, reply=wire.Rerun,
    ),
    Route(
        method="GET", path="/api/notifications", handler=bell.list_notifications, summary="Lines of the bell, newest first",
        query=wire.NotificationsQuery, lenient=True, reply=wire.NotificationPage,
    ),
    Route(
        method="GET", path="/api/notifications/unread-count", handler=bell.count_unread,
        summary="How many of them are unread", reply=wire.UnreadCount,
    ),
    Route(
        method="GET", path="/api/notifications/stream", handler=streams.stream_bell,
        summary="What happens to the bell; Last-Event-ID resumes", media_type=EVENT_STREAM,
    ),
    Route(
        method="POST", path="/api/notifications/read", handler=bell.mark_all_read, summary="Mark all of them read", status=204,
    ),
    Route(
        method="POST", path="/api/notifications/{id}/read", handler=bell.mark_read, summary="Mark one read", status=204,
        errors=(404, 422),
    ),
    Route(
        method="POST", path="/api/notifications/{id}/unread", handler=bell.mark_unread, summary="Mark one unread", status=204,
        errors=(404, 422),
    ),
    Route(method="GET", path="/api/runs/{id}", handler=runs.get_run, summary="A run", reply=wire.Run, errors=(404, 422)),
    Route(
        method="GET", path="/openapi.json", handler=get_openapi,
        summary="This description", reply=dict[str, Any], is_public=True,
    ),
    Route(
        method="GET", path="/schemas/{name}.json", handler=get_schema,
        summary="One shape of this description", reply=dict[str, Any], errors=(404,), is_public=True,
    ),
)  # fmt: skip
ROUTES: tuple[Route, ...] = (*(structs.replace(route, most=MOST_BODY) for route in OWN), *auth.ROUTES)


def app(rota: Rota, authenticate: Authenticate | None = None) -> Router:
    """RunWisp's API. Without `authenticate`, by session, as `auth` has it."""
    limit = StreamLimit(MOST_STREAMS, MOST_STREAMS_EACH)
    return build_app(rota, ROUTES, authenticate or auth.by_session(rota), errors.render_problem, limit)


def control_app(rota: Rota) -> Router:
    """The same for the operator, on the control socket."""
    return app(rota, as_operator)


def metrics_app(rota: Rota) -> Router:
    """`/metrics` alone, for a listener of its own."""
    routes = [route for route in OWN if route.path == "/metrics"]
    return build_app(rota, routes, as_operator, errors.render_problem)


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    return openapi("RunWisp", ROUTES, wire.ErrorModel, problem_media_type=errors.MEDIA_TYPE)
