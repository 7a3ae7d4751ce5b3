"""Goes through the records that a search means, a batch and a transaction at a time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct

from rota.modules.records.changes import Changes
from rota.modules.records.conditions import build_condition, check_fields
from rota.modules.records.objecttype import Bound, Condition
from rota.modules.records.search import Search
from rota.modules.records.store import RecordStore
from rota.modules.records.trash import in_trash
from rota.modules.records.watch import Watch

State = dict[str, Any]
Where = Literal["out", "in", "any"]
# What is done to one batch, within its transaction; how many records it changed.
Act = Callable[[sa.Connection, Bound, Sequence[Any]], int]


class Swept(Struct, frozen=True, kw_only=True):
    """found by objecttype · done how many were gone through, changed how many were changed · state for the next run"""

    found: dict[str, int]
    done: int = 0
    changed: int = 0
    state: State


class Selection(Struct, frozen=True):
    """`changes`: of an incremental search, what was changed since the last run."""

    bound: Bound
    condition: Condition
    changes: Changes | None = None

    def is_new(self, row: Any) -> bool:
        """Of a row that ends with its time of change."""
        return self.changes is None or not self.changes.is_seen(row[0], row[-1])


class Sweep:
    """One run's work on what a search means.

    state  what the last run returned; looked at for incremental searches alone
    where  which records are meant: those out of the trash, in it, or any
    """

    def __init__(self, store: RecordStore, search: Search, state: Mapping[str, Any], where: Where = "out") -> None:
        """Counts. Raises Invalid for a search that does not fit the objecttypes."""
        self._store = store
        self._state = dict(state)
        bounds = store.bind(search.objecttypes)
        check_fields(bounds, search.search)
        self._selections = [self._select(bound, search, where) for bound in bounds]
        with store.begin() as connection:
            marks = {each.bound.name: each.changes.take_mark(connection) for each in self._selections if each.changes}
            self.found = {each.bound.name: self._count(connection, each) for each in self._selections}
        self._marks = {name: mark for name, mark in marks.items() if mark is not None}

    def _select(self, bound: Bound, search: Search, where: Where) -> Selection:
        parts = [build_condition(bound, search.search, self._store.dialect)]
        changes = None
        if search.incremental:
            changes = Changes(bound, self._state.get("changed", {}).get(bound.name), self._store.dialect)
            parts.append(changes.condition)
        if where != "any":
            parts.append(in_trash(bound) if where == "in" else sa.not_(in_trash(bound)))
        return Selection(bound, sa.and_(*parts), changes)

    @property
    def bounds(self) -> list[Bound]:
        return [each.bound for each in self._selections]

    def looked(self) -> Swept:
        """The end of a run that only counts."""
        return Swept(found=self.found, state=self._next_state())

    def carry_out(self, act: Act, columns: Callable[[Bound], Sequence[sa.Column[Any]]], watch: Watch) -> Swept:
        """Everything, or as much as there was until somebody cancelled; what is done stays done, and a repeat goes on from there.

        columns  what `act` is given of each record beside its id
        """
        done = changed = 0
        total = sum(self.found.values())
        for selection in self._selections:
            last = None
            while not watch.is_cancelled():
                with self._store.begin() as connection:
                    rows = connection.execute(self._query(selection, columns(selection.bound), last)).all()
                    new = [row[:-1] for row in rows if selection.is_new(row)]
                    changed += act(connection, selection.bound, new) if new else 0
                if not rows:
                    break
                last, done = rows[-1][0], done + len(new)
                watch.log("debug", f"{done} of {total} records", min(99, done * 100 // max(total, done)))
        state = self._state if watch.is_cancelled() else self._next_state()
        return Swept(found=self.found, done=done, changed=changed, state=state)

    def _query(self, selection: Selection, columns: Sequence[sa.Column[Any]], last: int | None) -> sa.Select[Any]:
        bound = selection.bound
        query = (
            sa.select(bound.id, *columns, _change_of(selection))
            .where(selection.condition)
            .order_by(bound.id)
            .limit(self._store.batch)
        )
        return (query if last is None else query.where(bound.id > last)).with_for_update(of=bound.table)

    def _count(self, connection: sa.Connection, selection: Selection) -> int:
        query = sa.select(sa.func.count()).select_from(selection.bound.table).where(selection.condition)
        count = int(connection.execute(query).scalar_one())
        if selection.changes is None:
            return count
        doubtful = sa.select(selection.bound.id, selection.changes.column).where(selection.condition, selection.changes.doubtful)
        return count - sum(not selection.is_new(row) for row in connection.execute(doubtful))

    def _next_state(self) -> State:
        return {**self._state, "changed": {**self._state.get("changed", {}), **self._marks}} if self._marks else self._state


def _change_of(selection: Selection) -> Any:
    return sa.null() if selection.changes is None else selection.changes.column
