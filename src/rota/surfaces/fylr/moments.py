"""Moments as this API writes and reads them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime

from rota.core.errors import Invalid

FIRST_YEAR, LAST_YEAR = 1900, 9990


def stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def stamp_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def read_moment(text: str, at: str) -> datetime:
    """With any offset, and with parts of a second, which are cut off. Raises Invalid at `at`."""
    moment = find_moment(text)
    if moment is None:
        raise Invalid.at(
            at, f"must be a moment such as 2026-05-30T12:00:10Z, between the years {FIRST_YEAR} and {LAST_YEAR}", text[:100]
        )
    return moment


def find_moment(text: str) -> datetime | None:
    """None for what is no moment with an offset."""
    try:
        moment = datetime.fromisoformat(text.upper())
        moment = moment.astimezone(UTC).replace(microsecond=0) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None and FIRST_YEAR <= moment.year < LAST_YEAR else None
