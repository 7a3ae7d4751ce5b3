"""Chat and mail through Apprise, to real receivers on this machine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.factories import NOON
from tests.receivers import answer, receiving, reset

from rota.config import Secret
from rota.core.delivery import Sent
from rota.senders import ENDPOINTS, AppriseSender, Parcel

pytestmark = pytest.mark.e2e

T = TypeVar("T")
PARCEL = Parcel(
    id="d1", title="dump failed", text="exit code 4, after 31 s\n\nlast <line> & *more*", body=b"{}", severity="error"
)


def ask(question: Callable[[AppriseSender], Awaitable[T]]) -> T:
    async def run() -> T:
        sender = AppriseSender()
        try:
            return await question(sender)
        finally:
            await sender.close()

    return asyncio.run(run())


MAIL = {
    "host": "127.0.0.1",
    "tls": "none",
    "from": "rota@example.com",
    "to": ["ops@example.com", "night@example.com"],
    "cc": ["boss@example.com"],
    "bcc": ["log@example.com"],
    "reply_to": "noreply@example.com",
}


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd finds it by this name
        self.mails.append(envelope)
        return "250 taken"


def test_one_process_carries_messages_to_all_kinds_of_chat() -> None:
    """One test, for what takes its time is the start of that process."""

    async def question(sender: AppriseSender) -> None:
        async with (
            receiving(answer(200, b"ok")) as slack,
            receiving(answer(204)) as discord,
            receiving(answer(200, b'{"ok":true}')) as bot,
        ):
            sent = [
                await sender.send(ENDPOINTS["slack"](values, None), PARCEL, NOON)
                for values in (
                    {"webhook_url": Secret(f"{slack.url}/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx")},
                    {
                        "webhook_url": Secret(f"{slack.url}/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx"),
                        "channel": "#night",
                    },
                )
            ]
            hook = {"webhook_url": Secret(f"{discord.url}/api/webhooks/123456789/{'a' * 60}")}
            sent.append(await sender.send(ENDPOINTS["discord"](hook, None), PARCEL, NOON))
            telegram = {"bot_token": Secret("123456789:abcdefg_hijklmnop"), "chat_id": "-1001234", "api_url": bot.url}
            sent.append(await sender.send(ENDPOINTS["telegram"](telegram, None), PARCEL, NOON))
            assert [(one.code, one.error) for one in sent] == [(200, None), (200, None), (204, None), (200, None)]
            assert all(b"exit code 4" in each.body for receiver in (slack, discord, bot) for each in receiver.received)
            assert slack.received[0].path == "/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx"
            assert "channel" not in msgspec.json.decode(slack.received[0].body)
            assert msgspec.json.decode(slack.received[1].body)["channel"] == "#night"
            assert discord.received[0].path.startswith("/api/webhooks/123456789/aaa")
            assert bot.received[-1].path == "/bot123456789:abcdefg_hijklmnop/sendMessage"
            assert msgspec.json.decode(bot.received[-1].body)["chat_id"] in (-1001234, "-1001234")
            assert await _refused(sender) == [(429, False, 30.0), (404, False, None), (None, False, None), (None, True, None)]
            assert len(_children()) == 1

    ask(question)
    assert _children() == []


async def _refused(sender: AppriseSender) -> list[tuple[int | None, bool, float | None]]:
    """What other answers come to, and a target that is none; no error holds the token."""
    came_to: list[Sent] = []
    for act in (answer(429, Retry_After="30"), answer(404), reset):
        async with receiving(act) as slack:
            hook = {"webhook_url": Secret(f"{slack.url}/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx")}
            came_to.append(await sender.send(ENDPOINTS["slack"](hook, None), PARCEL, NOON))
    came_to.append(await sender.send(ENDPOINTS["apprise"]({"url": Secret("nothing://hidden-token")}, None), PARCEL, NOON))
    assert all(sent.error and "hidden-token" not in sent.error and "abcdefgh" not in sent.error for sent in came_to)
    return [(sent.code, sent.is_final, sent.retry_after_s) for sent in came_to]


def test_mail_goes_out_over_smtp() -> None:
    mailbox = Mailbox()

    async def question(sender: AppriseSender) -> None:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: SMTP(mailbox, hostname="mx", loop=loop), "127.0.0.1", 0) as server:
            values = {**MAIL, "port": server.sockets[0].getsockname()[1]}
            assert await sender.send(ENDPOINTS["smtp"](values, None), PARCEL, NOON) == Sent()
            assert await sender.send(ENDPOINTS["smtp"](values, "only@example.com"), PARCEL, NOON) == Sent()
        closed = await sender.send(ENDPOINTS["smtp"]({**values, "port": 1}, None), PARCEL, NOON)
        assert closed.error
        assert not closed.is_final

    ask(question)
    receivers = {address for mail in mailbox.mails[:-1] for address in mail.rcpt_tos}
    assert receivers == {"ops@example.com", "night@example.com", "boss@example.com", "log@example.com"}
    text = str(mailbox.mails[0].content)
    assert "Subject: dump failed" in text
    assert "exit code 4, after 31 s" in text
    assert "noreply@example.com" in text
    assert "log@example.com" not in text
    assert mailbox.mails[-1].rcpt_tos == ["only@example.com"]


def _children() -> list[str]:
    """The processes of ours that Apprise runs in."""
    children = [pid for thread in Path("/proc/self/task").iterdir() for pid in (thread / "children").read_text().split()]
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children]
    return [line for line in lines if "rota.senders.courier" in line]


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"host": "mx", "from": "a@b.c", "to": ["d@e.f"]}, "mailtos://mx:587?"),
        ({"host": "mx", "port": 465, "from": "a@b.c", "to": ["d@e.f"]}, "mailtos://mx:465?"),
        ({"host": "mx", "tls": "implicit", "from": "a@b.c", "to": ["d@e.f"]}, "mailtos://mx:465?"),
        ({"host": "mx", "tls": "none", "from": "a@b.c", "to": ["d@e.f"]}, "mailto://mx:25?"),
        (
            {"host": "mx", "username": "u@x", "password": Secret("p:/@"), "from": "a@b.c", "to": ["d@e.f"]},
            "mailtos://u%40x:p%3A%2F%40@mx:587?",
        ),
    ],
)
def test_ports_and_modes_of_mail_follow_the_contract(values: dict[str, Any], start: str) -> None:
    endpoint = ENDPOINTS["smtp"](values, None)
    assert endpoint.url.startswith(start)
    assert ("mode=ssl" in endpoint.url) == (":465" in start)


def test_what_takes_slacks_messages_elsewhere_gets_a_plain_post() -> None:
    endpoint = ENDPOINTS["slack"]({"webhook_url": Secret("https://chat.example.com/hooks/x1")}, "#night")
    assert (endpoint.way, endpoint.options) == ("webhook", {"shape": "slack", "channel": "#night"})


def test_a_webhook_with_a_user_in_it_is_basic_authentication() -> None:
    endpoint = ENDPOINTS["webhook"]({"url": Secret("https://u:p%40@example.com:8443/a")}, "b")
    assert (endpoint.url, endpoint.headers) == ("https://example.com:8443/a/b", {"authorization": "Basic dTpwQA=="})
    assert "example" not in repr(endpoint)
