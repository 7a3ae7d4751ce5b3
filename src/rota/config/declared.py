"""A task or service that a settings file declares, before it is read."""

from typing import Any

from msgspec import Struct

from rota.config.document import Table
from rota.config.unit_keys import UnitKind


class Backing(Struct, frozen=True):
    """What compose says of a unit.

    work       fields of `core.work.Compose`
    built_in   values of keys, under those of the file
    is_import  it comes out of `[compose.ALIAS]`, whose sub-tables only override
    """

    work: dict[str, Any]
    built_in: dict[str, Any]
    is_import: bool = False


class Declared(Struct, frozen=True):
    kind: UnitKind
    name: str
    table: Table
    backing: Backing | None = None
