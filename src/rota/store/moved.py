"""Whether a database was moved to another one, and is to be used no more."""

from rota.core.errors import Conflict
from rota.store import settings
from rota.store.connection import Connection

MOVED_TO = "moved_to"


def mark_moved(c: Connection, where: str) -> None:
    settings.upsert_setting(c, MOVED_TO, where)


def refuse_moved(c: Connection) -> None:
    """Raises Conflict for a database that was moved: two would go on from one past."""
    where = settings.find_setting(c, MOVED_TO)
    if where is not None:
        hint = "start with that database; or, if it is to count no more, go on here: rota move --back"
        raise Conflict(f"this installation was moved to {where}", hint=hint)


def forget_move(c: Connection) -> bool:
    """Let the database be used again. False if it was not moved."""
    return settings.delete_setting(c, MOVED_TO)
