"""The modules that work on records (fylr §7), of the database that `[records]` of the settings declares."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from rota.core.entry import Level
from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module

if TYPE_CHECKING:
    from rota.modules.records.store import RecordStore
    from rota.modules.records.sweep import Swept

Search = Annotated[
    dict[str, Any],
    param(
        ("Search", "Suche"),
        ("Which records: objecttypes, search, incremental.", "Welche Datensätze: objecttypes, search, incremental."),
        type="json",
    ),
]
POLICY_TEXTS = (
    "setnull: into the trash, references become empty. remove: rows that refer go too. purge: for good. undelete: back again.",
    "setnull: in den Papierkorb, Verweise werden leer. remove: verweisende Zeilen auch. purge: endgültig. undelete: zurück.",
)
TAGS = param(
    ("Tags", "Tags"),
    ("Which are set and which are unset.", "Welche gesetzt und welche entfernt werden."),
    type="json",
)


UNDECLARED = "no records are declared: the settings need [records] with a url, and [records.objecttypes.NAME] for each kind"


class Watch:
    """The run's context, as work on records sees it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def log(self, level: Level, message: str, percent: int | None = None) -> None:
        self._ctx.log(level, message, percent)

    def is_cancelled(self) -> bool:
        return self._ctx.cancelled


@module(
    displayname=both("Search", "Suche"),
    description=both("Counts the records that a search finds.", "Zählt die Datensätze, die eine Suche findet."),
)
def search(ctx: Context, search: Search) -> dict[str, Any]:
    from rota.modules.records.search import read_search

    with _open(ctx) as store:
        from rota.modules.records.retagging import count_records

        return _end(ctx, count_records(store, read_search(search), ctx.state), "found")


@module(
    displayname=both("Delete records", "Datensätze löschen"),
    description=both(
        "Deletes the records that a search finds, or brings them back.", "Löscht gefundene Datensätze oder holt sie zurück."
    ),
)
def delete_objects(
    ctx: Context,
    search: Search,
    delete_policy: Annotated[
        Literal["setnull", "remove", "purge", "undelete"],
        param(
            ("How", "Wie"),
            POLICY_TEXTS,
        ),
    ] = "setnull",
) -> dict[str, Any]:
    from rota.modules.records.search import read_search

    with _open(ctx) as store:
        from rota.modules.records.deletion import delete_records

        swept = delete_records(store, read_search(search), delete_policy, ctx.state, Watch(ctx))
        return _end(ctx, swept, "restored" if delete_policy == "undelete" else "deleted")


@module(
    displayname=both("Set and unset tags", "Tags setzen und entfernen"),
    description=both("Tags the records that a search finds.", "Versieht gefundene Datensätze mit Tags."),
)
def set_unset_tags(ctx: Context, search: Search, set_unset_tags: Annotated[dict[str, Any], TAGS]) -> dict[str, Any]:
    from rota.modules.records.search import read_search
    from rota.modules.records.tagging import read_tag_change

    with _open(ctx) as store:
        from rota.modules.records.retagging import tag_records

        change = read_tag_change(set_unset_tags)
        return _end(ctx, tag_records(store, read_search(search), change, ctx.state, Watch(ctx)), "changed")


@module(
    displayname=both("Map metadata", "Metadaten übernehmen"),
    description=both("Fills fields of records from their metadata.", "Füllt Felder von Datensätzen aus ihren Metadaten."),
)
def metadata(
    ctx: Context,
    search: Search,
    create_object: Annotated[
        dict[str, Any] | None,
        param(
            ("Make records", "Datensätze anlegen"),
            (
                "Objecttype and mask of records that are made for those found.",
                "Objekttyp und Maske der Datensätze, die angelegt werden.",
            ),
            type="json",
        ),
    ] = None,
    set_unset_tags: Annotated[dict[str, Any] | None, TAGS] = None,
    overwrite_values: Annotated[
        bool, param(("Overwrite", "Überschreiben"), ("Replace values that are there.", "Vorhandene Werte ersetzen."))
    ] = False,
) -> dict[str, Any]:
    from rota.modules.records.creation import read_create_object
    from rota.modules.records.search import read_search
    from rota.modules.records.tagging import read_tag_change

    with _open(ctx) as store:
        from rota.modules.records.remapping import Remap, map_records

        remap = Remap(
            create=read_create_object(create_object) if create_object is not None else None,
            tags=read_tag_change(set_unset_tags) if set_unset_tags is not None else None,
            overwrite=overwrite_values,
        )
        return _end(ctx, map_records(store, read_search(search), remap, ctx.state, Watch(ctx)), "changed")


@module(
    displayname=both("Consolidate records", "Datensätze zusammenführen"),
    description=both(
        "Makes whatever refers to several records refer to one of them.",
        "Lässt alles, was auf mehrere Datensätze verweist, auf einen davon verweisen.",
    ),
)
def consolidate_objects(
    ctx: Context,
    source_system_object_ids: Annotated[
        list[int],
        param(
            ("Sources", "Quellen"),
            ("Ids of records that go.", "Ids der Datensätze, die gehen."),
            unique=True,
            min_length=1,
            max_length=10_000,
        ),
    ],
    target_system_object_id: Annotated[
        int, param(("Target", "Ziel"), ("Id of the record that stays.", "Id des Datensatzes, der bleibt."), minimum=1)
    ],
    dry_run: Annotated[
        bool, param(("Dry run", "Probelauf"), ("Change nothing, only tell.", "Nichts ändern, nur berichten."))
    ] = True,
    delete_sources: Annotated[
        bool,
        param(
            ("Delete sources", "Quellen löschen"), ("When nothing refers to them any more.", "Wenn nichts mehr auf sie verweist.")
        ),
    ] = True,
) -> dict[str, Any]:
    with _open(ctx) as store:
        from rota.modules.records.consolidation import Merge, consolidate

        merge = Merge(
            sources=source_system_object_ids, target=target_system_object_id, dry_run=dry_run, delete_sources=delete_sources
        )
        merged = consolidate(store, merge, Watch(ctx))
        ctx.check()
        would = "would be " if dry_run else ""
        ctx.info(f"{merged.relinked} rows {would}relinked, {merged.deleted} sources {would}deleted", 100)
        return {"relinked": merged.relinked, "deleted": merged.deleted, "dry_run": dry_run}


@contextmanager
def _open(ctx: Context) -> "Iterator[RecordStore]":
    """Raises Unavailable that says what to configure, or to install."""
    import msgspec

    from rota.config.records import Objecttype, Records
    from rota.config.secret import Secret
    from rota.core.errors import Unavailable
    from rota.modules.builtin.extra import need_sqlalchemy

    if not ctx.given:
        raise Unavailable(UNDECLARED)
    need_sqlalchemy("[records]")
    from rota.modules.records.store import RecordStore

    types = msgspec.convert(ctx.given["objecttypes"], tuple[Objecttype, ...])
    with RecordStore(Records(url=Secret(ctx.given["url"]), batch=ctx.given["batch"], objecttypes=types)) as store:
        yield store


def _end(ctx: Context, swept: "Swept", verb: str) -> dict[str, Any]:
    """The state is kept only by a run that came to its end. Raises Cancelled if it did not."""
    ctx.check()
    ctx.state = swept.state
    total = sum(swept.found.values())
    each = ", ".join(f"{name} {count}" for name, count in swept.found.items())
    ctx.info(f"{total} records found ({each})" + ("" if verb == "found" else f", {swept.changed} {verb}"), 100)
    return {"found": swept.found, "changed": swept.changed}
