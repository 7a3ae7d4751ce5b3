"""Limits over several tasks: the concurrency key, the dedupe key, and the order of the queue."""

from datetime import datetime, timedelta


def is_duplicate(window_s: float, last_created_at: datetime | None, last_is_live: bool, now: datetime) -> bool:
    """Whether a new run repeats the latest run with its dedupe key.

    A live run is always repeated; an ended one within `window_s` seconds of its creation (Ordinaut §9), on either side of it,
    for the clock may have been set back.
    """
    if last_created_at is None:
        return False
    return last_is_live or abs(now - last_created_at) < timedelta(seconds=window_s)


def queue_order(priority: int, due_at: datetime, run_id: str) -> tuple[int, datetime, str]:
    """Priority first (1 is the most urgent), then due time, then age. The store's statements order by the same three."""
    return (priority, due_at, run_id)
