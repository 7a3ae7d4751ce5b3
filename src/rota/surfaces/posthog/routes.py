"""The Tasks API, operation by operation. Each noun keeps its own list; this is the list of the lists."""

from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp

from rota.http.openapi import openapi
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route, build_app
from rota.ops.context import Rota
from rota.surfaces.posthog import artifacts, devices, errors, runs, sessions, tasks
from rota.surfaces.posthog.auth import by_personal_key
from rota.surfaces.posthog.operation import Gate, Op


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


OPS: tuple[Op, ...] = (
    *tasks.TASK_ROUTES,
    *devices.DEVICE_ROUTES,
    *artifacts.ARTIFACT_ROUTES,
    *runs.RUN_ROUTES,
    *sessions.SESSION_ROUTES,
)
OPENAPI = Route(method="GET", path="/openapi.json", handler=get_openapi, summary="This API", reply=dict[str, Any], is_public=True)


def app(rota: Rota) -> ASGIApp:
    """PostHog's Tasks API for users with personal API keys."""
    gate = Gate(rota)
    routes = [route for op in OPS for route in gate.routes(op)]
    return build_app(rota, [*routes, sessions.LINKED, OPENAPI], by_personal_key(rota), errors.render)


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    return openapi(
        "PostHog Tasks",
        (*(op.route() for op in OPS), sessions.LINKED, OPENAPI),
        errors.Envelope,
        problem_media_type="application/json",
    )
