"""A mail server on this machine that keeps what it is given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """`mails` as they came, oldest first."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.came = asyncio.Event()
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd finds it by this name
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert [mail["To"].addresses[0].addr_spec] == envelope.rcpt_tos
        self.mails.append(mail)
        self.came.set()
        return "250 taken"

    def toml(self) -> str:
        """The settings that make it this server's mail server."""
        return f"""
[[notifier]]
id = "post"
type = "smtp"
host = "127.0.0.1"
port = {self.port}
tls = "none"
from = "rota@example.com"
to = ["ops@example.com"]
"""

    async def until(self, count: int) -> list[EmailMessage]:
        async with asyncio.timeout(20):
            while len(self.mails) < count:
                self.came.clear()
                await self.came.wait()
        return self.mails


@asynccontextmanager
async def mail_server() -> AsyncIterator[Mailbox]:
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(mailbox, hostname="mx", loop=loop), "127.0.0.1", 0) as server:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox
