"""Streams end when those who read them lose the right to: by their key, their session, or the thing itself. Others go on."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.asking import People, asked, make_rota, new_run, new_task
from tests.databases import open_memory
from tests.listening import Listener, listening
from tests.surfaces.posthog import projects_asking

from rota.bus import RIGHTS
from rota.core.actor import OPERATOR
from rota.ops import keys, revision, users
from rota.ops.context import Rota
from rota.store.database import Connection
from rota.surfaces import native, posthog, runwisp
from rota.surfaces.runwisp import auth

SOON_S = 2


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with closing(open_memory()) as database:
        yield make_rota(database, tmp_path)


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


async def new_key(rota: Rota, user: str, **limits: Any) -> keys.NewKey:
    return await keys.add_key(rota, OPERATOR, user, "native", **limits)


def delete(key_id: str, c: Connection) -> None:
    """Behind the back of everything that tells of it."""
    c.run("DELETE FROM credentials WHERE id = ?", (key_id,))


async def ends(stream: Listener) -> None:
    async with asyncio.timeout(SOON_S):
        await stream.ended()


def test_a_stream_ends_with_its_key_and_those_of_other_keys_and_people_go_on(rota: Rota) -> None:
    async def talk(who: People) -> None:
        app = native.app(rota)
        taken, kept, stans, ruths = [await new_key(rota, name) for name in ("olga", "olga", "stan", "ruth")]
        async with (
            listening(app, "/v1/stream", authorization=bearer(taken.secret)) as lost,
            listening(app, "/v1/stream", authorization=bearer(kept.secret)) as other,
            listening(app, "/v1/stream", authorization=bearer(stans.secret)) as stan,
            listening(app, "/v1/stream", authorization=bearer(ruths.secret)) as root,
        ):
            await who.root.delete(f"/v1/keys/{taken.id}")
            await ends(lost)
            await new_task(who.owner, name="olgas")
            await new_task(who.stranger, name="stans")
            heard = [await each.next() for each in (other, stan, root, root)]
        assert [each.data["task"]["name"] for each in heard if each] == ["olgas", "stans", "olgas", "stans"]
        reply = await who.nobody.get("/v1/stream", headers={"Authorization": bearer(taken.secret)})
        assert reply.status_code == 401

    asked(rota, talk)


def test_the_log_of_a_task_that_was_given_away_is_shown_on_to_those_who_may_see_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        app = native.app(rota)
        run = await new_run(who.owner, task := await new_task(who.owner))
        path = f"/v1/runs/{run['id']}/log/stream"
        olgas, ruths = [await new_key(rota, name) for name in ("olga", "ruth")]
        stan = (await who.stranger.get("/v1/info")).json()["actor"]
        stan_id = next(user.id for user in await users.list_users(rota, OPERATOR) if user.name == stan)
        async with (
            listening(app, path, authorization=bearer(olgas.secret)) as olga,
            listening(app, "/v1/stream", authorization=bearer(olgas.secret)) as notices,
            listening(app, path, authorization=bearer(ruths.secret)) as root,
        ):
            await revision.revise_task(rota, OPERATOR, task["id"], {}, owner_id=stan_id)
            await ends(olga)
            await who.root.post(f"/v1/runs/{run['id']}/cancel")
            assert [each.kind for each in await root.all()] == ["done"]
            await new_task(who.owner, name="another")
            heard = await notices.next()
            assert heard is not None
            assert heard.data["task"]["name"] == "another", "the key is good, and so is a stream of what it may see"

    asked(rota, talk)


def test_what_another_server_tells_ends_streams_here_and_so_does_what_was_missed(rota: Rota) -> None:
    def miss(_user_id: str) -> None:
        rota.bus.miss()

    async def talk(who: People) -> None:
        app = native.app(rota)
        for tell in (rota.bus.rights.change, miss):
            key = await new_key(rota, "olga")
            async with listening(app, "/v1/stream", authorization=bearer(key.secret)) as stream:
                await rota.database.write(partial(delete, key.id))
                tell(key.user_id)
                await ends(stream)

    asked(rota, talk)


def test_a_change_while_a_stream_is_opened_is_not_missed(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is good when it is looked at, and no more when the stream begins."""

    async def talk(who: People) -> None:
        key = await new_key(rota, "olga")
        enter = rota.bus.watch

        def revoke_and_enter(after_id: str | None = None) -> Any:
            rota.database.run(partial(delete, key.id))
            rota.bus.tell_rights(key.user_id)
            return enter(after_id)

        monkeypatch.setattr(rota.bus, "watch", revoke_and_enter)
        async with listening(native.app(rota), "/v1/stream", authorization=bearer(key.secret)) as stream:
            await ends(stream)

    asked(rota, talk)


