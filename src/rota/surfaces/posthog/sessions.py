"""Operations on what runs say: entries, the whole log, filters, the stream, and commands to whoever works."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from rota.core.errors import Conflict
from rota.http import sse
from rota.http.reply import EventReply, PieceReply, Reply, encode, ok
from rota.http.routes import EVENT_STREAM, Ask, Route
from rota.ops import projectlogs
from rota.ops.projectlogs import Sign, Wanted
from rota.surfaces.posthog import loglinks
from rota.surfaces.posthog import runwire as wire
from rota.surfaces.posthog.fields import (
    Field,
    Fields,
    anything,
    choice,
    find_uuid,
    integer,
    json_object,
    list_of,
    moment,
    text,
)
from rota.surfaces.posthog.operation import Op
from rota.surfaces.posthog.paging import query_of
from rota.surfaces.posthog.runs import ONE, place_of

JSONL = b"application/jsonl"
# Seconds.
KEEPALIVE_S, APPEAR_S = 20.0, 120.0
KEEPALIVE = sse.event("keepalive", {"type": "keepalive"})
MISSING = sse.event("error", {"error": "Stream not available"})
MOST_SHOWN = 5000
ENTRIES: Fields = {"entries": Field(list_of(json_object, empty="At least one entry is required"), required=True)}
SESSION: Fields = {
    "after": Field(moment),
    "event_types": Field(text()),
    "exclude_types": Field(text()),
    "limit": Field(integer(1, MOST_SHOWN), default=1000),
    "offset": Field(integer(0), default=0),
}
STREAM: Fields = {"start": Field(text())}
METHODS = ("user_message", "cancel", "close", "permission_response", "set_config_option")
COMMAND: Fields = {
    "jsonrpc": Field(choice(("2.0",)), required=True),
    "method": Field(choice(METHODS), required=True),
    "params": Field(json_object, default={}),
    "id": Field(anything, null=True, default=None),
}
# JSON-RPC leaves numbers from here on to servers.
NOT_DELIVERED = -32000


async def append_log(ask: Ask) -> Reply:
    return ok(await wire.run_wire(ask, await projectlogs.append_entries(ask.rota, place_of(ask), ask.body["entries"])))


async def get_logs(ask: Ask) -> PieceReply:
    return PieceReply(await projectlogs.open_log(ask.rota, place_of(ask)), JSONL)


async def get_linked_log(ask: Ask) -> PieceReply:
    task_id, run_id = find_uuid(ask.path["task_id"]) or "", find_uuid(ask.path["run_id"]) or ""
    query = query_of(ask.scope)
    await loglinks.check_link(ask.rota, task_id, run_id, query.get("expires", ""), query.get("signature", ""))
    return PieceReply(await projectlogs.open_linked_log(ask.rota, task_id, run_id), JSONL)


async def get_session(ask: Ask) -> Reply:
    query = ask.query
    wanted = Wanted(
        after=query.get("after"),
        types=_words(query.get("event_types")),
        without=_words(query.get("exclude_types")),
        limit=query["limit"],
        offset=query["offset"],
    )
    found = await projectlogs.read_session(ask.rota, place_of(ask), wanted)
    has_more = wanted.offset + len(found.entries) < found.matching
    return ok(
        found.entries,
        ("X-Total-Count", str(found.total)),
        ("X-Filtered-Count", str(len(found.entries))),
        ("X-Matching-Count", str(found.matching)),
        ("X-Has-More", "true" if has_more else "false"),
    )


async def stream_run(ask: Ask) -> EventReply:
    start = None if ask.query.get("start") == "latest" else 0
    last = ask.header(b"last-event-id") or ""
    if last.isascii() and last.isdecimal() and len(last) < 19:
        start = int(last)
    signs = await projectlogs.follow_run(ask.rota, place_of(ask), start, APPEAR_S)
    return EventReply(_frames(signs, KEEPALIVE_S))


async def send_command(ask: Ask) -> Reply:
    body = ask.body
    try:
        await projectlogs.send_command(ask.rota, place_of(ask), body["method"], body["params"])
    except Conflict as error:
        problem = {"code": NOT_DELIVERED, "message": error.message}
        return ok({"jsonrpc": "2.0", "id": body["id"], "error": problem})
    return ok({"jsonrpc": "2.0", "id": body["id"], "result": {"delivered": True}})


async def _frames(signs: AsyncIterator[Sign], keepalive_s: float) -> AsyncGenerator[bytes]:
    """With a sign that the line is still open whenever nothing was to be told for a while."""
    pending = asyncio.ensure_future(anext(signs, None))
    try:
        while True:
            done, _ = await asyncio.wait({pending}, timeout=keepalive_s)
            if not done:
                yield KEEPALIVE
                continue
            sign = pending.result()
            if sign is None:
                return
            yield _frame(sign)
            pending = asyncio.ensure_future(anext(signs, None))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)


def _frame(sign: Sign) -> bytes:
    match sign.kind:
        case "state":
            return _message(sign.next_line, wire.state_event(sign.run))
        case "entries":
            return b"".join(_message(told.next_line, told.entry) for told in sign.entries)
        case "missing":
            return MISSING
    return sse.event("stream-end", wire.state_event(sign.run), sign.next_line)


def _message(event_id: int, data: Any) -> bytes:
    """An event of the kind that has no name."""
    return b"id: %d\ndata: %s\n\n" % (event_id, encode(data))


def _words(text_: str | None) -> frozenset[str]:
    return frozenset(word.strip() for word in (text_ or "").split(",") if word.strip())


_ENTRY: dict[str, Any] = {"reply": list[dict[str, Any]], "scope": "task:read", "errors": (404,)}
SESSION_ROUTES: tuple[Op, ...] = (
    Op(
        method="POST", path=f"{ONE}/append_log", handler=append_log, summary="Add entries to the log of a run",
        scope="task:write", body=ENTRIES, shown_body=wire.EntriesBody, reply=wire.TaskRun, errors=(404,),
    ),
    Op(
        method="GET", path=f"{ONE}/logs", handler=get_logs, summary="The log, an object a line",
        scope="task:read", media_type="application/jsonl", errors=(404,),
    ),
    Op(
        method="GET", path=f"{ONE}/session_logs", handler=get_session, summary="Entries of the log that match",
        query=SESSION, **_ENTRY,
    ),
    Op(
        method="GET", path=f"{ONE}/stream", handler=stream_run, summary="A run and its entries as they come",
        scope="task:read", query=STREAM, media_type=EVENT_STREAM, errors=(404,),
    ),
    Op(
        method="POST", path=f"{ONE}/command", handler=send_command, summary="Tell whoever works on a run (JSON-RPC 2.0)",
        scope="task:write", body=COMMAND, shown_body=wire.CommandBody, reply=dict[str, Any], errors=(404,),
    ),
)  # fmt: skip
LINKED = Route(
    method="GET", path=f"{loglinks.PATH}/{{task_id}}/{{run_id}}", handler=get_linked_log, summary="The log that a link is for",
    media_type="application/jsonl", is_public=True, errors=(404,),
)  # fmt: skip
