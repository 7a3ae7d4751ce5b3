"""Whether a database may be worked with: not once it was moved to another one, and not before a copy into it is whole."""

from rota.core.errors import Conflict
from rota.store import settings
from rota.store.connection import Connection

MOVED_TO = "moved_to"
# There while a copy is made: how far a move has come, and which backup is being restored.
MOVE, RESTORE = "move", "restore"


def mark_moved(c: Connection, where: str) -> None:
    settings.upsert_setting(c, MOVED_TO, where)


def refuse_moved(c: Connection) -> None:
    """Raises Conflict for a database that was moved: two would go on from one past."""
    where = settings.find_setting(c, MOVED_TO)
    if where is not None:
        hint = "start with that database; or, if it is to count no more, go on here: rota move --back"
        raise Conflict(f"this installation was moved to {where}", hint=hint)


def refuse_partial(c: Connection) -> None:
    """Raises Conflict for a database that only holds a part of what it is to hold."""
    for name, what in ((MOVE, "move"), (RESTORE, "restore")):
        if settings.find_setting(c, name) is not None:
            hint = f"run the same rota {what} again: it goes on with it"
            raise Conflict(f"a {what} into this database was begun and is not finished", hint=hint)


def refuse_unusable(c: Connection) -> None:
    """Raises Conflict with what is to be done instead."""
    refuse_moved(c)
    refuse_partial(c)


def forget_move(c: Connection) -> bool:
    """Let the database be used again. False if it was not moved."""
    return settings.delete_setting(c, MOVED_TO)
