"""What a record's metadata says for each mapped column."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

Misfit = Callable[[str, Any], None]


def read_metadata(value: Any) -> dict[str, Any]:
    """The JSON of a metadata column, whichever its type; empty for what is no object."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def map_values(table: sa.Table, mapping: Mapping[str, str], metadata: Mapping[str, Any], misfit: Misfit) -> dict[str, Any]:
    """Column → value, for what the metadata has. `misfit` hears of values that are none of their column's."""
    found = {}
    for column, path in mapping.items():
        value = _look_up(metadata, path.split("."))
        if value is None or value in ("", [], {}):
            continue
        try:
            found[column] = _fit(table.c[column], value)
        except (ValueError, TypeError):
            misfit(column, value)
    return found


def keep_filled(values: Mapping[str, Any], present: Mapping[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """Those that would change something: into empty columns, or with `overwrite` wherever they differ."""
    return {
        column: value
        for column, value in values.items()
        if present[column] in (None, "") or (overwrite and present[column] != value)
    }


def _look_up(value: Any, keys: list[str]) -> Any:
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _fit(column: sa.Column[Any], value: Any) -> Any:
    """Raises ValueError or TypeError."""
    kind = column.type
    if isinstance(kind, sa.JSON):
        return value
    if isinstance(kind, sa.String):
        return _as_text(value)
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date):
        return date.fromisoformat(value[:10])
    if isinstance(kind, sa.Boolean) != isinstance(value, bool):
        raise ValueError
    if isinstance(kind, sa.Integer):
        return int(value)
    return float(value) if isinstance(kind, sa.Numeric | sa.Float) else value


def _as_text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return "; ".join(map(_as_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
