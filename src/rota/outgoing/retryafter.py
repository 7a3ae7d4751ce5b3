"""When a server that was called wants to be called again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How long to wait, as `Retry-After` says it (RFC 9110 §10.2.3): a number, or a moment. None if nothing can be read there.

    headers  their names are in lower case
    now      what a moment is counted from where the answer does not say when it was made: clocks differ
    """
    text = headers.get("retry-after", "").strip()
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    at, made_at = _moment(text), _moment(headers.get("date", "")) or now
    return None if at is None or made_at is None else max(0.0, (at - made_at).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
