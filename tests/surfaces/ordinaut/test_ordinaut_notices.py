"""Agents with a `webhook_url` are told of their runs that have failed for good (contract §2)."""

import json
from pathlib import Path

import pytest
from tests.receivers import Receiver, answer, receiving
from tests.surfaces.ordinaut.agents_asking import People, served, until
from tests.surfaces.ordinaut.test_ordinaut_engine import FAILS, hurry, run_now

from rota.core import delivery
from rota.core.actor import OPERATOR
from rota.ops import deliveries


async def give_address(who: People, url: str) -> None:
    await who.admin.put(f"/agents/{who.owner.id}", {"webhook_url": url})


async def arrived(receiver: Receiver, count: int) -> None:
    async def look() -> bool | None:
        return len(receiver.received) >= count or None

    await until(look)


def test_the_end_of_a_failed_run_is_told_once_and_its_retries_are_not(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        async with receiving() as receiver:
            await give_address(who, f"{receiver.url}/agent")
            task, fine = await who.owner.task(payload=FAILS, max_retries=1), await who.owner.task()
            await hurry(who, task)
            await run_now(who.owner, fine)
            await run_now(who.owner, task)
            last, _ = await who.owner.until_runs(task, "failed", "failed")
            await arrived(receiver, 1)
            told = receiver.received[0]
            assert told.path == "/agent"
            assert json.loads(told.body) == {
                "event": "run.failed", "agent_id": who.owner.id, "task_id": task["id"], "task_title": task["title"], "run": last,
            }  # fmt: skip
            await run_now(who.owner, task)
            await arrived(receiver, 2)
            assert len(receiver.received) == 2

    served(tmp_path, talk)


def test_only_its_own_agent_is_told_and_a_refusal_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT_S", 0.01)

    async def talk(who: People) -> None:
        async with receiving(answer(503), answer(204)) as receiver:
            await give_address(who, receiver.url)
            others = await who.other.task(payload=FAILS, max_retries=0)
            own = await who.owner.task(payload=FAILS, max_retries=0)
            await run_now(who.other, others)
            await who.other.until_runs(others, "failed")
            await run_now(who.owner, own)
            await arrived(receiver, 2)
            assert {json.loads(each.body)["task_id"] for each in receiver.received} == {own["id"]}

    served(tmp_path, talk)


def test_an_address_of_this_network_is_refused_where_private_targets_are(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        async with receiving() as receiver:
            await give_address(who, receiver.url)
            task = await who.owner.task(payload=FAILS, max_retries=0)
            await run_now(who.owner, task)
            (run,) = await who.owner.until_runs(task, "failed")

            async def given_up() -> bool | None:
                found = await deliveries.list_deliveries(who.rota, OPERATOR, run_id=run["id"], limit=5)
                return [each.status for each in found] == ["failed"] or None

            await until(given_up)
            assert receiver.received == []

    served(tmp_path, talk, toml='[outgoing]\nprivate = "deny"\n')
