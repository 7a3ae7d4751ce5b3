"""`email_report`: mails with files, taken by a real mail server."""

import asyncio
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.modules.given_context import Told, context

from rota.core.errors import Conflict, Forbidden, Invalid, Unavailable
from rota.modules.builtin.checks import check_mail
from rota.modules.builtin.email_report import email_report

pytestmark = pytest.mark.e2e

MAILER = {"host": "127.0.0.1", "tls": "none", "from": "rota@example.com", "to": ["ops@example.com"]}


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd finds it by this name
        self.mails.append(envelope)
        return "250 taken"


def test_a_mail_has_its_text_and_files(tmp_path):
    (tmp_path / "rows.csv").write_text("id\n1\n")
    mailbox, told = Mailbox(), Told()

    async def send() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: SMTP(mailbox, hostname="mx", loop=loop), "127.0.0.1", 0) as server:
            mailers = {"mail": {**MAILER, "port": server.sockets[0].getsockname()[1]}}
            ctx = context(told, roots=[str(tmp_path)], mailers=mailers)
            to = ["ada@example.com", "bob@example.com"]
            return await asyncio.to_thread(
                email_report, ctx, "Weekly rows", "See below.", to=to, attach=[str(tmp_path / "rows.csv")]
            )

    assert asyncio.run(send()) == {"recipients": 2, "files": 1}
    assert sorted(rcpt for mail in mailbox.mails for rcpt in mail.rcpt_tos) == ["ada@example.com", "bob@example.com"]
    content = mailbox.mails[0].content
    assert isinstance(content, bytes)
    mail = message_from_bytes(content)
    parts = {part.get_filename(): part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()}
    assert mail["Subject"] == "Weekly rows"
    assert (parts["rows.csv"], b"See below." in parts[None]) == (b"id\n1\n", True)
    assert told.lines == [("info", "sent to 2 recipients", 100)]


def test_a_server_that_is_away_is_a_failure_without_the_password():
    values = {**MAILER, "tls": "implicit", "port": 1, "username": "rota", "password": "hunter2"}
    with pytest.raises(Conflict, match="not sent: ") as caught:
        email_report(context(mailers={"mail": values}), "x")
    assert "hunter2" not in str(caught.value)


def test_only_mail_servers_of_the_settings_are_used():
    with pytest.raises(Unavailable, match=r'a \[\[notifier\]\] with type = "smtp"'):
        email_report(context(mailers={}), "x")
    with pytest.raises(Invalid, match=r"no .* has the id other; there are: mail"):
        email_report(context(mailers={"mail": MAILER}), "x", notifier="other")


def test_only_files_below_a_root_are_sent(tmp_path):
    with pytest.raises(Forbidden):
        email_report(context(mailers={"mail": MAILER}, roots=[str(tmp_path)]), "x", attach=["/etc/passwd"])


@pytest.mark.parametrize("address", ["ada", "@x", "a@", "a b@x", "a@x,b@y", "a@x\n", "<a@x>", 'a"b@x'])
def test_what_is_no_address_is_not_saved(address):
    assert [problem.location for problem in check_mail({"to": ["ops@example.com", address]})] == ["to"]
