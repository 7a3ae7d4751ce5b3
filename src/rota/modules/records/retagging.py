"""`search` and `set_unset_tags`: records counted, and records tagged."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rota.modules.records.objecttype import Bound
from rota.modules.records.search import Search
from rota.modules.records.store import RecordStore
from rota.modules.records.sweep import Sweep, Swept
from rota.modules.records.tagging import TagChange
from rota.modules.records.tags import Tagged, change_tags
from rota.modules.records.watch import Watch


def count_records(store: RecordStore, search: Search, state: Mapping[str, Any]) -> Swept:
    return Sweep(store, search, state).looked()


def tag_records(store: RecordStore, search: Search, change: TagChange, state: Mapping[str, Any], watch: Watch) -> Swept:
    """Raises Unavailable where an objecttype has no tags."""
    sweep = Sweep(store, search, state)
    for bound in sweep.bounds:
        bound.needs("tags")

    def act(connection: sa.Connection, bound: Bound, rows: Sequence[Any]) -> int:
        return change_tags(connection, bound, [Tagged(*row) for row in rows], change)

    return sweep.carry_out(act, lambda bound: [bound.needs("tags")], watch)
