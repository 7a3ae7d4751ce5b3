"""An assistant does real work over streamable HTTP, through a real listener."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.surfaces.mcp.speaking import PIPELINE, Assistant, over_http, served, until

pytestmark = pytest.mark.e2e


async def carried_out(assistant: Assistant, task: str, **params: Any) -> dict[str, Any]:
    """A run that has ended."""
    started = await assistant.ask("run_task", task=task, params=params)
    waited = await assistant.ask("wait_run", run_id=started["run"]["id"], wait_s=20)
    assert waited["ended"]
    run: dict[str, Any] = waited["run"]
    return run


def test_a_pipeline_is_made_previewed_run_and_read_by_a_client_of_the_older_revisions(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as place, over_http(place.url, await place.key("olga"), "legacy") as assistant:
            task = await assistant.ask("create_task", name="greet", executor=PIPELINE, params={"name": "Ada"})
            assert task["document"] == {
                "name": "greet", "executor": PIPELINE, "params": {"name": "Ada"}, "policy": {"exit_codes": [0]},
            }  # fmt: skip
            preview = await assistant.ask("preview_task", task="greet", params={"name": "Bob"})
            say, tell = preview["steps"]
            assert (say["with"], say["runs"]) == ({"greeting": "hello Bob"}, True)
            assert (tell["with"], tell["waits_for"]) == ({"message": "${steps.said.greeting}"}, ["said"])
            run = await carried_out(assistant, task["id"])
            assert (run["state"], run["output"]["steps"]["said"]) == ("succeeded", {"greeting": "hello Ada"})
            log = await assistant.ask("read_log", run_id=run["id"])
            assert any("hello Ada" in line["text"] for line in log["lines"])
            assert log["finalized"]

    asyncio.run(work())


def test_a_script_is_run_once_for_one_key_watched_and_ended(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as place, over_http(place.url, await place.key("olga", "task.shell")) as assistant:
            shell = {"kind": "shell", "script": "echo $WORD; exit 3"}
            await assistant.ask("create_task", name="fails", executor=shell | {"env": {"WORD": "oh"}})
            first = await assistant.ask("run_task", task="fails", idempotency_key="k1")
            again = await assistant.ask("run_task", task="fails", idempotency_key="k1")
            assert (again["run"]["id"], first["replayed"], again["replayed"]) == (first["run"]["id"], False, True)
            other = await assistant.refused("run_task", task="fails", params={"x": 1}, idempotency_key="k1")
            assert other["code"] == "conflict"
            run = (await assistant.ask("wait_run", run_id=first["run"]["id"]))["run"]
            assert (run["state"], run["exit_code"]) == ("failed", 3)
            assert [line["text"] for line in (await assistant.ask("read_log", run_id=run["id"]))["lines"]] == ["oh"]
            assert [each["id"] for each in (await assistant.ask("list_runs", task="fails", states=["failed"]))["items"]] == [
                run["id"]
            ]

            await assistant.ask("create_task", name="sleeps", executor={"kind": "shell", "script": "sleep 60"})
            asleep = (await assistant.ask("run_task", task="sleeps"))["run"]["id"]
            assert not (await assistant.ask("wait_run", run_id=asleep, wait_s=0))["ended"]
            assert (await assistant.ask("cancel_run", run_id=asleep))["result"] == "canceled"
            assert (await assistant.ask("get_run", run_id=asleep))["state"] == "canceled"

    asyncio.run(work())


def test_an_event_starts_the_tasks_that_wait_for_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with served(tmp_path) as place, over_http(place.url, await place.key("olga")) as assistant:
            steps = [{"uses": "debug.echo", "with": {"order": "${event.payload.order}"}, "save_as": "heard"}]
            schedule = {"kind": "event", "topic": "orders.paid"}
            await assistant.ask("create_task", name="thank", executor={"kind": "pipeline", "steps": steps}, schedule=schedule)
            event = await assistant.ask("publish_event", topic="orders.paid", payload={"order": "A7"})
            [run_id] = event["started"]
            run = (await assistant.ask("wait_run", run_id=run_id))["run"]
            assert run["output"]["steps"] == {"heard": {"order": "A7"}}

    asyncio.run(work())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_end_of_the_server_answers_who_waits_and_leaves_nothing(tmp_path: Path, mode: str) -> None:
    async def work() -> None:
        answered = asyncio.Queue[Any]()

        async def wait(url: str, key: str, started: asyncio.Event) -> None:
            async with over_http(url, key, mode) as assistant:
                await assistant.ask("create_task", name="sleeps", executor={"kind": "shell", "script": "sleep 60"})
                run_id = (await assistant.ask("run_task", task="sleeps"))["run"]["id"]
                started.set()
                await answered.put(await assistant.ask("wait_run", run_id=run_id, wait_s=50))

        async with served(tmp_path) as place:
            started = asyncio.Event()
            waiting = asyncio.create_task(wait(place.url, await place.key("olga", "task.shell"), started))
            await started.wait()
            await until(lambda: place.rota.bus.is_watched)
        assert not (await answered.get())["ended"]
        await asyncio.wait([waiting])
        assert "mcp" not in [task.get_name() for task in asyncio.all_tasks()]

    asyncio.run(work())
