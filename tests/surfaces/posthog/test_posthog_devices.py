"""Devices and presence, and who is told of a run's end (contract §5.7, §10)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace
from tests.receivers import Receiver, answer, receiving
from tests.running import running
from tests.surfaces.posthog.projects_asking import Client, People, asked, people

from rota.core.push import PushRules
from rota.ops import runs, starts
from rota.ops.context import Rota
from rota.server import Source
from rota.store import outbox, pushtokens

TOKENS = "/api/users/@me/push_tokens"


async def device(who: Client, name: str = "t", platform: str = "ios", status: int = 200) -> Any:
    return await who.post(TOKENS, {"token": name, "platform": platform}, status)


async def end_run(who: People, task: dict[str, Any], seconds: float = 0) -> str:
    """A run of the owner's is cancelled, some time from now."""
    actor = who.users["owner"].actor
    run = (await starts.start_task(who.rota, actor, task["id"], {})).run
    who.rota.clock.advance(seconds)  # type: ignore[attr-defined]
    await runs.cancel_run(who.rota, actor, run.id)
    return run.id


async def told(who: People) -> list[tuple[str, str]]:
    """Devices and words of what is to be sent, in order."""
    found = await who.rota.database.read(lambda c: outbox.list_deliveries(c, limit=100))
    return [(delivery.address["push"], delivery.body["body"]) for delivery in reversed(found)]


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(4):
        while True:
            if await look():
                return
            await asyncio.sleep(0.005)


async def _has(receiver: Receiver, number: int) -> bool:
    return len(receiver.received) >= number


async def _is_forgotten(rota: Rota, device_id: str) -> bool:
    return await rota.database.read(lambda c: pushtokens.find_token(c, device_id)) is None


@pytest.fixture
def pushing(rota: Rota) -> Rota:
    rota.rules = replace(rota.rules, push=PushRules(way="device_hook"))
    return rota


def test_a_device_keeps_its_id_when_it_comes_again(rota: Rota) -> None:
    async def talk(who: People) -> None:
        first = await device(who.owner, " token ", "ios")
        assert set(first) == {"id", "platform", "created_at", "last_seen_at"}
        rota.clock.advance(5)  # type: ignore[attr-defined]
        again = await device(who.owner, "token", "android")
        assert (again["id"], again["platform"], again["created_at"]) == (first["id"], "android", first["created_at"])
        assert again["last_seen_at"] > first["last_seen_at"]

    asked(rota, talk)


