"""`[records]`: the database that the record modules work on, and what its tables mean."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from rota.config.databases import DATABASE_URL, read_needed
from rota.config.document import Table
from rota.config.kinds import BadValue, Kind, expect, integer, list_of, matching, read_each
from rota.config.secret import Secret

TABLE_NAME = matching("`table` or `schema.table`", r"[^.\x00]{1,128}(\.[^.\x00]{1,128})?", "a table, or schema.table")
COLUMN = matching("column", r"[^.\x00]{1,128}", "the name of a column")
REFERENCE = matching("`table.column`", r"[^.\x00]{1,128}(\.[^.\x00]{1,128}){1,2}", "table.column or schema.table.column")
JSON_PATH = matching("keys, with dots between", r"[^.\x00]+(\.[^.\x00]+)*", "keys with dots between, such as iptc.headline")


def _table_of(item: Kind, name: str) -> Kind:
    def parse(value: Any) -> dict[str, Any]:
        expect(dict, value, f"a table of {name}")
        return dict(zip(value, read_each({(key,): each for key, each in value.items()}, item.parse), strict=True))

    def from_text(text: str) -> Any:
        raise BadValue("can only stand in a file")

    return Kind(f"table of {name}", parse, from_text)


RECORDS_KEYS: dict[str, tuple[Kind, str]] = {
    "url": (DATABASE_URL, "The database (extra `sql`). The login needs the rights to read and change these tables."),
    "batch": (integer(1, 10_000), "How many records are changed in one transaction. 200 unless given."),
}
OBJECTTYPE_KEYS: dict[str, tuple[Kind, str]] = {
    "table": (TABLE_NAME, "Where its records are. Needed."),
    "id": (COLUMN, "The column with their number, best unique over all objecttypes. `id` unless given."),
    "label": (COLUMN, "What they are called in logs; full-text searches look there. Needed."),
    "fields": (list_of(COLUMN), "Columns that searches may look at, beside label and id."),
    "tags": (COLUMN, "A column with the numbers of a record's tags: JSON, text that holds JSON, or an array of integers."),
    "trash": (COLUMN, "A column that says that a record is in the trash: a time or text (empty: it is not), or true or false."),
    "changed": (COLUMN, "A column with the time of the last change, or a number that rises. Incremental searches need it."),
    "referred_by": (list_of(REFERENCE), "Columns anywhere in the database that hold ids of these records."),
    "metadata": (COLUMN, "A column with JSON that the module `metadata` reads."),
    "mapping": (_table_of(JSON_PATH, "texts"), "What `metadata` writes: column = where in the JSON, keys with dots between."),
    "masks": (_table_of(list_of(COLUMN), "lists of columns"), "Parts of `mapping` by name, for `create_object.mask`."),
}  # fmt: skip


class Objecttype(Struct, frozen=True, kw_only=True):
    """One kind of record: a table, and what its columns mean (OBJECTTYPE_KEYS). None = there is no such column."""

    name: str
    table: str
    label: str
    id: str = "id"
    fields: tuple[str, ...] = ()
    tags: str | None = None
    trash: str | None = None
    changed: str | None = None
    referred_by: tuple[str, ...] = ()
    metadata: str | None = None
    mapping: dict[str, str] = {}
    masks: dict[str, tuple[str, ...]] = {}


class Records(Struct, frozen=True, kw_only=True):
    """url None = there is no record store. `batch` is records in one transaction."""

    url: Secret | None = None
    batch: int = 200
    objecttypes: tuple[Objecttype, ...] = ()


def read_records(root: Table) -> Records:
    """Errors go to the document's findings."""
    section = root.child("records")
    if section is None:
        return Records()
    section.refuse_unknown([*RECORDS_KEYS, "objecttypes"])
    url = read_needed(section, "url", DATABASE_URL)
    batch = section.read("batch", RECORDS_KEYS["batch"][0])
    types = section.child("objecttypes")
    if types is None or not types.values:
        section.error("needs a table [records.objecttypes.NAME] for each kind of record")
        return Records(url=url)
    return Records(url=url, batch=batch or 200, objecttypes=tuple(_read_types(types)))


def _read_types(types: Table) -> Iterator[Objecttype]:
    for name in types.values:
        table = types.child(name)
        found = None if table is None else _read_type(name, table)
        if found is not None:
            yield found


def _read_type(name: str, table: Table) -> Objecttype | None:
    before = len(table.document.findings.errors)
    if not name or "." in name or len(name) > 100 or name.startswith("_"):
        table.error("the name must be 1 to 100 characters, without a dot and not beginning with _", on_key=True)
    table.refuse_unknown(OBJECTTYPE_KEYS)
    for key in ("table", "label"):
        if key not in table.values:
            table.error(f"needs {key}")
    values = {key: value for key, (kind, _) in OBJECTTYPE_KEYS.items() if (value := table.read(key, kind)) is not None}
    _check_mapping(table, values)
    if len(table.document.findings.errors) > before:
        return None
    return Objecttype(name=name, **{key: _frozen(value) for key, value in values.items()})


def _check_mapping(table: Table, values: dict[str, Any]) -> None:
    mapping = values.get("mapping", {})
    kept = {values.get(key, key if key == "id" else None) for key in ("id", "tags", "trash", "changed", "metadata")}
    for column in mapping.keys() & kept:
        table.error("is a column with a meaning of its own", "mapping", column)
    for mask, columns in values.get("masks", {}).items():
        for number, column in enumerate(columns):
            if column not in mapping:
                table.error(f"{column} is not in the mapping", "masks", mask, number)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: tuple(each) if isinstance(each, list) else each for key, each in value.items()}
    return tuple(value) if isinstance(value, list) else value
