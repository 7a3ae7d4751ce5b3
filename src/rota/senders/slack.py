"""Slack, by an incoming webhook."""

import re
from collections.abc import Mapping
from typing import Any

from rota.senders.base import Endpoint

_OURS = re.compile(r"^(https?://[^?#]+/services)/([A-Za-z0-9]+)/([A-Za-z0-9]+)/([A-Za-z0-9]+)/?$")


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    """Whatever takes Slack's messages at another kind of address gets the same text by a plain post."""
    url, channel = values["webhook_url"].reveal(), recipient or values.get("channel")
    found = _OURS.match(url)
    if found is None:
        return Endpoint(way="webhook", url=url, options={"shape": "slack", "channel": channel}, secrets=(url,))
    base, *tokens = found.groups()
    target = f"/{channel.replace('#', '%23')}" if channel else ""
    return Endpoint(
        way="apprise",
        url=f"slack://{'/'.join(tokens)}{target}?footer=no&image=no",
        options={"attributes": {"webhook_url": base}},
        secrets=(url, *tokens),
    )
