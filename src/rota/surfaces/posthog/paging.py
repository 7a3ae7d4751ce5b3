"""Pages of this API: `limit` and `offset`, read leniently, and absolute links that keep the rest of the query (contract §2)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from starlette.types import Scope

from rota.http.address import peer_of
from rota.http.routes import Ask

DEFAULT, MOST = 50, 100
# No list is longer, and every database can count to it.
LAST = 2**53


class Window(Struct, frozen=True):
    limit: int
    offset: int


class Page(Struct, kw_only=True):
    count: int
    next: str | None
    previous: str | None
    results: list[Any]


def window_of(ask: Ask) -> Window:
    given = query_of(ask.scope)
    return Window(min(_positive(given.get("limit")) or DEFAULT, MOST), min(_positive(given.get("offset")), LAST))


def page_of(ask: Ask, window: Window, count: int, results: Sequence[Any]) -> Page:
    """`results` are those of the window out of `count`."""
    after, before = window.offset + window.limit, window.offset - window.limit
    return Page(
        count=count,
        next=_link(ask.scope, window.limit, after) if after < count else None,
        previous=_link(ask.scope, window.limit, max(before, 0)) if window.offset > 0 else None,
        results=list(results),
    )


def query_of(scope: Scope) -> dict[str, str]:
    """The fields of a query; of one that is given twice, the last."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def absolute_url(scope: Scope, path: str) -> str:
    """A path of this listener as the asker reaches it."""
    peer = peer_of(scope)
    return f"{'https' if peer.is_https else 'http'}://{peer.host or 'localhost'}{path}"


def _link(scope: Scope, limit: int, offset: int) -> str:
    query: dict[str, Any] = {**query_of(scope), "limit": limit, "offset": offset}
    if not offset:
        del query["offset"]
    return f"{absolute_url(scope, str(scope['path']))}?{urlencode(sorted(query.items()))}"


def _positive(text: str | None) -> int:
    """0 for what is no positive number."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) <= 15 else 0
