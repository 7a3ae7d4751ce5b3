"""One literal list of routes in, one app out: reading, authority, errors and replies are the same for every route."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from typing import Any, NamedTuple

import msgspec
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from rota.core.actor import Actor
from rota.http.address import peer_of
from rota.http.auth import Authenticate, is_local
from rota.http.errors import MethodNotAllowed, NoSuchPath, RenderError, UnsupportedMediaType, answer_error, log
from rota.http.limits import MAX_BODY, ClientGone, read_body
from rota.http.query import read_form, read_query
from rota.http.reply import EventReply, PieceReply, Reply
from rota.http.sse import send_events
from rota.http.standing import until_lost
from rota.http.streams import StreamLimit
from rota.ops import reading
from rota.ops.context import Rota

NOBODY = Actor(id="nobody", name="nobody", kind="user")
EVENT_STREAM = "text/event-stream"
JSON_TYPES = (b"application/json", b"application/merge-patch+json")
FORM_TYPE = b"application/x-www-form-urlencoded"


class Ask(NamedTuple):
    """One request, read and checked. `body` and `query` are what the route says they are."""

    rota: Rota
    actor: Actor
    path: dict[str, str]
    headers: dict[bytes, bytes]
    body: Any
    query: Any
    scope: Scope

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


AnyReply = Reply | PieceReply | EventReply
Handler = Callable[[Ask], Awaitable[AnyReply]]
Admit = Callable[[Rota, Actor, Scope], Awaitable[None]]


class Route(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One method of one path: what it takes, what it answers, and how it can fail.

    body        type of the JSON body; None where there is none
    body_optional  an absent body means one without any fields
    takes_any   numbers and characters that no column can hold are let in: the handler keeps them within JSON, or refuses them
    is_form     the body is a form and not JSON; fields that its type does not know are passed over
    shown_body  the type that describes the body, where it is read as a plain document
    reply       type of the JSON answer; None for no content
    errors      statuses it may answer beside those every route may
    is_open     needs no key on the machine itself
    is_public   needs no key from anywhere
    most        bytes its body may have
    lenient     passes over fields of the query that it does not know
    scopes      a key that is limited to scopes needs one of these; none where any key will do
    admit       asked before anything of the query and the body is read; raises what refuses the request
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: Any = None
    body_optional: bool = False
    takes_any: bool = False
    is_form: bool = False
    shown_body: Any = None
    query: Any = None
    reply: Any = None
    status: int = 200
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()
    is_open: bool = False
    is_public: bool = False
    most: int = MAX_BODY
    lenient: bool = False
    scopes: tuple[str, ...] = ()
    admit: Admit | None = None

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.body)

    async def read(self, receive: Receive, headers: dict[bytes, bytes]) -> Any:
        """The body as its struct. Raises as reading and limits do."""
        if self.body is None:
            return None
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self.is_form:
            return await self._read_form(receive, headers, media_type)
        if media_type and media_type not in JSON_TYPES:
            raise UnsupportedMediaType(
                f"send JSON, not {media_type.decode('latin-1')[:100]}", hint="Content-Type: application/json"
            )
        raw = await read_body(headers, receive, self.most)
        if not raw and self.body_optional:
            raw = b"{}"
        elif not media_type:
            raise UnsupportedMediaType("say that the body is JSON", hint="Content-Type: application/json")
        return reading.decode(self.decoder, raw, takes_any=self.takes_any)

    async def _read_form(self, receive: Receive, headers: dict[bytes, bytes], media_type: bytes) -> Any:
        if media_type != FORM_TYPE:
            raise UnsupportedMediaType("send a form", hint="Content-Type: application/x-www-form-urlencoded")
        return read_form(self.body, await read_body(headers, receive, self.most))


class Endpoint:
    """All methods of one path."""

    def __init__(
        self, rota: Rota, routes: Sequence[Route], authenticate: Authenticate, render: RenderError, streams: StreamLimit
    ) -> None:
        self._rota = rota
        self._routes = {route.method: route for route in routes}
        self._authenticate = authenticate
        self._render = render
        self._streams = streams
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as held:
            try:
                reply = await self._answer(scope, receive, held)
            except ClientGone:
                return
            except Exception as error:
                reply = answer_error(error, self._render)
            if isinstance(reply, Reply | PieceReply):
                await reply.send(send)
            elif scope["method"] == "HEAD":
                await reply.chunks.aclose()
                await Reply(200, b"", EVENT_STREAM.encode()).send(send)
            else:
                await self._stream(reply, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, held: ExitStack) -> AnyReply:
        route = self._routes.get(scope["method"])
        if route is None:
            raise MethodNotAllowed(f"{scope['method']} is not possible here", sorted(self._routes))
        since = self._rota.bus.rights.changes
        actor = await self._let_in(route, scope)
        headers = dict(scope["headers"])
        query = read_query(route.query, scope["query_string"], lenient=route.lenient) if route.query else None
        body = await route.read(receive, headers)
        if route.media_type == EVENT_STREAM:
            held.enter_context(self._streams.hold(peer_of(scope).address))
        ask = Ask(self._rota, actor, scope["path_params"], headers, body, query, scope)
        reply = await route.handler(ask)
        return self._watched(reply, route, ask, since) if isinstance(reply, EventReply) else reply

    async def _let_in(self, route: Route, scope: Scope) -> Actor:
        """Who asks, if they may come in here at all."""
        is_free = route.is_public or (route.is_open and is_local(scope))
        actor = NOBODY if is_free else await self._authenticate(scope)
        if "\x00" in scope["path"]:
            raise NoSuchPath("there is nothing at this path")
        if route.scopes and not is_free:
            actor.require_scope(*route.scopes)
        if route.admit is not None:
            await route.admit(self._rota, actor, scope)
        return actor

    def _watched(self, reply: EventReply, route: Route, ask: Ask, since: int) -> EventReply:
        """The same, over as soon as it would be refused: the whole way is gone again, from the credential to what is shown."""

        async def ask_again() -> Actor:
            actor = await self._let_in(route, ask.scope)
            again = await route.handler(ask._replace(actor=actor))
            if isinstance(again, EventReply):
                await again.chunks.aclose()
            return actor

        return EventReply(reply.chunks, partial(until_lost, self._rota.bus.rights, since, ask.actor, ask_again))

    async def _stream(self, reply: EventReply, receive: Receive, send: Send) -> None:
        try:
            await send_events(reply.chunks, receive, send, self._rota.bus.signal("closing"), lost=reply.lost)
        except OSError:
            return
        except Exception as error:  # the answer has begun, so it can only be cut off; a client resumes where it was
            log.error("a stream failed", exc_info=error)


def build_app(
    rota: Rota, routes: Sequence[Route], authenticate: Authenticate, render: RenderError, streams: StreamLimit | None = None
) -> Router:
    """The app of a surface. Unknown paths and methods are answered in the surface's own shape too.

    A router alone: every endpoint answers its errors itself, so nothing has to stand around all of them.
    """
    paths: dict[str, list[Route]] = {}
    limit = streams or StreamLimit()
    for route in routes:
        paths.setdefault(route.path, []).append(route)
    endpoints = [StarletteRoute(path, Endpoint(rota, group, authenticate, render, limit)) for path, group in paths.items()]

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer_error(NoSuchPath("there is nothing at this path"), render).send(send)

    return Router(endpoints, redirect_slashes=False, default=refuse)
