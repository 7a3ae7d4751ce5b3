"""Tells browsers by web push: encrypted for the one browser (RFC 8291), signed as this server's (RFC 8292)."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from rota.core.delivery import Sent, judge_answer
from rota.outgoing import Failed, Outgoing, Refused, retry_after_s
from rota.senders.base import TIMEOUT_S, Endpoint, Parcel, redact

# How long a push service keeps a notice for a browser that sleeps, and how long it may believe our signature.
TTL_S = 3600
SIGNED_FOR = timedelta(hours=12)
GONE = (404, 410)


class Keys(Struct, frozen=True):
    """Base64url: the browser's public point, and a secret of 16 bytes."""

    p256dh: Annotated[str, Meta(min_length=80, max_length=100)]
    auth: Annotated[str, Meta(min_length=20, max_length=30)]


class Subscription(Struct, frozen=True):
    """What `PushSubscription.toJSON()` gives in a browser; the token of a device of the platform `web`."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://")]
    keys: Keys


class WebPushSender:
    """The address comes from whoever registered the device, so it is one of those that the outside may ask for."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        notice = msgspec.json.decode(parcel.body)
        try:
            subscription = msgspec.json.decode(notice["device"]["token"], type=Subscription)
            # Loading what encrypts takes some 50 ms.
            headers, body = await asyncio.to_thread(_seal, endpoint, subscription, notice, now)
        except ValueError:  # a DecodeError is one
            return Sent(error="the token is no subscription of a browser, or vapid_key no key", is_final=True)
        try:
            answer = await self._outgoing.request(
                "POST", subscription.endpoint, headers, body, trusted=endpoint.trusted, timeout_s=TIMEOUT_S
            )
        except Refused as refusal:
            return Sent(error=redact(str(refusal).replace(subscription.endpoint, "[endpoint]"), endpoint), is_final=True)
        except Failed as failure:
            return Sent(error=redact(str(failure), endpoint))
        if answer.status in GONE:
            return Sent(code=answer.status, error=f"answered {answer.status}", is_final=True, is_gone=True)
        return judge_answer(answer.status, retry_after_s(answer.headers, now))

    async def close(self) -> None:
        await self._outgoing.close()


def _seal(endpoint: Endpoint, to: Subscription, notice: dict[str, Any], now: datetime) -> tuple[dict[str, str], bytes]:
    """Headers and the encrypted body. Raises ValueError for keys that are none."""
    import http_ece
    from cryptography.hazmat.primitives.asymmetric import ec

    shown = msgspec.json.encode({name: notice[name] for name in ("title", "body", "data")})
    try:
        body = http_ece.encrypt(
            shown,
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=_bytes(to.keys.p256dh),
            auth_secret=_bytes(to.keys.auth),
            version="aes128gcm",
        )
    except http_ece.ECEException as error:
        raise ValueError(str(error)) from None
    headers = {
        "authorization": _signature(endpoint, to.endpoint, now),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(TTL_S),
        "urgency": "high",
    }
    return headers, body


def _signature(endpoint: Endpoint, url: str, now: datetime) -> str:
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.derive_private_key(int.from_bytes(_bytes(endpoint.options["key"])), ec.SECP256R1())
    parts = urlsplit(url)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + SIGNED_FOR).timestamp()),
        "sub": endpoint.options["contact"],
    }
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return f"vapid t={jwt.encode(claims, key, 'ES256')}, k={urlsafe_b64encode(point).decode().rstrip('=')}"


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