def test_a_token_that_another_user_has_moves_to_who_registers_it_under_a_new_id(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        first = await device(who.owner)
        await who.owner.post(f"/tasks/{task['id']}/presence", {"device_id": first["id"]}, 204)
        second = await device(who.member)
        assert second["id"] != first["id"]
        await who.owner.post(f"/tasks/{task['id']}/presence", {"device_id": first["id"]}, 404)

    asked(rota, talk)


def test_a_user_has_the_twenty_devices_that_were_seen_last(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = []
        for number in range(20):
            made.append((await device(who.owner, f"t{number}"))["id"])
            rota.clock.advance(1)  # type: ignore[attr-defined]
        await device(who.owner, "t0")
        rota.clock.advance(1)  # type: ignore[attr-defined]
        new = (await device(who.owner, "t20"))["id"]
        kept = await rota.database.read(lambda c: pushtokens.list_tokens(c, who.users["owner"].id))
        assert {token.id for token in kept} == {*made, new} - {made[1]}

    asked(rota, talk)


def test_registering_needs_a_token_a_platform_and_oneself(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for body, code, attr in [
            ({"platform": "ios"}, "required", "token"), ({"token": "t"}, "required", "platform"),
            ({"token": "", "platform": "ios"}, "blank", "token"),
            ({"token": "x" * 513, "platform": "ios"}, "max_length", "token"),
            ({"token": "t", "platform": "tv"}, "invalid_choice", "platform"),
        ]:  # fmt: skip
            refused = await who.owner.post(TOKENS, body, 400)
            assert (refused["code"], refused["attr"]) == (code, attr)
        for path in ("/api/users/1/push_tokens", "/api/users/1/push_tokens/unregister"):
            refused = await who.owner.post(path, {}, 403)
            assert (refused["type"], refused["code"]) == ("authentication_error", "permission_denied")
        assert (await device(who.reader, status=403))["detail"] == "API key missing required scope 'user:write'"
        await device(who.limited)

    asked(rota, talk)


def test_unregistering_is_always_done(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await device(who.owner)
        task = await who.owner.task()
        await who.member.post(f"{TOKENS}/unregister", {"token": "t"}, 204)
        await who.owner.post(f"/tasks/{task['id']}/presence", {"device_id": made["id"]}, 204)
        for _ in range(2):
            await who.owner.post(f"{TOKENS}/unregister/", {"token": "t"}, 204)
        await who.owner.post(f"/tasks/{task['id']}/presence", {"device_id": made["id"]}, 404)

    asked(rota, talk)


def test_presence_is_of_own_devices_and_its_end_is_always_done(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(archived=True)
        at = f"/tasks/{task['id']}/presence"
        mine, other = (await device(who.owner))["id"], (await device(who.member, "u"))["id"]
        for _ in range(2):
            await who.owner.post(at, {"device_id": mine}, 204)
        for foreign in (other, str(uuid4())):
            refused = await who.owner.post(at, {"device_id": foreign}, 404)
            assert refused["detail"] == "device_id does not match a push token registered by the caller"
        for body, code in (({}, "required"), ({"device_id": "x"}, "invalid_input"), ({"device_id": None}, "null")):
            for method in ("POST", "DELETE"):
                reply = await who.owner.ask(method, at, body)
                assert (reply.status_code, reply.json()["code"], reply.json()["attr"]) == (400, code, "device_id")
        for body, query in (({"device_id": mine}, ""), ({"device_id": mine}, ""), ({"device_id": other}, "")):
            await who.owner.delete(at + query, body)
        for query in (f"?device_id={mine}", f"?device_id={uuid4()}"):
            await who.owner.delete(at + query)
        assert (await who.owner.ask("DELETE", at)).status_code == 400
        await who.owner.delete(f"/tasks/{uuid4()}/presence", {"device_id": mine}, 404)

    asked(rota, talk)


def test_the_end_of_a_run_is_told_to_all_devices_of_the_creator_alone(pushing: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(title="Fix login")
        mine = [(await device(who.owner, name))["id"] for name in ("a", "b")]
        await device(who.member, "c")
        run_id = await end_run(who, task)
        assert await told(who) == [(each, '"Fix login" was cancelled') for each in sorted(mine)]
        (first, *_) = await who.rota.database.read(lambda c: outbox.list_deliveries(c, limit=9))
        assert first.body["data"] == {"taskId": task["id"], "taskRunId": run_id}
        assert first.body["title"] == "Rota"

    asked(pushing, talk)


def test_one_watching_device_silences_all_of_its_user_until_its_time_is_over(pushing: Rota) -> None:
    async def talk(who: People) -> None:
        task, other = await who.owner.task(title=""), await who.owner.task()
        a, _b = (await device(who.owner, "a"))["id"], await device(who.owner, "b")
        at = f"/tasks/{task['id']}/presence"
        await who.owner.post(at, {"device_id": a}, 204)
        await end_run(who, task, 59.9)
        assert await told(who) == []
        await end_run(who, task, 0.1)
        assert [words for _, words in await told(who)] == ['"Untitled task" was cancelled'] * 2
        await who.owner.post(f"/tasks/{other['id']}/presence", {"device_id": a}, 204)
        await end_run(who, task)
        assert len(await told(who)) == 4
        await who.owner.post(at, {"device_id": a}, 204)
        await who.owner.delete(at, {"device_id": a}, 204)
        await end_run(who, task)
        assert len(await told(who)) == 6

    asked(pushing, talk)


def test_presence_of_others_silences_nobody(pushing: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(origin_product="signal_report")
        await device(who.owner, "a")
        other = (await device(who.member, "b"))["id"]
        await who.member.post(f"/tasks/{task['id']}/presence", {"device_id": other}, 204)
        await end_run(who, task)
        assert len(await told(who)) == 1

    asked(pushing, talk)


def test_nobody_is_told_who_left_the_project_nor_of_a_deleted_task(pushing: Rota) -> None:
    async def talk(who: People) -> None:
        task, gone = await who.owner.task(), await who.owner.task()
        await device(who.owner)
        await starts.start_task(who.rota, who.users["owner"].actor, gone["id"], {})
        await who.owner.delete(f"/tasks/{gone['id']}")
        await who.rota.database.write(lambda c: c.run("DELETE FROM memberships WHERE project_id = ?", (who.project,)))
        await end_run(who, task)
        assert await told(who) == []

    asked(pushing, talk)


def test_a_server_tells_a_receiver_and_forgets_a_device_that_it_calls_gone(tmp_path: Path) -> None:
    async def talk() -> None:
        async with receiving(answer(204), answer(410)) as receiver:
            (tmp_path / "rota.toml").write_text(
                f'[posthog.push]\nsender = "webhook"\nurl = "{receiver.url}/push"\ntoken = "hidden"\nlabel = "Ours"\n'
            )
            source = Source(tmp_path / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(tmp_path / "data")})
            async with running(source) as rota, people(rota) as who:
                task = await who.owner.task(title="Real")
                made = await device(who.owner, "secret-token", "android")
                for number in (1, 2):
                    actor = who.users["owner"].actor
                    run = (await starts.start_task(rota, actor, task["id"], {})).run
                    await runs.cancel_run(rota, actor, run.id, wait_s=4)
                    await until(partial(_has, receiver, number))
                await until(lambda: _is_forgotten(rota, made["id"]))
                first = receiver.received[0]
                assert (first.path, first.headers["authorization"]) == ("/push", "Bearer hidden")
                assert b'"device":{"id":"' + made["id"].encode() + b'","token":"secret-token","platform":"android"}' in first.body
                assert b'"title":"Ours","body":"\\"Real\\" ' in first.body

    asyncio.run(talk())


def test_workers_that_tell_of_a_turn_and_of_the_end_make_the_phone_ring(pushing: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(title="Fix")
        await device(who.owner)
        run = await who.owner.post(f"/tasks/{task['id']}/runs", {}, 201)
        at = f"/tasks/{task['id']}/runs/{run['id']}"
        await who.owner.patch(at, {"status": "in_progress"})
        turn = {"type": "notification", "notification": {"jsonrpc": "2.0", "method": "_posthog/turn_complete", "params": {}}}
        for _ in range(2):
            await who.owner.post(f"{at}/append_log", {"entries": [turn]})
        assert [words for _, words in await told(who)] == ['"Fix" needs your input']
        await who.owner.patch(at, {"status": "completed"})
        await who.owner.patch(at, {"status": "failed"})
        assert [words for _, words in await told(who)] == ['"Fix" needs your input', '"Fix" finished']

    asked(pushing, talk)
