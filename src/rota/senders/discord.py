"""Discord, by a webhook of a channel."""

import re
from collections.abc import Mapping
from typing import Any

from rota.senders.base import Endpoint

PATTERN = re.compile(r"^(https?://[^?#]+/webhooks)/([0-9]+)/([A-Za-z0-9_-]+)/?$")


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    """Its webhook names the channel, so a recipient is the id and token of another: `1234/abcd`."""
    found = PATTERN.match(values["webhook_url"].reveal())
    assert found  # noqa: S101  the settings are read by the same pattern
    base, number, token = found.groups()
    if recipient and "/" in recipient:
        number, _, token = recipient.partition("/")
    return Endpoint(
        way="apprise",
        url=f"discord://{number}/{token}?footer=no&image=no&avatar=no",
        options={"attributes": {"notify_url": base}},
        secrets=(values["webhook_url"].reveal(), token),
    )
