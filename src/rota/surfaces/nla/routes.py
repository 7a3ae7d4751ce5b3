"""NLA's API, route by route."""

from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp

from rota.http.auth import Authenticate
from rota.http.openapi import openapi
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route, build_app
from rota.ops.context import Rota
from rota.surfaces.nla import agents, tasks, wire
from rota.surfaces.nla.auth import KeyFirst, by_apikey, known_already
from rota.surfaces.nla.errors import render

DOCUMENT = dict[str, Any]
KEY = {"apikey": {"type": "apiKey", "in": "header", "name": "apikey"}}


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path="/api/v1/task", handler=tasks.list_tasks, summary="All tasks of the user, newest first",
        reply=list[wire.Task],
    ),
    Route(
        method="GET", path="/api/v1/task/{task_id}", handler=tasks.get_task, summary="Get a task", reply=wire.Task,
        errors=(404,),
    ),
    Route(
        method="DELETE", path="/api/v1/task/{task_id}", handler=tasks.delete_task,
        summary="Remove a task for good, also one that is running", reply=wire.Task, errors=(404,),
    ),
    Route(
        method="GET", path="/api/v1/workflow/{agent_id}", handler=agents.get_agent, summary="Get an agent",
        reply=wire.Agent, errors=(404,),
    ),
    Route(
        method="POST", path="/api/v1/workflow/{agent_id}", handler=agents.run_agent,
        summary="Run an agent; the task is answered at once",
        body=DOCUMENT, shown_body=wire.RunBody, reply=wire.Task, status=201, errors=(400, 403, 404, 409),
    ),
    Route(
        method="GET", path="/api/v1/agent", handler=agents.list_agents,
        summary="Agents by id; with a query up to five whose description holds it",
        query=wire.AgentsQuery, lenient=True, reply=list[wire.Agent],
    ),
    Route(
        method="POST", path="/api/v1/agent", handler=agents.create_agent, summary="Create an agent",
        body=DOCUMENT, shown_body=wire.NewAgent, reply=wire.Agent, status=201, errors=(400, 403, 409),
    ),
    Route(
        method="GET", path="/api/v1/agent/{agent_id}", handler=agents.get_agent, summary="Get an agent",
        reply=wire.Agent, errors=(404,),
    ),
    Route(
        method="POST", path="/api/v1/agent/{agent_id}", handler=agents.update_agent, summary="Rewrite an agent",
        body=DOCUMENT, shown_body=wire.AgentText, reply=wire.Agent, status=201, errors=(400, 403, 404, 409),
    ),
    Route(
        method="DELETE", path="/api/v1/agent/{agent_id}", handler=agents.delete_agent,
        summary="Remove an agent and all its tasks", reply=wire.Agent, errors=(404, 409),
    ),
    Route(method="GET", path="/openapi.json", handler=get_openapi, summary="This API", reply=DOCUMENT, is_public=True),
)  # fmt: skip


def app(rota: Rota, authenticate: Authenticate | None = None) -> ASGIApp:
    """NLA's API. Without `authenticate`, users ask with keys that were made `--for nla`."""
    router = build_app(rota, ROUTES, known_already, render)
    return KeyFirst(router, authenticate or by_apikey(rota))


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    return openapi("NLA Engine", ROUTES, wire.Refusal, problem_media_type="application/json", schemes=KEY)