def test_a_stream_that_nobody_loses_asks_nothing_of_the_database(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(who: People) -> None:
        key, other = await new_key(rota, "olga"), await new_key(rota, "stan")
        async with listening(native.app(rota), "/v1/stream", authorization=bearer(key.secret)) as stream:
            await keys.revoke_key(rota, OPERATOR, other.id)
            reads: list[object] = []
            monkeypatch.setattr(type(rota.database), "read", lambda _self, work: reads.append(work))
            for _ in range(20):
                await asyncio.sleep(0)
            assert reads == []
            monkeypatch.undo()
            await new_task(who.owner)
            assert await stream.next() is not None

    asked(rota, talk)


def test_who_leaves_is_forgotten(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = await new_key(rota, "olga")
        async with listening(native.app(rota), "/v1/stream", authorization=bearer(key.secret)):
            assert list(rota.bus.rights._followers) == [key.user_id]
        assert not rota.bus.rights._followers

    asked(rota, talk)


def test_the_other_servers_are_told(rota: Rota) -> None:
    told: list[tuple[str, dict[str, Any]]] = []

    class Outward:
        def wake(self, name: str) -> None:
            """Nothing."""

        def publish(self, kind: str, data: dict[str, Any]) -> None:
            told.append((kind, data))

    async def talk(who: People) -> None:
        key = await new_key(rota, "olga")
        rota.bus.outward = Outward()
        await keys.revoke_key(rota, OPERATOR, key.id)
        await keys.revoke_key(rota, OPERATOR, key.id)
        assert told == [(RIGHTS, {"actor_id": key.user_id})]

    asked(rota, talk)


@pytest.mark.parametrize("path", ["/api/stream", "/api/runs/stream", "/api/notifications/stream", "/api/daemon/log-stream"])
def test_a_session_that_was_ended_ends_its_streams_and_no_other_does(rota: Rota, path: str) -> None:
    async def talk() -> None:
        app = runwisp.app(rota)
        first, second = [(await auth.tokens_of(rota)).issue("runwisp", auth.SESSION_S) for _ in range(2)]
        async with (
            listening(app, path, authorization=bearer(first)) as lost,
            listening(app, path, authorization=bearer(second)) as other,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:9477") as client,
        ):
            await client.post("/api/auth/logout", headers={"Authorization": bearer(first)})
            await ends(lost)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await other.ended()

    asyncio.run(talk())


def test_the_stream_of_a_projects_run_ends_with_its_key(rota: Rota) -> None:
    async def talk(who: projects_asking.People) -> None:
        task = await who.owner.task(description="x")
        run = (await who.owner.post(f"/tasks/{task['id']}/run"))["latest_run"]
        made = [await keys.add_key(rota, OPERATOR, name, "posthog") for name in ("owner", "owner")]
        path = f"{who.owner.base}/tasks/{task['id']}/runs/{run['id']}/stream"
        async with (
            listening(posthog.app(rota), path, authorization=bearer(made[0].secret)) as lost,
            listening(posthog.app(rota), path, authorization=bearer(made[1].secret)) as other,
        ):
            await keys.revoke_key(rota, OPERATOR, made[0].id)
            await ends(lost)
            await who.owner.patch(f"/tasks/{task['id']}/runs/{run['id']}", {"status": "completed"})
            await other.ended()

    projects_asking.asked(rota, talk)
