"""Mail about runs that have ended, to those whom their task names."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.asking import client, new_actor, new_key
from tests.factories import spec
from tests.postoffice import Mailbox, mail_server
from tests.running import running

from rota.core.actor import OPERATOR, Actor
from rota.core.delivery import Delivery
from rota.core.task import Notify, Recipient
from rota.core.work import Shell
from rota.ops import deliveries, runs, starts, tasks
from rota.ops.context import Rota
from rota.server import Source
from rota.surfaces import native

pytestmark = pytest.mark.e2e

BOTH = Notify(mail=[Recipient(email="all@example.com"), Recipient(email="bad@example.com", problems_only=True)])


async def run_once(rota: Rota, owner: Actor, name: str, script: str) -> str:
    """A task that names two recipients, and its run, to the end."""
    await tasks.create_task(rota, owner, spec(name=name, executor=Shell(script=script), notify=BOTH))
    run = (await starts.start_task(rota, owner, name, {})).run
    await runs.wait_run(rota, owner, run.id, 10)
    return run.id


async def ended(rota: Rota, run_id: str, count: int) -> list[Delivery]:
    """The deliveries about a run, once all of them are over."""
    async with asyncio.timeout(20):
        while True:
            found = await deliveries.list_deliveries(rota, OPERATOR, run_id=run_id, limit=10)
            if len(found) == count and all(each.ended_at for each in found):
                return found
            await asyncio.sleep(0.01)


def test_each_recipient_gets_a_mail_with_the_log_and_some_only_of_problems(tmp_path: Path) -> None:
    async def talk(rota: Rota, mailbox: Mailbox) -> None:
        owner = await new_actor(rota, "olga", "system.task", "task.shell")
        await run_once(rota, owner, "good", "echo all is well")
        failed = await run_once(rota, owner, "bad", "echo oh no >&2; exit 3")
        await ended(rota, failed, 2)
        mails = await mailbox.until(3)
        told = sorted((mail["To"], mail["Subject"]) for mail in mails)
        assert told == [
            ("all@example.com", "bad failed"),
            ("all@example.com", "good succeeded"),
            ("bad@example.com", "bad failed"),
        ]
        text = {mail["Subject"]: mail.get_content() for mail in mails}
        assert "all is well" in text["good succeeded"]
        assert "exit code 3" in text["bad failed"]
        assert "oh no" in text["bad failed"]
        assert {mail["From"] for mail in mails} == {"rota@example.com"}

    async def play() -> None:
        async with mail_server() as mailbox:
            (tmp_path / "rota.toml").write_text(mailbox.toml())
            source = Source(tmp_path / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(tmp_path / "data")})
            async with running(source) as rota:
                await talk(rota, mailbox)

    asyncio.run(play())


def test_without_a_mail_server_what_would_have_been_sent_can_be_read_and_the_run_is_what_it_is(tmp_path: Path) -> None:
    async def talk(rota: Rota) -> None:
        owner = await new_actor(rota, "olga", "system.task", "task.shell")
        run_id = await run_once(rota, owner, "good", "echo all is well")
        (delivery,) = await ended(rota, run_id, 1)
        assert (await runs.get_run(rota, owner, run_id)).state == "succeeded"
        assert (delivery.status, delivery.error) == ("failed", "there is no mail server")
        shown = await ask_as_root(rota, delivery.id)
        assert shown["mail"]["to"] == "all@example.com"
        assert shown["mail"]["subject"] == "good succeeded"
        assert "all is well" in shown["mail"]["text"]

    async def play() -> None:
        source = Source(None, {"PATH": "/usr/bin:/bin"}, {"server.data": str(tmp_path / "data")})
        async with running(source) as rota:
            await talk(rota)

    asyncio.run(play())


async def ask_as_root(rota: Rota, delivery_id: str) -> dict[str, dict[str, str]]:
    async with client(native.app(rota), await new_key(rota, "ruth", "system.root")) as root:
        reply: httpx.Response = await root.get(f"/v1/deliveries/{delivery_id}")
        shown: dict[str, dict[str, str]] = reply.json()
        return shown


def test_who_may_not_have_module_tasks_may_not_have_mail_sent(tmp_path: Path) -> None:
    async def play() -> None:
        source = Source(None, {}, {"server.data": str(tmp_path / "data")})
        async with running(source) as rota, client(native.app(rota), await new_key(rota, "stan", "task.shell")) as stan:
            body = {"name": "spam", "executor": {"kind": "shell", "script": "true"}}
            notify = {"mail": [{"email": "you@example.com"}]}
            assert (await stan.post("/v1/tasks", json={**body, "notify": notify})).status_code == 403
            for bad in ("x", "a@b, c@d", "a@b\r\nBcc: c@d", "a b@c", "<a@b>"):
                reply = await stan.post("/v1/tasks", json={**body, "notify": {"mail": [{"email": bad}]}})
                assert reply.status_code == 422
                assert reply.json()["errors"][0]["location"] == "body.notify.mail.0.email"

    asyncio.run(play())
