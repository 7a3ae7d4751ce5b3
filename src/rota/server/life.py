"""From the first moment of the parts to their last."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from rota.core.errors import Conflict, Unavailable
from rota.engine.loop import keep_ticking
from rota.engine.rescuer import Rescuer
from rota.ops.agents import ensure_system_agent
from rota.ops.installation import apply_file_tasks, check_file_tasks
from rota.server.parts import Parts
from rota.store import placements

if TYPE_CHECKING:
    from rota.server.cluster import Cluster

log = structlog.get_logger()

# How long a stopping server still tries to tell what it has to tell; the next start goes on with the rest.
LAST_WORDS_S = 3.0
# Of what is in the way, so much is named.
SHOWN = 5

Kept = list[asyncio.Task[None]]


async def boot(parts: Parts, address: str | None = None) -> str | None:
    """What has to be true before anything starts: nobody else's process runs, and the settings are in the store.

    Returns the secret of the system's agent if it was made just now.
    """
    if parts.fleet is not None:
        await parts.fleet.start()
    if parts.cluster is None:
        await Rescuer(parts.engine, parts.ledger, parts.settler).tick()
        secret = await _start_installation(parts)
    else:
        secret = await _join_others(parts, parts.cluster, address)
    parts.pool.keep_warm()
    return secret


async def _start_installation(parts: Parts) -> str | None:
    parts.leavings.clear()
    await apply_file_tasks(parts.rota, [unit.spec for unit in parts.units.all])
    parts.units.replace(parts.units.all, parts.rota.clock.now())
    await parts.supervisor.boot()
    await parts.scheduler.boot()
    await parts.pruner.boot()
    return await ensure_system_agent(parts.rota)


async def _join_others(parts: Parts, cluster: "Cluster", address: str | None) -> str | None:
    """The first of several starts the installation; where others serve it, nothing of theirs is started anew."""
    if parts.fleet is None:
        await _check_nothing_is_out(parts)
    joined = await cluster.join(address)
    await Rescuer(parts.engine, parts.ledger, parts.settler, former=joined.former, runner=parts.runner).tick()
    await cluster.membership.settle_in()
    if joined.lead is not None:
        await cluster.take_up()
    if joined.lead is not None and not joined.others:
        return await _start_installation(parts)
    parts.leavings.clear()
    check_file_tasks(parts.rota, [unit.spec for unit in parts.units.all])
    parts.units.replace(parts.units.all, parts.rota.clock.now())
    if joined.lead is not None:
        await cluster.take_over(joined.lead)
    return None


async def _check_nothing_is_out(parts: Parts) -> None:
    """A server that follows no workers would take what they have for lost, and do it again beside them. Raises Conflict."""
    out = await parts.rota.database.read(lambda c: placements.list_with_workers(c, SHOWN + 1))
    if out:
        told = ", ".join(f"{run_id} on {worker}" for run_id, worker in out[:SHOWN]) + (", and more" if len(out) > SHOWN else "")
        hint = 'start a server with [runner] kind = "temporal" until they have ended, or stop these workers'
        raise Conflict(f"workers still carry out what this server would begin again: {told}", hint=hint)


def start_loops(parts: Parts) -> Kept:
    engine = parts.engine
    return [
        asyncio.create_task(
            keep_ticking(loop, engine.clock, engine.bus, engine.vitals, on_fault=engine.known.forget), name=loop.name
        )
        for loop in parts.loops
    ]


async def shut_down(parts: Parts, loops: Kept) -> None:
    """Start nothing more, stop everything at once, and write down what it came to."""
    log.info("stopping", runs=parts.runner.busy)
    settling, *others = loops
    await _cancel(others)
    if parts.cluster is not None:
        await parts.cluster.hand_over()
    if parts.fleet is not None:
        await parts.fleet.close()
    await parts.runner.close(parts.settings.daemon.shutdown_timeout)
    await _cancel([settling])
    try:
        while (await parts.settler.tick()).again:
            continue
    except Unavailable as error:  # the next start finds these runs without an end, and their processes gone
        log.error("what the last runs came to could not be written", why=error.message)
    await parts.pool.close()
    await parts.rota.tools.close()
    await parts.notifier.close(LAST_WORDS_S)
    if parts.cluster is not None:
        await parts.cluster.leave()


def close(parts: Parts) -> None:
    """Let go of the files. Whatever became of the start or the shutdown."""
    parts.rota.machine.close()
    parts.ledger.close()
    if parts.cluster is not None:
        parts.cluster.close()
    parts.rota.database.close()


async def _cancel(loops: Kept) -> None:
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
