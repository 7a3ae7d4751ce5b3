"""`consolidate_objects`: whatever refers to several records refers to one of them, and the others go."""

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from rota.core.errors import Conflict
from rota.modules.records.deletion import discard
from rota.modules.records.objecttype import Bound, Condition, Referrer
from rota.modules.records.store import RecordStore
from rota.modules.records.trash import in_trash
from rota.modules.records.watch import Watch


class Merge(Struct, frozen=True, kw_only=True):
    """What is asked for. `dry_run` only says what would be done."""

    sources: list[int]
    target: int
    dry_run: bool = True
    delete_sources: bool = True


class Merged(Struct, frozen=True, kw_only=True):
    """How many rows were relinked, and how many sources deleted; in a dry run: how many would be."""

    relinked: int
    deleted: int


def consolidate(store: RecordStore, merge: Merge, watch: Watch) -> Merged:
    """Raises Conflict unless all are records of one objecttype."""
    bound = _find_objecttype(store, merge)
    references = _count_references(store, bound, merge.sources)
    for name, count in references.items():
        watch.log("info", f"{count} rows of {name} refer to the sources")
    if merge.dry_run:
        return Merged(relinked=sum(references.values()), deleted=_count_left(store, bound, merge) if merge.delete_sources else 0)
    relinked, total = 0, sum(references.values())
    for referrer in bound.referrers:
        while not watch.is_cancelled() and (moved := _relink(store, bound, referrer, merge)):
            relinked += moved
            watch.log("debug", f"{relinked} of {total} rows relinked", min(99, relinked * 100 // max(total, relinked)))
    deleted = _delete_sources(store, bound, merge, watch) if merge.delete_sources else 0
    return Merged(relinked=relinked, deleted=deleted)


def _find_objecttype(store: RecordStore, merge: Merge) -> Bound:
    """The one that holds the target and the sources. Sources that an earlier run deleted for good do not count."""
    holding, seen = [], set[int]()
    bounds = store.bind()
    with store.begin() as connection:
        for bound in bounds:
            found = _ids_in(connection, bound, [merge.target, *merge.sources])
            seen |= found
            if merge.target in found:
                holding.append((bound, found))
    if not holding:
        raise Conflict(f"there is no record {merge.target} out of the trash")
    full = [bound for bound, found in holding if set(merge.sources) & seen <= found]
    if len(full) == 1:
        return full[0]
    if full:
        raise Conflict(
            f"{merge.target} may be a record of {' or '.join(bound.name for bound in full)}: ids must be unique over objecttypes"
        )
    odd = sorted(set(merge.sources) & seen - holding[0][1])
    raise Conflict(f"{', '.join(map(str, odd[:10]))}: not of the objecttype of the target, {holding[0][0].name}")


def _ids_in(connection: sa.Connection, bound: Bound, ids: Sequence[int]) -> set[int]:
    """Those that are there; the target, which is first, must not be in the trash."""
    alive = sa.or_(bound.id != ids[0], sa.not_(in_trash(bound)))
    return set(connection.execute(sa.select(bound.id).where(bound.id.in_(ids), alive)).scalars())


def _count_references(store: RecordStore, bound: Bound, sources: Sequence[int]) -> dict[str, int]:
    with store.begin() as connection:
        return {
            each.name: connection.execute(
                sa.select(sa.func.count()).select_from(each.table).where(each.column.in_(sources))
            ).scalar_one()
            for each in bound.referrers
        }


def _count_left(store: RecordStore, bound: Bound, merge: Merge) -> int:
    query = sa.select(sa.func.count()).select_from(bound.table).where(bound.id.in_(merge.sources), sa.not_(in_trash(bound)))
    with store.begin() as connection:
        return int(connection.execute(query).scalar_one())


def _relink(store: RecordStore, bound: Bound, referrer: Referrer, merge: Merge) -> int:
    """One batch, in a transaction. Rows are told apart by their primary key; without one they are all one batch."""
    key = list(referrer.table.primary_key.columns)
    meant: Condition = referrer.column.in_(merge.sources)
    with store.begin() as connection:
        if key:
            query = sa.select(*key).where(meant).order_by(*key).limit(store.batch).with_for_update(of=referrer.table)
            rows = [tuple(row) for row in connection.execute(query)]
            if not rows:
                return 0
            meant = sa.and_(meant, key[0].in_([row[0] for row in rows]) if len(key) == 1 else sa.tuple_(*key).in_(rows))
        let_go = _let_target_go(connection, referrer, bound, merge) if referrer.table.fullname == bound.table.fullname else 0
        try:
            moved = connection.execute(referrer.table.update().where(meant).values({referrer.column: merge.target})).rowcount
        except sa.exc.IntegrityError:
            raise Conflict(
                f"{referrer.name}: a row with the target is there already, or something else keeps it from being relinked"
            ) from None
    return let_go + moved


def _let_target_go(connection: sa.Connection, referrer: Referrer, bound: Bound, merge: Merge) -> int:
    """The target must not come to refer to itself."""
    own = sa.and_(referrer.table.c[bound.id.name] == merge.target, referrer.column.in_(merge.sources))
    return connection.execute(referrer.table.update().where(own).values({referrer.column: None})).rowcount


def _delete_sources(store: RecordStore, bound: Bound, merge: Merge, watch: Watch) -> int:
    """In one transaction with a last look: nothing that refers to a source came in between."""
    if watch.is_cancelled():
        return 0
    with store.begin() as connection:
        meant = sa.and_(bound.id.in_(merge.sources), sa.not_(in_trash(bound)))
        ids = list(
            connection.execute(sa.select(bound.id).where(meant).order_by(bound.id).with_for_update(of=bound.table)).scalars()
        )
        for referrer in bound.referrers:
            late = connection.execute(sa.select(referrer.column).where(referrer.column.in_(ids)).limit(1)).first()
            if late is not None:
                raise Conflict(
                    f"{referrer.name} has come to refer to {late[0]} meanwhile; nothing was deleted, and a repeat relinks it"
                )
        return discard(connection, bound, ids) if ids else 0
