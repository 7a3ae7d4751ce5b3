"""Moments as this API writes and reads them."""

from datetime import UTC, datetime

from rota.core.errors import Invalid


def stamp(moment: datetime) -> str:
    """UTC with microseconds and `Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def stamp_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def read_moment(text: str | None, at: str) -> datetime | None:
    """ISO 8601; without offset it is UTC. A `+` that a client left bare in a URL came in as a space. Raises Invalid at `at`."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if text.count(":") > 2 else text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid.at(at, "must be a moment such as 2027-03-14T09:00:00Z", text[:100]) from None
    if not 1900 <= moment.year < 9990:
        raise Invalid.at(at, "must lie between the years 1900 and 9990", text[:100])
    return moment
