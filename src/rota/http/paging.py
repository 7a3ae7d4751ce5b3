"""Cursors of lists: opaque, safe in a URL, and good only for the list that gave them."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

from rota.core.errors import Invalid

T = TypeVar("T")
Item = TypeVar("Item")

Limit = Annotated[int, Meta(ge=1, le=1000, description="how many items a page has at most")]
Cursor = Annotated[str, Meta(max_length=200, description="`next_cursor` of the page before")]
DEFAULT_LIMIT = 50


class Page(Struct, Generic[Item], frozen=True):
    """A part of a list. `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None = None


def encode_cursor(kind: str, place: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str | None) -> str | None:
    """The place in the list of that kind. Raises Invalid at `query.cursor`."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    found, _, place = text.partition(":")
    if found != kind or not place.replace("-", "").isalnum():
        raise Invalid.at("query.cursor", "is not a cursor of this list; take next_cursor as it was given", cursor)
    return place


def page_of(kind: str, found: Sequence[T], limit: int, place: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """The items of a page out of one more than it holds, and the cursor of the next page."""
    items = found[:limit]
    return items, encode_cursor(kind, place(items[-1])) if len(found) > limit else None
