"""Notices to devices, sent to real local servers that speak as the services do."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import http_ece
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.receivers import Answering, Receiver, answer, receiving

from rota.config import Secret
from rota.config.settings import PosthogPush
from rota.core.delivery import Sent
from rota.core.push import Way
from rota.outgoing import Guard, Outgoing
from rota.senders import Parcel, build_senders, devices

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOTICE = {"event": "task_run.completed", "title": "Rota", "body": '"Fix" finished', "data": {"taskId": "t", "taskRunId": "r"}}
KEY = ec.derive_private_key(7**50, ec.SECP256R1())
BROWSER = ec.derive_private_key(5**60, ec.SECP256R1())
AUTH = b"0123456789abcdef"


def text_of(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def settings(**fields: Any) -> PosthogPush:
    secret = text_of(KEY.private_numbers().private_value.to_bytes(32))
    usual: dict[str, Any] = {
        "sender": "log", "url": None, "token": Secret("hidden"), "label": "Rota", "vapid_key": Secret(secret),
        "vapid_contact": "mailto:ops@example.org",
    }  # fmt: skip
    return PosthogPush(**{**usual, **fields})


def send(
    way: Way, *script: Answering, token: Callable[[str], str] = lambda _: "device-token", guard: Guard | None = None
) -> tuple[Sent, Receiver]:
    """One notice, and what the service heard."""

    async def act() -> tuple[Sent, Receiver]:
        async with receiving(*script) as receiver:
            endpoint = devices.endpoint(settings(url=Secret(f"{receiver.url}/push")), way)
            device = {"id": "d", "token": token(receiver.url), "platform": "web"}
            parcel = Parcel(id="p", title="", text="", body=msgspec.json.encode({"id": "p", "device": device, **NOTICE}))
            sender = build_senders(Outgoing(guard or Guard("allow")))[way]
            try:
                return await sender.send(endpoint, parcel, NOW), receiver
            finally:
                await sender.close()

    return asyncio.run(act())


def ticket(**said: Any) -> Answering:
    return answer(200, msgspec.json.encode({"data": said}))


def test_expo_hears_of_the_device_and_of_the_words() -> None:
    sent, receiver = send("expo", ticket(status="ok", id="x"))
    assert sent.error is None
    (request,) = receiver.received
    assert (request.path, request.headers["authorization"]) == ("/push", "Bearer hidden")
    words = {name: NOTICE[name] for name in ("title", "body", "data")}
    assert msgspec.json.decode(request.body) == {"to": "device-token", **words, "sound": "default"}


@pytest.mark.parametrize(
    ("kind", "is_final", "is_gone"),
    [("DeviceNotRegistered", True, True), ("MessageTooBig", True, False), ("MessageRateExceeded", False, False)],
)
def test_a_ticket_tells_what_became_of_a_notice(kind: str, is_final: bool, is_gone: bool) -> None:
    sent, _ = send("expo", ticket(status="error", message='"device-token" is wrong', details={"error": kind}))
    assert (sent.error, sent.is_final, sent.is_gone) == ('"[token]" is wrong', is_final, is_gone)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"data": []}', b'{"data": 5}'])
def test_an_answer_without_a_ticket_is_no_success(body: bytes) -> None:
    sent, _ = send("expo", answer(200, body))
    assert (sent.error, sent.is_final) == ("no ticket", False)


def test_a_service_that_is_busy_is_asked_again_when_it_says() -> None:
    sent, _ = send("expo", answer(429, retry_after="7"))
    assert (sent.is_final, sent.retry_after_s) == (False, 7.0)


@pytest.mark.parametrize(
    ("status", "is_final", "is_gone"), [(204, False, False), (410, True, True), (404, False, False), (500, False, False)]
)
def test_a_webhook_says_by_410_that_a_device_is_gone(status: int, is_final: bool, is_gone: bool) -> None:
    sent, receiver = send("device_hook", answer(status))
    assert (sent.code, sent.is_final, sent.is_gone) == (status, is_final, is_gone)
    device = {"id": "d", "token": "device-token", "platform": "web"}
    assert msgspec.json.decode(receiver.received[0].body) == {"id": "p", "device": device, **NOTICE}


def subscription(url: str) -> str:
    keys = {"p256dh": text_of(point_of(BROWSER)), "auth": text_of(AUTH)}
    return msgspec.json.encode({"endpoint": f"{url}/send/abc", "expirationTime": None, "keys": keys}).decode()


def test_a_browser_can_read_what_web_push_brings_and_its_service_who_sent_it() -> None:
    sent, receiver = send("webpush", answer(201), token=subscription)
    assert sent.error is None
    (request,) = receiver.received
    assert (request.path, request.headers["content-encoding"], request.headers["ttl"]) == ("/send/abc", "aes128gcm", "3600")
    read = http_ece.decrypt(request.body, private_key=BROWSER, auth_secret=AUTH, version="aes128gcm")
    assert msgspec.json.decode(read) == {name: NOTICE[name] for name in ("title", "body", "data")}
    signature, _, point = request.headers["authorization"].removeprefix("vapid t=").partition(", k=")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), urlsafe_b64decode(point + "="))
    assert key == KEY.public_key()
    claims = jwt.decode(signature, key, ["ES256"], audience=receiver.url, options={"verify_exp": False})
    assert (claims["sub"], claims["exp"]) == ("mailto:ops@example.org", int(NOW.timestamp()) + 12 * 3600)


@pytest.mark.parametrize(("status", "is_gone"), [(404, True), (410, True), (403, False), (503, False)])
def test_a_browser_that_unsubscribed_is_gone(status: int, is_gone: bool) -> None:
    sent, _ = send("webpush", answer(status), token=subscription)
    assert (sent.code, sent.is_gone) == (status, is_gone)


@pytest.mark.parametrize("token", ["x", "{}", '{"endpoint": "ftp://x", "keys": {}}', '{"endpoint": "https://x"}'])
def test_a_token_that_is_no_subscription_is_tried_once(token: str) -> None:
    sent, receiver = send("webpush", token=lambda _: token)
    assert (sent.is_final, sent.is_gone, receiver.received) == (True, False, [])


def test_a_key_of_a_browser_that_is_no_point_is_tried_once() -> None:
    wrong = {"p256dh": text_of(b"\x04" + b"\x01" * 64), "auth": text_of(AUTH)}
    sent, receiver = send("webpush", token=lambda url: msgspec.json.encode({"endpoint": url, "keys": wrong}).decode())
    assert (sent.is_final, receiver.received) == (True, [])


def test_web_push_reaches_no_address_that_the_outside_may_not_ask_for() -> None:
    sent, receiver = send("webpush", token=subscription, guard=Guard("deny"))
    assert (sent.is_final, receiver.received) == (True, [])
    assert "127.0.0.1" not in (sent.error or "")


def test_the_log_takes_everything() -> None:
    assert send("device_log")[0] == Sent()


def test_nothing_that_is_shown_of_a_way_holds_its_secrets() -> None:
    ways: tuple[Way, ...] = ("device_hook", "expo", "webpush", "device_log")
    for way in ways:
        assert "hidden" not in repr(devices.endpoint(settings(url=Secret("http://u:pw@x")), way))
