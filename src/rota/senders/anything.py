"""Any service that Apprise knows, by its own kind of URL."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from rota.senders.base import Endpoint


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    """A recipient is put behind the path, where most of its URLs have theirs."""
    url: str = values["url"].reveal()
    parts = urlsplit(url)
    pieces = [
        piece for piece in (parts.username, parts.password, *parts.path.split("/"), parts.hostname) if piece and len(piece) > 3
    ]
    if recipient:
        url = parts._replace(path=f"{parts.path.rstrip('/')}/{recipient}").geturl()
    return Endpoint(way="apprise", url=url, secrets=(url, *pieces, *map(unquote, pieces)))
