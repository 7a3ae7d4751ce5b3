"""Moments for people: RFC 3339 in, short local time out."""

import sys
from datetime import UTC, datetime, timedelta

STEPS = ((60, "s", 1), (3600, "min", 60), (86400, "h", 3600), (86400 * 365, "d", 86400))


def parse(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def local(text: str | None) -> str:
    """`2026-03-01 03:00:00` in the zone of this machine; empty for none."""
    at = parse(text)
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def utc(text: str | None) -> str:
    """`2026-03-01T02:00:00Z`, to the second; empty for none."""
    at = parse(text)
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def amount(length: timedelta) -> str:
    """A length of time in its largest whole unit, such as `90 s` → `1 min`."""
    seconds = length.total_seconds()
    for below, unit, size in STEPS:
        if seconds < below:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds // 86400)} d"


def duration(started: str | None, ended: str | None) -> str:
    """How long something took, `0.42 s` or `3 min`; empty while it goes on."""
    start, end = parse(started), parse(ended)
    if start is None or end is None:
        return ""
    length = end - start
    return f"{length.total_seconds():.2f} s" if length < timedelta(minutes=1) else amount(length)


def moment(text: str | None) -> str:
    """Local time for a person at a terminal, UTC for everything else, so that output does not change with the machine's zone."""
    return local(text) if sys.stdout.isatty() else utc(text)
