"""Handlers for workers from outside."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import workers
from rota.ops.workers import End
from rota.surfaces.native import translate

Fence = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class RenewBody(Struct, forbid_unknown_fields=True):
    """`lines` are added to the log of the run."""

    fence: Fence
    lines: list[Annotated[str, Meta(max_length=1_000_000)]] = []


class FinishBody(Struct, forbid_unknown_fields=True):
    fence: Fence
    state: End
    output: Any = None
    error: Annotated[str, Meta(max_length=10_000)] | None = None


async def take_run(ask: Ask) -> Reply:
    return ok(await workers.take_run(ask.rota, ask.actor, ask.path["id"]))


async def renew_run(ask: Ask) -> Reply:
    return ok(await workers.renew_run(ask.rota, ask.actor, ask.path["id"], ask.body.fence, ask.body.lines))


async def finish_run(ask: Ask) -> Reply:
    body = ask.body
    run = await workers.finish_run(
        ask.rota, ask.actor, ask.path["id"], body.fence, body.state, output=body.output, error=body.error
    )
    return ok(translate.run_wire(run, ask.rota.modules))
