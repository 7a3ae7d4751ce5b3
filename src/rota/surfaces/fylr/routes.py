"""fylr's task endpoint, route by route (contract §3)."""

from functools import lru_cache
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from rota.http.auth import Authenticate
from rota.http.mounts import with_mounted
from rota.http.openapi import BEARER, openapi
from rota.http.reply import Reply, ok
from rota.http.routes import Ask, Route, build_app
from rota.ops.context import Rota
from rota.surfaces.fylr import errors, logs, oauth, tasks, wire
from rota.surfaces.fylr.auth import PARAMETER, by_token
from rota.surfaces.fylr.tokens import TokenKeeper

TASKS, TASK = "/api/v1/task", "/api/v1/task/{taskId}"
OAUTH = "/api/oauth2"
WRITTEN: dict[str, Any] = {"body": wire.WrapperBody, "reply": wire.Wrapper, "admit": tasks.admit}
READ: dict[str, Any] = {"admit": tasks.admit, "lenient": True}


async def get_openapi(_ask: Ask) -> Reply:
    return ok(describe())


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path=TASKS, handler=tasks.list_tasks, summary="The user's own tasks, newest first",
        query=wire.PageQuery, reply=wire.TaskList, errors=(400, 403), **READ,
    ),
    Route(method="POST", path=TASKS, handler=tasks.create_task, summary="Create a task", errors=(403,), **WRITTEN),
    Route(method="PUT", path=TASKS, handler=tasks.create_task, summary="Create a task", errors=(403,), **WRITTEN),
    Route(
        method="GET", path=f"{TASKS}/modules", handler=tasks.list_modules, summary="What tasks can do",
        reply=wire.Modules, errors=(403,), **READ,
    ),
    Route(
        method="GET", path=TASK, handler=tasks.get_task, summary="Get a task",
        reply=wire.Wrapper, errors=(400, 403, 404), **READ,
    ),
    Route(
        method="PATCH", path=TASK, handler=tasks.update_task, errors=(403,),
        summary="Change a task that does not run, from its present version", **WRITTEN,
    ),
    Route(
        method="DELETE", path=TASK, handler=tasks.delete_task, summary="Remove a task that does not run",
        reply=wire.Acknowledge, errors=(400, 403, 404), **READ,
    ),
    Route(
        method="POST", path=f"{TASK}/cancel", handler=tasks.cancel_task, summary="Ask what runs to end",
        reply=wire.Acknowledge, errors=(400, 403, 404), **READ,
    ),
    Route(
        method="GET", path=f"{TASK}/log", handler=logs.get_log, summary="The log of the last run",
        query=wire.PageQuery, reply=list[wire.Entry], errors=(400, 403, 404), **READ,
    ),
    Route(method="GET", path="/openapi.json", handler=get_openapi, summary="This API", reply=dict[str, Any], is_public=True),
)  # fmt: skip
# At their own place, with errors of their own (RFC 6749 §5.2).
TOKENS: tuple[Route, ...] = (
    Route(
        method="POST", path="/token", handler=oauth.create_token, summary="Tokens for a password or a refresh token",
        body=wire.TokenForm, is_form=True, reply=wire.Tokens, errors=(429,), is_public=True,
    ),
    Route(
        method="POST", path="/revoke", handler=oauth.revoke_token, summary="Take a token back",
        body=wire.TokenForm, is_form=True, reply=dict[str, Any], is_public=True,
    ),
)  # fmt: skip
SCHEMES = {
    **BEARER,
    "header": {"type": "apiKey", "in": "header", "name": "X-Fylr-Authorization"},
    "query": {"type": "apiKey", "in": "query", "name": PARAMETER},
}
# Read by the handlers, for other checks come before theirs.
NUMBERS = {
    "taskId": {"type": "integer", "minimum": 1},
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "limit": {"type": "integer", "minimum": 0, "default": 100},
}
# What requests are refused with here is a 400.
NEVER = ("415", "422")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def app(rota: Rota, authenticate: Authenticate | None = None) -> ASGIApp:
    """Without `authenticate`, people ask with the tokens that they log in for, or with keys."""
    keeper = TokenKeeper(rota)
    ask_who = authenticate or by_token(rota, keeper)
    login = build_app(rota, TOKENS, ask_who, oauth.render)

    async def serve_login(scope: Scope, receive: Receive, send: Send) -> None:
        await login({**scope, oauth.KEEPER: keeper}, receive, send)

    return with_mounted(build_app(rota, ROUTES, ask_who, errors.render), OAUTH, serve_login)


@lru_cache(maxsize=1)
def describe() -> dict[str, Any]:
    """Its OpenAPI description."""
    document = openapi("fylr tasks", ROUTES, errors.Envelope, problem_media_type=JSON, schemes=SCHEMES)
    tokens = openapi("", TOKENS, wire.OAuthError, problem_media_type=JSON)
    for path, methods in tokens["paths"].items():
        for operation in methods.values():
            content = operation["requestBody"]["content"]
            content[FORM] = content.pop(JSON)
        document["paths"][OAUTH + path] = methods
    document["components"]["schemas"] |= tokens["components"]["schemas"]
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        for status in NEVER:
            operation["responses"].pop(status, None)
        for parameter in operation["parameters"]:
            parameter["schema"] = NUMBERS.get(parameter["name"], parameter["schema"])
    return document
