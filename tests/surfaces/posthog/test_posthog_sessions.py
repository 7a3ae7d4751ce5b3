"""What runs say by the Tasks API: entries, the whole log, filters, the stream, and commands (contract §8.5)."""

import asyncio
import json
from typing import Any, cast

import pytest
from tests.asking import HandClock
from tests.surfaces.posthog.projects_asking import Client, People, asked
from tests.surfaces.posthog.test_posthog_runs import at, new_run

from rota.core.actor import Actor
from rota.ops import projectlogs
from rota.ops.context import Rota
from rota.ops.projectruns import Place
from rota.store import leases, projects
from rota.surfaces.posthog import sessions


def entry(method: str, at_: str | None = "2026-03-02T12:00:00Z", **params: Any) -> dict[str, Any]:
    stamp = {} if at_ is None else {"timestamp": at_}
    return {"type": "notification", **stamp, "notification": {"jsonrpc": "2.0", "method": method, "params": params}}


def update(kind: str) -> dict[str, Any]:
    return entry("session/update", update={"sessionUpdate": kind})


async def append(who: Client, run: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = await who.post(at(run, "/append_log"), {"entries": list(entries)})
    return told


async def lines(who: Client, run: dict[str, Any]) -> list[Any]:
    reply = await who.ask("GET", at(run, "/logs"))
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/jsonl")
    return [json.loads(line) for line in reply.text.splitlines()]


async def frames(who: Client, run: dict[str, Any], last: str | None = None, **query: str) -> list[tuple[str, str, Any]]:
    """(event, id, data) of a stream that ends."""
    headers = {} if last is None else {"Last-Event-ID": last}
    reply = await who.ask("GET", at(run, "/stream"), params=query, headers=headers)
    assert reply.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in reply.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])))
    return found


