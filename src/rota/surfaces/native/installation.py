"""Handlers of what belongs to the installation: its settings, its health."""

from rota import __version__
from rota.core.errors import NotFound
from rota.http.metrics import MEDIA_TYPE, metrics_text
from rota.http.reply import JSON, Reply, encode, no_content, ok
from rota.http.routes import Ask
from rota.ops import health, keys, nodes
from rota.surfaces.native import wire


async def reload_settings(ask: Ask) -> Reply:
    ask.actor.require("system.root")
    return ok(await ask.rota.reload())


async def get_info(ask: Ask) -> Reply:
    rota = ask.rota
    info = wire.Info(
        version=__version__,
        started_at=rota.vitals.started_at,
        now=rota.clock.now(),
        default_timezone=rota.default_timezone,
        actor=ask.actor.name,
        details=rota.info,
    )
    return ok(info)


async def list_nodes(ask: Ask) -> Reply:
    return ok(await nodes.list_nodes(ask.rota, ask.actor))


async def revoke_key(ask: Ask) -> Reply:
    if not await keys.revoke_key(ask.rota, ask.actor, ask.path["id"]):
        raise NotFound("there is no such key, or it was taken back before")
    return no_content()


async def livez(_ask: Ask) -> Reply:
    return ok(wire.Livez())


async def readyz(ask: Ask) -> Reply:
    readiness = await health.check_readiness(ask.rota)
    return Reply(200 if readiness.ready else 503, encode(readiness), JSON)


async def metrics(ask: Ask) -> Reply:
    return Reply(200, metrics_text(ask.rota.vitals, await health.read_load(ask.rota)), MEDIA_TYPE)
