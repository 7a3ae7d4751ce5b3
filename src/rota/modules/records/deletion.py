"""`delete_objects`: into the trash, out of it, or for good."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import sqlalchemy as sa

from rota.core.errors import Conflict
from rota.modules.records.objecttype import Bound, Referrer
from rota.modules.records.search import Search
from rota.modules.records.store import RecordStore
from rota.modules.records.sweep import Sweep, Swept
from rota.modules.records.trash import put_in, take_out
from rota.modules.records.watch import Watch

# setnull   into the trash, and columns that refer to it become NULL
# remove    into the trash, and rows that refer to it go too: into their own trash where they have one
# purge     for good, also out of the trash; columns that refer to it become NULL
# undelete  out of the trash
Policy = Literal["setnull", "remove", "purge", "undelete"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


def delete_records(store: RecordStore, search: Search, policy: Policy, state: Mapping[str, Any], watch: Watch) -> Swept:
    """Where an objecttype has no trash, setnull and remove delete for good. Raises Unavailable for undelete there."""
    sweep = Sweep(store, search, state, {"purge": "any", "undelete": "in"}.get(policy, "out"))  # type: ignore[arg-type]
    if policy == "undelete":
        for bound in sweep.bounds:
            bound.needs("trash")
    others = {bound.table.fullname: bound for bound in store.bind()} if policy == "remove" else {}

    def act(connection: sa.Connection, bound: Bound, rows: Sequence[Any]) -> int:
        ids = [row[0] for row in rows]
        if policy == "undelete":
            return restore(connection, bound, ids)
        for referrer in bound.referrers:
            if policy == "remove":
                _remove_rows(connection, referrer, ids, others)
            else:
                _let_go(connection, referrer, ids)
        return discard(connection, bound, ids, for_good=policy == "purge")

    return sweep.carry_out(act, lambda bound: [], watch)


def discard(connection: sa.Connection, bound: Bound, ids: Sequence[int], *, for_good: bool = False) -> int:
    """Records into the trash, or away where there is none."""
    meant = bound.id.in_(ids)
    if for_good or bound.trash is None:
        return connection.execute(bound.table.delete().where(meant)).rowcount
    return connection.execute(bound.table.update().where(meant).values({bound.trash: put_in(bound.trash)})).rowcount


def restore(connection: sa.Connection, bound: Bound, ids: Sequence[int]) -> int:
    trash = bound.needs("trash")
    return connection.execute(bound.table.update().where(bound.id.in_(ids)).values({trash: take_out(trash)})).rowcount


def _let_go(connection: sa.Connection, referrer: Referrer, ids: Sequence[int]) -> None:
    if not referrer.column.nullable:
        some = sa.select(referrer.column).where(referrer.column.in_(ids)).limit(1)
        if connection.execute(some).first() is not None:
            raise Conflict(
                f"{referrer.name} may not be empty and refers to records to be deleted; delete_policy remove deletes its rows"
            )
        return
    connection.execute(referrer.table.update().where(referrer.column.in_(ids)).values({referrer.column: None}))


def _remove_rows(connection: sa.Connection, referrer: Referrer, ids: Sequence[int], others: Mapping[str, Bound]) -> None:
    meant = referrer.column.in_(ids)
    other = others.get(referrer.table.fullname)
    if other is None or other.trash is None:
        connection.execute(referrer.table.delete().where(meant))
    else:
        trash = referrer.table.c[other.trash.name]
        connection.execute(referrer.table.update().where(meant).values({trash: put_in(trash)}))
