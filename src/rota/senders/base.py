"""What every way out has in common."""

from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from rota.core.delivery import Sent

TIMEOUT_S = 10.0
REDACTED = "[redacted]"
Way = Literal["webhook", "apprise", "device_log", "device_hook", "expo", "webpush"]


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where to and how. Never stored and never shown: it is made from the settings for each try.

    url      of the receiver, or Apprise's own kind of URL
    trusted  the operator wrote it into the settings
    signing  secrets a body is signed with, the newest first (Standard Webhooks)
    options  what else that way needs to know
    secrets  texts that no error message may hold
    """

    way: Way
    url: str
    headers: dict[str, str] = {}
    trusted: bool = True
    signing: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Endpoint({self.way})"


class Parcel(Struct, frozen=True, kw_only=True):
    """What is carried: words for people, a JSON body for programs. `id` is the same in each try of one delivery."""

    id: str
    title: str
    text: str
    body: bytes
    severity: str = "info"


class Sender(Protocol):
    """One way out. It never raises: whatever goes wrong is what the try came to."""

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        """One try, with a time limit."""

    async def close(self) -> None:
        """Let go of connections and processes."""


def redact(text: str, endpoint: Endpoint) -> str:
    """An error in which no secret of the endpoint stands, on one line and short."""
    for secret in sorted(filter(None, (endpoint.url, *endpoint.secrets)), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return " ".join(text.split())[:300]
