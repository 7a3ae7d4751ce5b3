"""Handlers of what belongs to the server itself: facts, load, settings, health."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from rota import __version__
from rota.core.errors import NotFound
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import statistics, tasks
from rota.ops.context import Rota
from rota.ops.identity import get_fingerprint
from rota.process.host import describe_host
from rota.surfaces.runwisp import translate, wire
from rota.surfaces.runwisp.metrics import MEDIA_TYPE, metrics_text


async def get_info(ask: Ask) -> Reply:
    rota, settings = ask.rota, ask.rota.settings
    server = ask.scope.get("server") or ("", 0)
    found = await tasks.list_own_tasks(rota, ask.actor)
    info = wire.DaemonInfo(
        version=__version__,
        fingerprint=await get_fingerprint(rota),
        port=server[1] or 0,
        service_managed=bool(rota.info.get("service_managed")),
        auth_disabled=settings.runwisp.no_auth,
        external_url=settings.daemon.external_url or "",
        scheduling_active="scheduler" not in rota.vitals.problems,
        config_loaded_at=rota.origin.read_at,
        config_stale=rota.origin.is_stale(),
        resolved_timezone=rota.default_timezone,
        timezone_source=settings.scheduler.timezone_source,
        tasks=[translate.brief_wire(task, rota.default_timezone) for task in found],
        capabilities=[wire.Capability(name, await find_problem() is None) for name, find_problem in rota.capabilities.items()],
    )
    return ok(info)


async def get_system(ask: Ask) -> Reply:
    host, sample = describe_host(), ask.rota.machine.samples()[-1]
    stats = wire.SystemStats(
        name="runwisp",
        version=__version__,
        uptime=uptime_of(ask.rota),
        host=host.name,
        os=host.system,
        arch=host.arch,
        cpu_cores=host.cores,
        cpu_usage=sample.cpu,
        mem_total=sample.mem_total,
        mem_used=sample.mem_used,
        mem_usage=sample.mem,
        work_dir=str(Path.cwd()),
    )
    return ok(stats)


async def list_samples(ask: Ask) -> Reply:
    return ok(ask.rota.machine.samples())


async def reload_settings(ask: Ask) -> Reply:
    ask.actor.require("system.root")
    return ok(await ask.rota.reload())


async def get_health(_ask: Ask) -> Reply:
    return Reply(200, b"OK", b"text/plain; charset=utf-8")


async def get_metrics(ask: Ask) -> Reply:
    rota = ask.rota
    if not rota.settings.daemon.metrics_enabled:
        raise NotFound("metrics are off", hint="[daemon] metrics_enabled")
    return Reply(
        200, metrics_text(rota, await statistics.count_active(rota), await statistics.find_last_failure(rota)), MEDIA_TYPE
    )


def uptime_of(rota: Rota) -> str:
    return _text(rota.clock.now() - rota.vitals.started_at)


def _text(passed: timedelta) -> str:
    """`2d3h4m5s`, without what is zero in front."""
    minutes, seconds = divmod(int(passed.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    return "".join(f"{count}{unit}" for count, unit in parts[first:])


def shape_of(name: str, described: dict[str, Any]) -> dict[str, Any]:
    """One of the described shapes, which refers to others as they are served beside it. Raises NotFound."""
    shapes = described["components"]["schemas"]
    if name not in shapes:
        raise NotFound(f"there is no schema {name[:100]}")
    found: dict[str, Any] = _with_neighbours(shapes[name])
    return found


def _with_neighbours(shape: Any) -> Any:
    if isinstance(shape, list):
        return [_with_neighbours(each) for each in shape]
    if isinstance(shape, dict):
        return {key: _neighbour(value) if key == "$ref" else _with_neighbours(value) for key, value in shape.items()}
    return shape


def _neighbour(reference: str) -> str:
    return f"{reference.removeprefix('#/components/schemas/')}.json"
