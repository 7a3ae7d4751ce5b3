"""Ordinaut's API, route by route. `_for` names the scopes of which one is needed (contract §2)."""

from collections.abc import Awaitable, Callable
from functools import lru_cache, wraps
from typing import Any

from msgspec.structs import replace
from starlette.types import ASGIApp

from rota.http.auth import Authenticate
from rota.http.mounts import with_mounted
from rota.http.openapi import openapi
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route, build_app
from rota.ops.context import Rota
from rota.surfaces import mcp
from rota.surfaces.ordinaut import agents, auth, errors, events, runs, system, tasks, wire
from rota.surfaces.ordinaut.served import Served

Handle = Callable[[Ask], Awaitable[Reply]]
ADMIN = "admin"
DOCUMENT = dict[str, Any]
HTML = "text/html"


def _for(handler: Handle, *scopes: str) -> Handle:
    @wraps(handler)
    async def allowed(ask: Ask) -> Reply:
        ask.actor.require_scope(*scopes)
        return await handler(ask)

    return allowed


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


async def get_docs(_ask: Ask) -> Reply:
    return Reply(200, system.page_of([(route.method, route.path, route.summary) for route in OWN]), system.HTML)


OWN: tuple[Route, ...] = (
    Route(
        method="POST", path="/tasks", handler=_for(tasks.create_task, "tasks:create"), summary="Create a task",
        body=DOCUMENT, shown_body=wire.TaskBody, reply=wire.Task, status=201, errors=(400, 403, 409),
    ),
    Route(
        method="GET", path="/tasks", handler=_for(tasks.list_tasks, "tasks:read"), summary="List tasks, newest first",
        query=wire.TasksQuery, lenient=True, reply=wire.TaskPage, errors=(403,),
    ),
    Route(
        method="GET", path="/tasks/{task_id}", handler=_for(tasks.get_task, "tasks:read"), summary="Get a task",
        reply=wire.Task, errors=(403, 404, 422),
    ),
    Route(
        method="PUT", path="/tasks/{task_id}", handler=_for(tasks.update_task, "tasks:update"),
        summary="Change a task: only what is given changes",
        body=DOCUMENT, shown_body=wire.TaskChange, reply=wire.Task, errors=(400, 403, 404, 409),
    ),
    Route(
        method="DELETE", path="/tasks/{task_id}", handler=_for(tasks.delete_task, "tasks:delete"),
        summary="Remove a task and its runs", status=204, errors=(403, 404, 422),
    ),
    Route(
        method="POST", path="/tasks/{task_id}/run_now", handler=_for(tasks.run_task, "tasks:update", "tasks:run"),
        summary="One run more, now", reply=wire.Operation, errors=(400, 403, 404, 422),
    ),
    Route(
        method="POST", path="/tasks/{task_id}/snooze", handler=_for(tasks.snooze_task, "tasks:update"),
        summary="Put the next occurrence off",
        body=DOCUMENT, shown_body=wire.SnoozeBody, reply=wire.Operation, errors=(400, 403, 404),
    ),
    Route(
        method="POST", path="/tasks/{task_id}/pause", handler=_for(tasks.pause_task, "tasks:update"),
        summary="Start nothing until it is resumed", reply=wire.Operation, errors=(400, 403, 404, 422),
    ),
    Route(
        method="POST", path="/tasks/{task_id}/resume", handler=_for(tasks.resume_task, "tasks:update"),
        summary="Go on from now", reply=wire.Operation, errors=(400, 403, 404, 409, 422),
    ),
    Route(
        method="POST", path="/tasks/{task_id}/cancel", handler=_for(tasks.cancel_task, "tasks:cancel", "tasks:delete"),
        summary="End a task for good", reply=wire.Operation, errors=(403, 404, 422),
    ),
    Route(
        method="GET", path="/runs", handler=_for(runs.list_runs, "runs:read"),
        summary="List runs, newest first; each attempt is one",
        query=wire.RunsQuery, lenient=True, reply=wire.RunPage, errors=(403,),
    ),
    Route(
        method="GET", path="/runs/stats/summary", handler=_for(runs.get_summary, "runs:read"), summary="How all runs went",
        query=wire.SummaryDays, lenient=True, reply=wire.Summary, errors=(403,),
    ),
    Route(
        method="GET", path="/runs/task/{task_id}/latest", handler=_for(runs.get_latest, "runs:read"),
        summary="The newest run of a task, or null", reply=wire.Run, errors=(403, 404, 422),
    ),
    Route(
        method="GET", path="/runs/task/{task_id}/stats", handler=_for(runs.get_task_stats, "runs:read"),
        summary="How the runs of a task went",
        query=wire.TaskDays, lenient=True, reply=wire.TaskStats, errors=(403, 404),
    ),
    Route(
        method="GET", path="/runs/{run_id}", handler=_for(runs.get_run, "runs:read"), summary="Get a run",
        reply=wire.Run, errors=(403, 404, 422),
    ),
    Route(
        method="POST", path="/events", handler=_for(events.publish_event, "events:publish"),
        summary="Publish an event, with the runs it starts",
        body=DOCUMENT, shown_body=wire.EventBody, reply=wire.Operation, status=202, errors=(400, 403),
    ),
    Route(
        method="GET", path="/events/topics", handler=_for(events.list_topics, "events:read", "events:publish"),
        summary="Topics that active tasks wait for", reply=wire.Topics, errors=(403,),
    ),
    Route(
        method="GET", path="/events/stream/recent", handler=_for(events.list_recent, "events:read", "events:publish"),
        summary="Events, newest first", query=wire.RecentQuery, lenient=True, reply=wire.StreamPage, errors=(403,),
    ),
    Route(
        method="DELETE", path="/events/stream/cleanup", handler=_for(events.clean_up, ADMIN), summary="Forget old events",
        query=wire.CleanupQuery, lenient=True, reply=wire.Operation, errors=(403,),
    ),
    Route(
        method="POST", path="/agents", handler=_for(agents.create_agent, ADMIN), summary="Create an agent",
        body=DOCUMENT, shown_body=wire.AgentBody, reply=wire.Agent, status=201, errors=(400, 403),
    ),
    Route(
        method="GET", path="/agents", handler=_for(agents.list_agents, ADMIN), summary="List agents, newest first",
        query=wire.AgentsQuery, lenient=True, reply=list[wire.Agent], errors=(403,),
    ),
    Route(
        method="POST", path="/agents/auth/token", handler=auth.create_token, summary="Tokens for an agent's secret",
        body=DOCUMENT, shown_body=wire.LoginBody, reply=wire.TokenPair, errors=(429,), is_public=True,
    ),
    Route(
        method="POST", path="/agents/auth/refresh", handler=auth.refresh_token, summary="New tokens for a refresh token",
        body=DOCUMENT, shown_body=wire.RefreshBody, reply=wire.TokenPair, is_public=True,
    ),
    Route(
        method="POST", path="/agents/auth/revoke", handler=auth.revoke, summary="Take a token back",
        body=DOCUMENT, shown_body=wire.RefreshBody, reply=wire.Operation, is_public=True,
    ),
    Route(
        method="GET", path="/agents/{agent_id}", handler=_for(agents.get_agent, ADMIN), summary="Get an agent",
        reply=wire.Agent, errors=(403, 404, 422),
    ),
    Route(
        method="PUT", path="/agents/{agent_id}", handler=_for(agents.update_agent, ADMIN), summary="Change an agent",
        body=DOCUMENT, shown_body=wire.AgentChange, reply=wire.Agent, errors=(400, 403, 404),
    ),
    Route(
        method="DELETE", path="/agents/{agent_id}", handler=_for(agents.delete_agent, ADMIN),
        summary="Remove an agent with its tasks and their runs", reply=wire.Operation, errors=(400, 403, 404, 422),
    ),
    Route(
        method="POST", path="/agents/{agent_id}/credentials", handler=_for(agents.create_credentials, ADMIN),
        summary="Give an agent a new secret, shown this once",
        body=str | DOCUMENT | None, shown_body=wire.PasswordBody, body_optional=True, reply=wire.Credentials,
        errors=(403, 404),
    ),
    Route(
        method="GET", path="/audit", handler=_for(agents.list_audit, ADMIN), summary="Who changed what, newest first",
        query=wire.AuditQuery, lenient=True, reply=wire.AuditPage, errors=(403,),
    ),
    Route(method="GET", path="/tools", handler=system.list_tools, summary="Tools by name", reply=DOCUMENT),
    Route(method="GET", path="/extensions", handler=system.list_extensions, summary="Extensions", reply=list[DOCUMENT]),
    Route(method="GET", path="/", handler=system.get_root, summary="What this is", reply=DOCUMENT, is_public=True),
    Route(
        method="GET", path="/health", handler=system.get_health, summary="How the server is doing; 503 if unhealthy",
        reply=DOCUMENT, is_public=True,
    ),
    Route(
        method="GET", path="/health/ready", handler=system.get_ready, summary="Whether it can store what it is told",
        reply=DOCUMENT, is_public=True,
    ),
    Route(
        method="GET", path="/health/live", handler=system.get_live, summary="Whether it lives", reply=DOCUMENT, is_public=True,
    ),
    Route(
        method="GET", path="/metrics", handler=system.get_metrics, summary="Numbers for Prometheus",
        media_type="text/plain", is_public=True,
    ),
    Route(method="GET", path="/openapi.json", handler=get_openapi, summary="This API", reply=DOCUMENT, is_public=True),
    Route(method="GET", path="/docs", handler=get_docs, summary="This API, for people", media_type=HTML, is_public=True),
)  # fmt: skip
# The documentation prints some paths without what comes before them, or elsewhere.
ALIASES = {
    "/topics": "/events/topics",
    "/stream/recent": "/events/stream/recent",
    "/stream/cleanup": "/events/stream/cleanup",
    "/task/{task_id}/latest": "/runs/task/{task_id}/latest",
    "/task/{task_id}/stats": "/runs/task/{task_id}/stats",
    "/stats/summary": "/runs/stats/summary",
    "/ext/status": "/extensions",
    "/ext/observability/metrics": "/metrics",
    "/redoc": "/docs",
}
# MCP, as a surface of its own.
ASSISTANTS = "/ext/mcp_http"
ROUTES: tuple[Route, ...] = (
    *OWN,
    *(replace(route, path=alias) for alias, path in ALIASES.items() for route in OWN if route.path == path),
)


def app(rota: Rota, authenticate: Authenticate | None = None) -> ASGIApp:
    """Ordinaut's API. Without `authenticate`, agents ask with the tokens that they get at `/agents/auth/token`."""
    keeper = auth.TokenKeeper(rota)
    ask_who = authenticate or auth.by_token(rota, keeper)
    router = build_app(rota, ROUTES, ask_who, errors.renderer(rota))
    return Served(with_mounted(router, ASSISTANTS, mcp.app(rota, ask_who)), keeper, rota.clock)


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    return openapi("Ordinaut", OWN, errors.Envelope, problem_media_type="application/json")
