"""Which time zone counts where a task names none (RunWisp §6.3)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from rota.core.schedule.zone import find_clock

TimezoneSource = Literal["config", "system"]


def resolve_timezone(configured: str | None, environ: Mapping[str, str], etc: Path) -> tuple[str, TimezoneSource]:
    """The zone and where it comes from. What the host says and no zone answers to is passed over; the last is UTC."""
    if configured:
        return configured, "config"
    return next(filter(find_clock, _host_zones(environ, etc)), "UTC"), "system"


def _host_zones(environ: Mapping[str, str], etc: Path) -> Iterator[str]:
    yield _zone_of_path(environ.get("TZ", "").removeprefix(":"))
    try:
        yield (etc / "timezone").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        yield ""
    try:
        yield _zone_of_path(str((etc / "localtime").readlink()))
    except OSError:
        yield ""


def _zone_of_path(text: str) -> str:
    """`/usr/share/zoneinfo/Europe/Berlin` is Europe/Berlin; a name stays as it is."""
    return text.rpartition("zoneinfo/")[2]
