"""`metadata`: columns filled from the metadata of records, theirs or those of records made for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from rota.core.errors import Invalid, Unavailable
from rota.modules.records.creation import CreateObject
from rota.modules.records.mapping import keep_filled, map_values, read_metadata
from rota.modules.records.objecttype import Bound, Condition
from rota.modules.records.search import Search
from rota.modules.records.store import RecordStore
from rota.modules.records.sweep import Sweep, Swept
from rota.modules.records.tagging import TagChange
from rota.modules.records.tags import Tagged, change_tags, write_tags
from rota.modules.records.trash import in_trash
from rota.modules.records.watch import Watch

MOST_WARNINGS = 20


class Remap(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    create: CreateObject | None = None
    tags: TagChange | None = None
    overwrite: bool = False


def map_records(store: RecordStore, search: Search, remap: Remap, state: Mapping[str, Any], watch: Watch) -> Swept:
    """Raises Unavailable where the settings do not say what is mapped, Invalid for a mask or objecttype that is not declared."""
    sweep = Sweep(store, search, state)
    created = _created(store, remap.create)
    for bound in sweep.bounds:
        bound.needs("metadata")
    targets = [_Target(bound, created, remap, watch) for bound in sweep.bounds]
    by_name = {target.source.name: target for target in targets}

    def act(connection: sa.Connection, bound: Bound, rows: Sequence[Any]) -> int:
        return by_name[bound.name].map(connection, {row[0]: row[1] for row in rows})

    return sweep.carry_out(act, lambda bound: [bound.needs("metadata")], watch)


def _created(store: RecordStore, create: CreateObject | None) -> Bound | None:
    if create is None:
        return None
    (bound,) = store.bind([create.objecttype])
    if create.mask is not None and create.mask not in bound.declared.masks:
        known = ", ".join(bound.declared.masks) or "none"
        raise Invalid.at("create_object.mask", f"{create.objecttype} has no mask {create.mask}; there are: {known}")
    return bound


class _Target:
    """The records that are written for those of one objecttype: themselves, or one made for each."""

    def __init__(self, source: Bound, created: Bound | None, remap: Remap, watch: Watch) -> None:
        self.source = source
        self._bound = created or source
        self._created = created is not None
        self._remap = remap
        self._watch = watch
        self._warnings = 0
        self._link = _find_link(source, created) if created else self._bound.id
        self._mapping = _mapping(self._bound, remap.create)
        if remap.tags:
            self._bound.needs("tags")

    def map(self, connection: sa.Connection, sources: Mapping[int, Any]) -> int:
        """How many records were made or changed."""
        present = self._present(connection, list(sources))
        changed = 0
        for source, metadata in sources.items():
            values = map_values(self._bound.table, self._mapping, read_metadata(metadata), self._misfit(source))
            if source in present:
                changed += self._update(connection, present[source], values)
            elif self._created and values:
                self._insert(connection, source, values)
                changed += 1
        return changed

    def _present(self, connection: sa.Connection, sources: list[int]) -> dict[int, Any]:
        """What stands there now, by the id of the source: the oldest where several do."""
        bound = self._bound
        columns = [bound.table.c[name] for name in self._mapping]
        tags = sa.null() if bound.tags is None else bound.tags
        query = sa.select(self._link, bound.id, tags, in_trash(bound), *columns).where(self._link.in_(sources))
        rows = connection.execute(query.order_by(bound.id.desc()).with_for_update(of=bound.table))
        return {row[0]: row for row in rows}

    def _update(self, connection: sa.Connection, row: Any, values: Mapping[str, Any]) -> bool:
        _, number, tags, is_trashed, *present = row
        if is_trashed:
            return False
        wanted = keep_filled(values, dict(zip(self._mapping, present, strict=True)), overwrite=self._remap.overwrite)
        if wanted:
            connection.execute(self._bound.table.update().where(self._is(number)).values(wanted))
        change = self._remap.tags
        retagged = change_tags(connection, self._bound, [Tagged(number, tags)], change) if change else 0
        return bool(wanted or retagged)

    def _insert(self, connection: sa.Connection, source: int, values: Mapping[str, Any]) -> None:
        row: dict[Any, Any] = {**values, self._link.name: source}
        if self._remap.tags:
            column = self._bound.needs("tags")
            row[column.name] = write_tags(column, self._remap.tags.apply([]))
        connection.execute(self._bound.table.insert().values(row))

    def _is(self, number: int) -> Condition:
        return self._bound.id == number

    def _misfit(self, source: int) -> Any:
        def warn(column: str, value: Any) -> None:
            self._warnings += 1
            if self._warnings <= MOST_WARNINGS:
                self._watch.log("warning", f"{self.source.name} {source}: {str(value)[:100]!r} does not fit the column {column}")

        return warn


def _find_link(source: Bound, created: Bound) -> sa.Column[Any]:
    """The column of a made record that refers to what it was made of: it tells a repeat that the record is there."""
    names = [each.column.name for each in source.referrers if each.table.fullname == created.table.fullname]
    if len(names) != 1:
        raise Unavailable(
            f"[records.objecttypes.{source.name}] must name one column of {created.table.fullname} in referred_by, "
            f"so that records of {created.name} can be made for its own"
        )
    return created.table.c[names[0]]


def _mapping(bound: Bound, create: CreateObject | None) -> dict[str, str]:
    mapping = bound.declared.mapping
    if not mapping:
        raise Unavailable(f"[records.objecttypes.{bound.name}] of the settings has no mapping")
    if create is None or create.mask is None:
        return mapping
    return {column: mapping[column] for column in bound.declared.masks[create.mask]}
