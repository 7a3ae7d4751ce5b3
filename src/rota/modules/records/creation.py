"""`create_object`: of which kind records are made out of metadata."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from rota.core.errors import Invalid

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class CreateObject(Struct, frozen=True, forbid_unknown_fields=True):
    """mask  a part of the objecttype's mapping, by its name in the settings; None for all of it"""

    objecttype: Name
    mask: Name | None = None


def read_create_object(value: Any, at: str = "create_object") -> CreateObject:
    """Raises Invalid that names the place."""
    try:
        return msgspec.convert(value, CreateObject)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise Invalid.at(f"{at}{place.removesuffix('`')}", message) from None
