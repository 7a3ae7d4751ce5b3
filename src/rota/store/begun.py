"""Which runs had begun at one moment: only those have a log that goes with it."""

from msgspec import Struct

from rota.store.connection import Connection

UNBEGUN = "SELECT id FROM runs WHERE state = 'pending' AND started_at IS NULL"


class Begun(Struct, frozen=True):
    """By id, which rises with time."""

    newest_id: str
    waiting: frozenset[str]

    def __contains__(self, run_id: object) -> bool:
        return isinstance(run_id, str) and run_id <= self.newest_id and run_id not in self.waiting


def find_begun(c: Connection) -> Begun:
    newest = c.row("SELECT MAX(id) FROM runs")
    return Begun((newest[0] if newest else None) or "", frozenset(row[0] for row in c.rows(UNBEGUN)))
