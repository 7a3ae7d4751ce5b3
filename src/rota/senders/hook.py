"""A webhook of the settings: the JSON body of the contract, signed where there is a secret."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from rota.senders.base import Endpoint


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    """A URL with a user in it is Basic authentication. A recipient is put behind the path."""
    url = values["url"].reveal()
    headers = {name.lower(): text.reveal() for name, text in (values.get("headers") or {}).items()}
    parts = urlsplit(url)
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers.setdefault("authorization", f"Basic {b64encode(user.encode()).decode()}")
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if recipient:
        parts = urlsplit(url)
        url = parts._replace(path=f"{parts.path.rstrip('/')}/{recipient}").geturl()
    signing = tuple(secret.reveal() for secret in values.get("secret") or [])
    secrets = (values["url"].reveal(), parts.password or "", *headers.values(), *signing)
    return Endpoint(way="webhook", url=url, headers=headers, signing=signing, secrets=secrets)
