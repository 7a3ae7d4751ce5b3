"""The bell over RunWisp's API (contract §12, §15)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.asking import new_actor
from tests.factories import make_run, make_task
from tests.listening import listening
from tests.surfaces.runwisp.serving import Place, described, serving

from rota.core.notification import Rules
from rota.core.ulid import to_ulid
from rota.ops.context import Rota
from rota.store import tasks, telling

FIELDS = {
    "id", "kind", "severity", "title", "body", "task_name", "run_id", "fingerprint", "count", "occurrences", "created_at",
    "last_occurred_at",
}  # fmt: skip
UNKNOWN = to_ulid("00000000-0000-7000-8000-000000000000")
BELL = "/api/notifications"


def ring(rota: Rota, name: str, owner_id: str | None = None) -> None:
    """A run of a new task has failed, and the bell tells of it."""
    task = make_task(id=rota.ids.new(), name=name, owner_id=owner_id)
    run = make_run(task, id=rota.ids.new(), state="failed", exit_code=4, ended_at=rota.clock.now())
    rota.database.run(lambda c: tasks.insert_task(c, task))
    rules = Rules(always=("inapp",))
    rota.database.run(lambda c: telling.tell(c, rules, [(run, task)], rota.ids, rota.clock.now()))


async def titles(place: Place, **query: Any) -> list[str]:
    return [item["title"] for item in (await place.get(BELL, **query))["items"]]


def test_failures_of_each_attempt_ring_the_bell_and_are_told_live(tmp_path: Path) -> None:
    async def talk() -> None:
        async with serving(tmp_path, '[tasks.t]\nrun = "exit 4"\nretry_attempts = 1\nretry_delay = "200ms"') as place:
            async with listening(place.app, f"{BELL}/stream") as listener:
                assert (await listener.next()).kind == "ping"  # type: ignore[union-attr]
                await place.run("t")
                second, first = await place.until_runs("t", "failed", "failed")
                told = [event for _ in range(2) if (event := await listener.next())]
                assert [event.kind for event in told] == ["notification.created", "notification.updated"]
                assert [event.data["unread_count"] for event in told] == [1, 1]
                assert [event.data["notification"]["run_id"] for event in told] == [first["id"], second["id"]]
                [line] = (await place.get(BELL))["items"]
                assert line == told[-1].data["notification"]
                assert set(line) == FIELDS
                assert (line["kind"], line["severity"], line["task_name"], line["count"]) == ("run.failed", "error", "t", 2)
                assert (await place.client.post(f"{BELL}/{line['id']}/read")).status_code == 204
                changed = await listener.next()
                assert changed and (changed.kind, changed.data) == ("notifications.unread_count_changed", {"unread_count": 0})
            assert "read_at" in (await place.get(BELL))["items"][0]
            async with listening(place.app, "/api/stream", last_event_id=str(told[0].id)) as listener:
                kinds = ["ping"]
                while kinds[-1] != "notifications.unread_count_changed":
                    event = await listener.next()
                    assert event
                    kinds.append(event.kind)
                assert {"run.failed", "notification.updated"} <= set(kinds)

    asyncio.run(talk())


def test_lines_come_newest_first_page_by_page(rota: Rota, tmp_path: Path) -> None:
    async def talk() -> None:
        async with described(rota, tmp_path) as place:
            for name in ("a", "b", "c"):
                ring(rota, name)
            first = await place.get(BELL, limit=2)
            assert [item["task_name"] for item in first["items"]] == ["c", "b"]
            assert first["next_cursor"] == first["items"][-1]["id"]
            last = await place.get(BELL, limit=2, before=first["next_cursor"])
            assert ([item["task_name"] for item in last["items"]], "next_cursor" in last) == (["a"], False)

    asyncio.run(talk())


def test_lines_are_marked_read_and_unread(rota: Rota, tmp_path: Path) -> None:
    async def talk() -> None:
        async with described(rota, tmp_path) as place:
            ring(rota, "a")
            ring(rota, "b")
            assert await place.get(f"{BELL}/unread-count") == {"count": 2}
            assert (await place.client.post(f"{BELL}/read")).status_code == 204
            assert await place.get(f"{BELL}/unread-count") == {"count": 0}
            [newest, _] = (await place.get(BELL))["items"]
            assert (await place.client.post(f"{BELL}/{newest['id']}/unread")).status_code == 204
            assert await place.get(f"{BELL}/unread-count") == {"count": 1}

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{BELL}/{UNKNOWN}/read", 404),
        ("POST", f"{BELL}/{UNKNOWN}/unread", 404),
        ("POST", f"{BELL}/short/read", 422),
        ("GET", f"{BELL}?limit=0", 422),
        ("GET", f"{BELL}?limit=1001", 422),
        ("GET", f"{BELL}?before=short", 422),
    ],
)
def test_bad_questions_are_refused(rota: Rota, tmp_path: Path, method: str, path: str, status: int) -> None:
    async def talk() -> None:
        async with described(rota, tmp_path) as place:
            reply = await place.client.request(method, path)
            assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")

    asyncio.run(talk())


def test_the_installation_its_members_and_strangers_each_have_their_own_bell(rota: Rota, tmp_path: Path) -> None:
    async def talk() -> None:
        olga, stan = await new_actor(rota, "olga"), await new_actor(rota, "stan")
        ring(rota, "hers", olga.id)
        ring(rota, "ours")
        async with (
            described(rota, tmp_path) as installation,
            described(rota, tmp_path, actor=olga) as owner,
            described(rota, tmp_path, actor=stan) as stranger,
        ):
            seen = [(await place.get(BELL))["items"] for place in (installation, owner, stranger)]
            assert [[item["task_name"] for item in items] for items in seen] == [["ours"], ["hers"], []]
            hers = f"{BELL}/{seen[1][0]['id']}/read"
            assert [(await place.client.post(hers)).status_code for place in (installation, stranger, owner)] == [404, 404, 204]

    asyncio.run(talk())