def test_entries_come_back_as_they_were_added_but_for_pieces_of_messages(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        assert await lines(who.owner, run) == []
        long = entry("_posthog/console", message="ü" * 300_000)
        told = await append(who.owner, run, entry("a"), update("agent_message_chunk"), update("agent_message"), long)
        assert told["id"] == run["id"]
        odd = {"any": ["thing", None], "of a terminal": "a\0b", "large": 2**80}
        await append(who.owner, run, odd)
        assert await lines(who.owner, run) == [entry("a"), update("agent_message"), long, odd]
        linked = await who.nobody.http.get((await who.owner.get(at(run)))["log_url"])
        assert (linked.status_code, len(linked.text.splitlines())) == (200, 4)

    asked(rota, talk)


@pytest.mark.parametrize("body", [{}, {"entries": []}, {"entries": ["x"]}, {"entries": None}])
def test_what_is_no_list_of_objects_is_refused(rota: Rota, body: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        refused = await who.owner.post(at(run, "/append_log"), body, 400)
        assert refused["attr"].startswith("entries")

    asked(rota, talk)


def test_a_link_to_a_log_is_good_for_its_run_and_its_time_alone(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        first, second = await new_run(who.owner, task), await new_run(who.owner, task)
        url = first["log_url"]
        assert url.split("?")[1].split("&")[0] == second["log_url"].split("?")[1].split("&")[0]
        for wrong in (url.replace(first["id"], second["id"]), url[:-1], url.replace("expires=", "expires=1")):
            assert (await who.nobody.http.get(wrong)).status_code == 404
        assert (await who.nobody.http.get(url)).status_code == 200
        cast("HandClock", who.rota.clock).advance(3700)
        assert (await who.nobody.http.get(url)).status_code == 404

    asked(rota, talk)


def test_the_log_of_a_run_is_behind_those_of_the_runs_it_goes_on_with(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        first = await new_run(who.owner, task)
        second = await new_run(who.owner, task, resume_from_run_id=first["id"])
        await append(who.owner, second, entry("second"))
        await append(who.owner, first, entry("first"))
        assert await lines(who.owner, second) == [entry("first"), entry("second")]
        assert await lines(who.owner, first) == [entry("first")]

    asked(rota, talk)


def test_entries_are_picked_by_time_and_kind_and_counted(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        old, new = "2026-03-02T12:00:00Z", "2026-03-02T12:00:01+00:00"
        await append(who.owner, run, entry("a", old), entry("b", new), entry("c", None), update("agent_message"))

        async def ask(**query: Any) -> tuple[list[Any], tuple[str, ...]]:
            reply = await who.owner.ask("GET", at(run, "/session_logs"), params=query)
            names = ("x-total-count", "x-matching-count", "x-filtered-count", "x-has-more")
            return reply.json(), tuple(reply.headers[name] for name in names)

        assert await ask(after=old) == ([entry("b", new)], ("4", "1", "1", "false"))
        assert (await ask(event_types="a, agent_message"))[0] == [entry("a", old), update("agent_message")]
        assert (await ask(exclude_types="a,b,agent_message"))[0] == [entry("c", None)]
        assert await ask(limit=1, offset=1) == ([entry("b", new)], ("4", "4", "1", "true"))
        for query in ({"limit": "0"}, {"limit": "5001"}, {"offset": "-1"}, {"after": "yesterday"}):
            assert (await who.owner.get(at(run, "/session_logs"), 400, **query))["attr"] == next(iter(query))

    asked(rota, talk)


def test_no_more_entries_are_told_at_once_than_fit_into_memory(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projectlogs, "MOST_SESSION_BYTES", 1000)

    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        large = [{"n": n, "text": "x" * 800} for n in range(5)]
        await append(who.owner, run, *large)
        told: list[dict[str, Any]] = []
        more = "true"
        while more == "true":
            page = await who.owner.ask("GET", at(run, f"/session_logs?offset={len(told)}"))
            assert len(page.json()) == min(2, len(large) - len(told))
            told, more = told + page.json(), page.headers["x-has-more"]
        assert told == large

    asked(rota, talk)


def test_a_stream_tells_states_and_entries_and_ends_with_its_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        following = asyncio.create_task(frames(who.owner, run))
        await append(who.owner, run, entry("a"))
        await who.owner.patch(at(run), {"status": "in_progress"})
        await append(who.owner, run, entry("b"))
        await who.owner.patch(at(run), {"status": "completed", "output": 1})
        found = await following
        assert [data["notification"]["method"] for _, _, data in found if data["type"] == "notification"] == ["a", "b"]
        kind, _, last = found[-1]
        assert (kind, last["type"], last["status"], last["output"]) == ("stream-end", "task_run_state", "completed", 1)
        ids = [int(id_) for _, id_, _ in found]
        assert ids == sorted(ids)

    asked(rota, talk)


def test_an_entry_does_not_tell_the_whole_run_again(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        project = await rota.database.read(lambda c: projects.find_project(c, who.project))
        assert project is not None
        owner = Actor(id=who.users["owner"].id, name="owner", kind="user")
        signs = await projectlogs.follow_run(rota, Place(owner, project, run["task"], run["id"]), 0, 120)
        assert (await anext(signs)).kind == "state"
        for method in ("a", "b"):
            cast("HandClock", rota.clock).advance(1)
            await append(who.owner, run, entry(method))
            assert (await anext(signs)).kind == "entries"
        await who.owner.patch(at(run), {"state": {"step": 1}})
        assert (await anext(signs)).kind == "state"

    asked(rota, talk)


def test_a_stream_goes_on_behind_the_last_event_that_was_heard(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await append(who.owner, run, *(entry(str(number)) for number in range(5)))
        await who.owner.patch(at(run), {"status": "completed"})

        async def told(last: str | None = None, **query: str) -> list[str]:
            return [
                data["notification"]["method"]
                for kind, _, data in await frames(who.owner, run, last, **query)
                if "notification" in data
            ]

        assert await told() == ["0", "1", "2", "3", "4"]
        assert await told("3") == ["3", "4"]
        assert await told("5") == []
        assert await told("what?") == ["0", "1", "2", "3", "4"]
        assert await told(start="latest") == []
        await append(who.owner, run, entry("late"))
        assert await told("5") == ["late"]

    asked(rota, talk)


def test_a_stream_says_that_it_is_open_and_gives_up_a_run_that_nobody_begins(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEEPALIVE_S", 0.02)
    monkeypatch.setattr(sessions, "APPEAR_S", 0.05)

    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        kinds = [kind for kind, _, _ in await frames(who.owner, run)]
        assert kinds[0] == ""
        assert "keepalive" in kinds
        assert kinds[-1] == "error"

    asked(rota, talk)


def test_a_worker_that_waits_for_a_person_may_be_silent_for_longer(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await who.owner.patch(at(run), {"status": "in_progress", "state": {"inactivity_timeout_seconds": 1200}})

        async def lease() -> tuple[float, bool]:
            found = await who.rota.database.read(lambda c: leases.find_lease(c, run["id"]))
            assert found is not None
            return found.silence_s, found.is_idle

        assert await lease() == (600, False)
        await append(who.owner, run, entry("_posthog/turn_complete"))
        assert await lease() == (1200, True)
        told = {"jsonrpc": "2.0", "id": 7, "method": "user_message", "params": {"content": "go on"}}
        assert await who.owner.post(at(run, "/command"), told) == {"jsonrpc": "2.0", "id": 7, "result": {"delivered": True}}
        assert await lease() == (600, False)
        last = (await lines(who.owner, run))[-1]["notification"]
        assert (last["method"], last["params"]) == ("_posthog/user_message", {"sessionId": run["id"], "content": "go on"})

    asked(rota, talk)


def test_a_command_that_nobody_would_hear_is_refused(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        told = {"jsonrpc": "2.0", "id": "a", "method": "close"}
        refused = await who.owner.post(at(run, "/command"), told)
        assert (refused["id"], refused["error"]["code"]) == ("a", -32000)
        assert (await who.owner.post(at(run, "/command"), {**told, "method": "dance"}, 400))["attr"] == "method"
        assert await lines(who.owner, run) == []

    asked(rota, talk)
