"""One operation of this API, declared: who may ask for it, what it is told, what it answers. Everything is checked in the
contract's order (§2): who asks, scope and project, how often, then query and body, and only then the handler."""

from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Scope

from rota.core.actor import Actor
from rota.core.errors import Forbidden, NotFound
from rota.http.auth import find_bearer
from rota.http.routes import Admit, AnyReply, Ask, Route
from rota.ops import projects
from rota.ops.context import Rota
from rota.ops.limiter import Limiter
from rota.ops.secrets import hash_secret
from rota.store.projects import Project
from rota.surfaces.posthog.fields import Fields, find_uuid, read_fields
from rota.surfaces.posthog.paging import query_of

Handle = Callable[[Ask], Awaitable[AnyReply]]
KeyScope = Literal["task:read", "task:write", "user:write"]
PROJECT = "/api/projects/{project_id}"
# The only user whose things a key reaches.
ME = "@me"
PROJECT_KEY = "rota.posthog.project"
MINUTE_S, HOUR_S = 60.0, 3600.0


class Op(Struct, frozen=True, kw_only=True):
    """One method of one path.

    path    below `/api/projects/{project_id}` (then `project_of(ask)` is the project), or absolute if it begins with `/api/`
    scope   what the key needs
    body    fields of the JSON body, which `ask.body` holds as they were read; None where there is none. An absent body is `{}`
    query   fields of the query, likewise in `ask.query`; an empty value counts as absent
    most    bytes its body may have
    """

    method: str
    path: str
    handler: Handle
    summary: str
    scope: KeyScope
    body: Fields | None = None
    query: Fields | None = None
    shown_body: Any = None
    shown_query: Any = None
    reply: Any = None
    status: int = 200
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()
    most: int = 10 * 1024 * 1024

    @property
    def is_of_project(self) -> bool:
        return not self.path.startswith("/api/")

    def route(self, admit: Admit | None = None) -> Route:
        """Without `admit`, for descriptions alone."""
        return Route(
            method=self.method,
            path=PROJECT + self.path if self.is_of_project else self.path,
            handler=_reading(self),
            summary=self.summary,
            body=None if self.body is None else Any,
            body_optional=True,
            takes_any=True,  # entries, outputs and states are kept as they come; every other field is read by `fields`
            shown_body=self.shown_body,
            query=None,
            reply=self.reply,
            status=self.status,
            media_type=self.media_type,
            errors=tuple(sorted({400, 401, 403, 429, *self.errors})),
            most=self.most,
            admit=admit,
        )


class Gate:
    """Who comes in: the key's scope, the project, and how often that key has asked. One for the life of a surface."""

    def __init__(self, rota: Rota) -> None:
        access = rota.settings.posthog
        self._limits = (
            Limiter(rota.clock, access.requests_per_minute, MINUTE_S),
            Limiter(rota.clock, access.requests_per_hour, HOUR_S),
        )

    def routes(self, op: Op) -> Iterator[Route]:
        """With and without a slash at the end."""
        route = op.route(self._admit(op))
        yield route
        yield replace(route, path=f"{route.path}/")

    def _admit(self, op: Op) -> Admit:
        async def admit(rota: Rota, actor: Actor, scope: Scope) -> None:
            projects.require_key_scope(actor, op.scope)
            if scope["path_params"].get("user_id", ME) != ME:
                raise Forbidden("You do not have permission to perform this action.")
            if op.is_of_project:
                scope[PROJECT_KEY] = await projects.enter_project(rota, actor, scope["path_params"]["project_id"])
            key = hash_secret(find_bearer(scope) or actor.id)
            for limit in self._limits:
                limit.take(key)

        return admit


def project_of(ask: Ask) -> Project:
    """The project of the path, in which the asker may be."""
    project: Project = ask.scope[PROJECT_KEY]
    return project


def id_of(ask: Ask, name: str) -> str:
    """A UUID of the path in canonical form. Raises NotFound for what is none."""
    found = find_uuid(ask.path[name])
    if found is None:
        raise NotFound("this is no id")
    return found


def _reading(op: Op) -> Handle:
    @wraps(op.handler)
    async def handle(ask: Ask) -> AnyReply:
        query = None if op.query is None else read_fields(_present(query_of(ask.scope)), op.query)
        body = None if op.body is None else read_fields(_given(op, ask.body, query), op.body)
        return await op.handler(ask._replace(query=query, body=body))

    return handle


def _given(op: Op, body: Any, query: dict[str, Any] | None) -> Any:
    """A DELETE may say in its query what it would say in its body: some clients drop that."""
    return {**query, **body} if op.method == "DELETE" and query and isinstance(body, dict) else body


def _present(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}
