"""POST /v1/events and GET /v1/stream."""

import asyncio

import pytest
from tests.asking import People, asked, new_key, new_run, new_task
from tests.listening import listening

from rota.bus import REPLAY
from rota.ops.context import Rota
from rota.surfaces import native

ON_UPLOAD = {"kind": "event", "topic": "upload"}


def test_an_event_starts_every_active_task_on_its_topic(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=ON_UPLOAD, params={"size": 1})
        await new_task(who.owner, name="paused", schedule=ON_UPLOAD)
        await who.owner.post("/v1/tasks/paused/pause")
        await new_task(who.owner, name="elsewhere", schedule={"kind": "event", "topic": "Upload"})
        reply = await who.owner.post("/v1/events", json={"topic": "upload", "payload": {"size": 7}})
        told = reply.json()
        assert (reply.status_code, told["topic"], told["started_total"]) == (202, "upload", 1)
        run = (await who.owner.get(f"/v1/runs/{told['started'][0]}")).json()
        assert (run["trigger"], run["state"]) == ("event", "pending")
        assert run["params"]["size"] == 1
        event = run["params"]["event"]
        assert (event["id"], event["topic"], event["payload"], event["at"]) == (told["id"], "upload", {"size": 7}, told["at"])

    asked(rota, talk)
    assert rota.bus.signal("dispatcher").is_set()


def test_tasks_of_others_start_too_and_are_only_counted(rota: Rota) -> None:
    async def talk(who: People) -> None:
        own = await new_task(who.owner, schedule=ON_UPLOAD)
        await new_task(who.stranger, schedule=ON_UPLOAD)
        told = (await who.owner.post("/v1/events", json={"topic": "upload"})).json()
        assert told["started_total"] == 2
        [run] = (await who.owner.get("/v1/runs")).json()["items"]
        assert (told["started"], run["task_id"]) == ([run["id"]], own["id"])
        assert len((await who.stranger.get("/v1/runs")).json()["items"]) == 1

    asked(rota, talk)


def test_an_event_nobody_waits_for_is_recorded(rota: Rota) -> None:
    async def talk(who: People) -> None:
        told = (await who.owner.post("/v1/events", json={"topic": "quiet", "payload": {"a": [1]}})).json()
        assert (told["started"], told["started_total"]) == ([], 0)
        assert rota.database.run(lambda c: c.row("SELECT id FROM events WHERE topic = 'quiet'")) == (told["id"],)

    asked(rota, talk)


@pytest.mark.parametrize("body", [{}, {"topic": ""}, {"topic": "x" * 101}, {"topic": "t\x00"}, {"topic": "t", "payload": []}])
def test_a_wrong_event_is_refused(rota: Rota, body: dict[str, object]) -> None:
    async def talk(who: People) -> None:
        assert (await who.owner.post("/v1/events", json=body)).status_code == 422

    asked(rota, talk)


def test_the_stream_tells_what_happens_to_ones_own_tasks(rota: Rota) -> None:
    async def talk(who: People) -> None:
        app, key = native.app(rota), await new_key(rota, "nina", "task.shell")
        async with listening(app, "/v1/stream", authorization=f"Bearer {key}") as stream:
            await new_task(who.owner)
            headers = {"Authorization": f"Bearer {key}"}
            task = (
                await who.nobody.post(
                    "/v1/tasks", json={"name": "n", "executor": {"kind": "shell", "script": "x"}}, headers=headers
                )
            ).json()
            run = (await who.nobody.post("/v1/tasks/n/run", headers=headers)).json()
            created, started = await stream.next(), await stream.next()
            assert created is not None and started is not None
            assert (created.kind, created.data["task"]) == ("task.created", task)
            assert (started.kind, started.data["run"]) == ("run.created", run)
        assert not rota.bus.is_watched

    asked(rota, talk)


def test_a_stream_goes_on_behind_the_last_notice_a_client_has(rota: Rota) -> None:
    async def talk(who: People) -> None:
        app = native.control_app(rota)
        async with listening(app, "/v1/stream") as stream:
            task = await new_task(who.owner)
            seen = await stream.next()
        await new_run(who.owner, task)
        await who.owner.post("/v1/tasks/backup/pause")
        assert seen is not None
        async with listening(app, "/v1/stream", last_event_id=seen.id or "") as stream:
            kinds = [heard.kind for heard in [await stream.next() for _ in range(3)] if heard]
            assert kinds == ["run.created", "run.skipped", "task.changed"]

    asked(rota, talk)


@pytest.mark.parametrize("last", ["another-1", "test-0", "nonsense"])
def test_a_gap_is_told(rota: Rota, last: str) -> None:
    for number in range(REPLAY + 1):
        rota.bus.publish("run.created", {"owner_id": None, "number": number})

    async def talk(_who: People) -> None:
        async with listening(native.control_app(rota), "/v1/stream", last_event_id=last) as stream:
            heard = await asyncio.wait_for(stream.next(), 5)
            assert heard is not None
            assert heard.kind == "reset"

    asked(rota, talk)


def test_streams_end_when_the_server_closes(rota: Rota) -> None:
    async def talk(_who: People) -> None:
        async with listening(native.control_app(rota), "/v1/stream") as stream:
            rota.bus.wake("closing")
            assert await asyncio.wait_for(stream.next(), 5) is None

    asked(rota, talk)
