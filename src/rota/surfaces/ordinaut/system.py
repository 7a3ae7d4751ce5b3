"""Handlers of what is told about the server itself: health, metrics, tools, extensions, its own description."""

from html import escape
from typing import Any

from rota import __version__
from rota.http.reply import Reply, encode, ok
from rota.http.routes import Ask
from rota.ops import agentnumbers, health
from rota.surfaces.ordinaut.errors import request_id
from rota.surfaces.ordinaut.measures import metrics_text
from rota.surfaces.ordinaut.meters import KEY
from rota.surfaces.ordinaut.moments import stamp

HTML, METRICS = b"text/html; charset=utf-8", b"text/plain; version=0.0.4; charset=utf-8"
HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
WORST = (UNHEALTHY, DEGRADED, HEALTHY)
LATE_S, TOO_LATE_S = 60.0, 300.0
# Which of the server's parts each check is about; every other part is the API's.
PARTS = {"store": "database", "settler": "database", "scheduler": "scheduler", "dispatcher": "workers"}
NAMES = ("api", "database", "workers", "scheduler")
EXTENSIONS: tuple[dict[str, Any], ...] = (
    {
        "id": "observability",
        "root": "/ext/observability",
        "module": "rota",
        "enabled": True,
        "eager": True,
        "source": "builtin",
        "grants": ["ROUTES"],
        "status": "loaded",
        "metrics": {},
    },
    {
        "id": "mcp_http",
        "root": "/ext/mcp_http",
        "module": "rota",
        "enabled": True,
        "eager": False,
        "source": "builtin",
        "grants": ["ROUTES", "TOOLS"],
        "status": "loaded",
        "metrics": {},
    },
)


async def get_root(ask: Ask) -> Reply:
    root = ask.scope.get("root_path", "")
    told = {
        "service": "Rota, as Ordinaut's API",
        "version": __version__,
        "environment": "production",
        "status": "operational",
        "docs_url": f"{root}/docs",
        "redoc_url": f"{root}/redoc",
        "health_url": f"{root}/health",
    }
    return ok(told)


async def get_health(ask: Ask) -> Reply:
    rota = ask.rota
    start = rota.clock.monotonic()
    reasons = (await health.check_readiness(rota)).reasons
    took_ms = round((rota.clock.monotonic() - start) * 1000, 2)
    now = stamp(rota.clock.now())
    found = {name: _check(ask, name, reasons) for name in NAMES}
    overall = next(status for status in WORST if any(each[0] == status for each in found.values()))
    count = {status: sum(each[0] == status for each in found.values()) for status in WORST}
    checks: list[dict[str, Any]] = [
        {
            "name": name,
            "status": status,
            "message": message,
            "duration_ms": took_ms,
            "timestamp": now,
            "details": {},
            "error": error,
        }
        for name, (status, message, error) in found.items()
    ]
    summary = {
        "overall_status": overall,
        "total_checks": len(checks),
        **{f"{status}_checks": count[status] for status in (HEALTHY, DEGRADED, UNHEALTHY)},
        "total_duration_ms": took_ms,
        "uptime_seconds": _uptime_s(ask),
    }
    told = {
        "status": overall,
        "timestamp": now,
        "version": __version__,
        "request_id": request_id.get(),
        "summary": summary,
        "checks": checks,
    }
    return Reply(503 if overall == UNHEALTHY else 200, encode(told))


async def get_ready(ask: Ask) -> Reply:
    readiness = await health.check_readiness(ask.rota)
    has_store = "store" not in readiness.reasons
    told = {
        "status": "ready" if has_store else "not ready",
        "api": True,
        "database": has_store,
        "redis": has_store,  # what Redis did is done by the one store
        "workers": "dispatcher" not in readiness.reasons,
    }
    return Reply(200 if has_store else 503, encode(told))


async def get_live(ask: Ask) -> Reply:
    return ok({"status": "alive", "timestamp": stamp(ask.rota.clock.now()), "uptime_seconds": _uptime_s(ask)})


async def get_metrics(ask: Ask) -> Reply:
    rota = ask.rota
    load = await health.read_load(rota)
    made = await agentnumbers.count_tasks(rota)
    return Reply(200, metrics_text(rota.vitals, load, made, ask.scope[KEY]), METRICS)


async def list_extensions(_ask: Ask) -> Reply:
    return ok(EXTENSIONS)


async def list_tools(ask: Ask) -> Reply:
    found = [*ask.rota.tools.describe(), *await ask.rota.tools.describe_families()]
    return ok({tool.name: {"description": tool.description} for tool in found})


def page_of(routes: list[tuple[str, str, str]]) -> bytes:
    """The routes as a page for people: (method, path, summary)."""
    rows = "".join(
        f"<tr><td><code>{escape(method)}</code></td><td><code>{escape(path)}</code></td><td>{escape(summary)}</td></tr>"
        for method, path, summary in routes
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Ordinaut's API on Rota</title>"
        f"<h1>Ordinaut's API</h1><p>For machines: <a href=openapi.json>openapi.json</a></p><table>{rows}</table></html>"
    ).encode()


def _check(ask: Ask, name: str, reasons: dict[str, str]) -> tuple[str, str, str | None]:
    """Status, message, error."""
    rota = ask.rota
    problem = next((why for part, why in sorted(reasons.items()) if PARTS.get(part, "api") == name), None)
    if problem is not None:
        return UNHEALTHY if name != "api" else DEGRADED, f"{name} has a problem", problem
    if name == "scheduler" and rota.vitals.lag_s > LATE_S:
        status = UNHEALTHY if rota.vitals.lag_s > TOO_LATE_S else DEGRADED
        return status, f"the last slot was handled {rota.vitals.lag_s:.0f} s late", None
    if name == "workers":
        slots = rota.settings.server.max_concurrent_runs
        return HEALTHY, f"{rota.vitals.running} of {slots} execution slots are busy", None
    return HEALTHY, f"{name} is operational", None


def _uptime_s(ask: Ask) -> float:
    return round((ask.rota.clock.now() - ask.rota.vitals.started_at).total_seconds(), 3)
