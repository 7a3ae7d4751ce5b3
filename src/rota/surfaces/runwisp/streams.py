"""Handlers of streams: what happens to runs, what happens at all, and the server's own log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from rota.bus import Notice
from rota.core.occurrence import Occurrence
from rota.core.run import Run
from rota.core.states import ENDED
from rota.core.ulid import to_ulid
from rota.http import sse
from rota.http.reply import EventReply
from rota.http.routes import Ask
from rota.ops import notices, occurrences
from rota.ops.machine import Sample
from rota.ops.occurrences import Shown
from rota.surfaces.runwisp import bell, translate, wire, words
from rota.surfaces.runwisp.daemon import uptime_of

PING_S = 30.0
PING = sse.event("ping", {})
OF_RUNS, OF_BELL = "run.", "notification"
SIMPLE = {"run.created": "run.created", "run.started": "run.started", "run.restored": "run.updated"}


async def stream_runs(ask: Ask) -> EventReply:
    return EventReply(_with_pings(_notices(ask, OF_RUNS)))


async def stream_bell(ask: Ask) -> EventReply:
    return EventReply(_with_pings(_notices(ask, OF_BELL)))


async def stream_all(ask: Ask) -> EventReply:
    ask.rota.machine.watch()
    return EventReply(_with_pings(_notices(ask)))


async def stream_own_log(ask: Ask) -> EventReply:
    return EventReply(_own_lines(ask.rota.own_log.follow()))


async def _notices(ask: Ask, beginning: str = "") -> AsyncGenerator[bytes]:
    """Those whose kind begins so."""
    names: dict[str, str] = {}
    with ask.rota.bus.watch(ask.header(b"last-event-id") or None) as watcher:
        async for notice in notices.watch_notices(ask.rota, ask.actor, watcher):
            events = [each for each in await _events(ask, notice, names) if each[0].startswith(beginning)]
            for number, (kind, data) in enumerate(events, 1):
                # The last of them carries the id: who resumes has heard all of a notice, or hears all of it again.
                yield sse.event(kind, data, notice.id if number == len(events) else None)


async def _events(ask: Ask, notice: Notice, names: dict[str, str]) -> Sequence[tuple[str, Any]]:
    """What a notice is in RunWisp's words: nothing, one event, or for a retry the end of a run and the beginning of the next."""
    data = notice.data
    if data.get("owner_id") is not None:
        return ()
    match notice.kind, data:
        case "system.sample", {"sample": Sample() as sample}:
            return (("system", {"sample": sample, "uptime": uptime_of(ask.rota)}),)
        case "config.stale", {"stale": stale}:
            return (("config.stale", {"stale": stale}),)
        case "notification.created" | "notification.updated" | "notification.read", _:
            return (await bell.event_of(ask, notice),)
        case "run.deleted", {"run_id": run_id, "task_id": task_id}:
            return ((notice.kind, wire.RunDeleted(to_ulid(run_id), await _name(ask, task_id, names))),)
        case _, {"run": Run() as run}:
            found = await occurrences.list_of_run(ask.rota, run)
            name = await _name(ask, run.task_id, names)
            return [_run_event(ask, kind, each, name) for kind, each in _told(notice.kind, found)]
    return ()


def _told(kind: str, found: Sequence[Occurrence]) -> list[tuple[str, Occurrence]]:
    """The last is what the notice is about."""
    if kind == "run.retrying":
        return [("run.failed", found[-2]), ("run.created", found[-1])] if len(found) > 1 else [("run.updated", found[-1])]
    if kind in SIMPLE:
        return [(SIMPLE[kind], found[-1])]
    state = kind.removeprefix("run.")
    return [(words.event_of(found[-1].state), found[-1])] if state in ENDED and found[-1].is_over else []


def _run_event(ask: Ask, kind: str, occurrence: Occurrence, name: str) -> tuple[str, wire.RunEvent]:
    return kind, wire.RunEvent(translate.run_wire(Shown(occurrence, name), ask.rota.modules), occurrence.error)


async def _name(ask: Ask, task_id: str, names: dict[str, str]) -> str:
    if task_id not in names:
        names.update(await occurrences.list_task_names(ask.rota, ask.actor))
    return names.get(task_id, "")


async def _own_lines(lines: AsyncIterator[str]) -> AsyncGenerator[bytes]:
    async for line in lines:
        yield sse.event("line", {"line": line})


async def _with_pings(events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """One at once, and one whenever nothing was to be told for a while."""
    pending = asyncio.ensure_future(anext(events, None))
    await asyncio.sleep(0)  # the source watches before the client hears anything
    try:
        yield PING
        while True:
            done, _ = await asyncio.wait({pending}, timeout=PING_S)
            if not done:
                yield PING
                continue
            chunk = pending.result()
            if chunk is None:
                return
            yield chunk
            pending = asyncio.ensure_future(anext(events, None))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        await events.aclose()
