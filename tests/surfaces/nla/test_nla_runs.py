"""Chains at work: logs, output, ends, deletion, and who is told (contract §4 to §7, §11)."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.outgoing.test_address import LOOPBACK
from tests.receivers import Answering, Receiver, answer, hang, receiving, reset, trickle
from tests.surfaces.nla.agents_run import RETURN, People, agent_body, prompt, served, until

from rota.core.actor import OPERATOR
from rota.core.delivery import Delivery
from rota.core.task import TaskSpec
from rota.core.work import Shell
from rota.ops import runlogs, starts, tasks
from rota.ops.deliveries import list_deliveries
from rota.store import runsecrets

MCP = {"type": "mcp", "name": "Tools", "user": "{prompt}", "apikey": "{key}", "maxSteps": 2, "output": "context"}
SLOW = prompt(model="delay:30", name="Slow")


async def until_told(receiver: Receiver, count: int = 1, status: str | None = None) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        while True:
            bodies = [msgspec.json.decode(each.body) for each in receiver.received]
            if len(bodies) >= count and (status is None or bodies[-1]["status"] == status):
                return bodies
            await asyncio.sleep(0.005)


def test_a_later_node_sees_what_an_earlier_one_said(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        nodes = [
            prompt(user="A {genre} film: {prompt}"),
            prompt(name="Script", user="<{context}> {{as written}}"),
            RETURN,
            prompt(name="Never"),
        ]
        await who.ann.agent(variables={"key": "k", "prompt": "x", "genre": "scifi"}, workflow=nodes)
        task = await who.ann.until(await who.ann.run(prompt="robots"), "complete")
        assert task["output"] == {"context": "<A scifi film: robots> {as written}"}
        assert task["logs"] == [
            "Synopsis: Running", "Response: A scifi film: robots", "Script: Running",
            "Response: <A scifi film: robots> {as written}", "Return: Running",
        ]  # fmt: skip
        other = await who.bob.until(await who.bob.run(), "complete")
        assert other["output"] == {"context": "<A scifi film: x> {as written}"}
        assert await who.bob.get("/task") == [other]

    served(tmp_path, talk)


@pytest.mark.parametrize(
    ("nodes", "status", "output"),
    [
        ([], "complete", {}),
        ([prompt()], "complete", {}),
        ([prompt(), {"type": "return", "name": "End", "output": "context"}], "complete", {"context": "hello"}),
        ([prompt(), {**RETURN, "output": ["context", "key"]}], "complete", {"context": "hello", "key": "k"}),
        ([prompt(), {"type": "return", "name": "End", "output": ["nothing"]}], "error", {}),
        ([prompt(apikey="fail"), RETURN], "error", {}),
        ([prompt(user="{unknown}"), RETURN], "error", {}),
        ([prompt(user="a { b"), RETURN], "error", {}),
        ([{**MCP, "config": {}}, RETURN], "error", {}),
        ([{**MCP, "config": {"url": "http://127.0.0.1:9/mcp", "transport": "sse"}}, RETURN], "error", {}),
    ],
)  # fmt: skip
def test_chains_end_as_the_contract_says(tmp_path: Path, nodes: list[Any], status: str, output: dict[str, str]) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=nodes)
        task = await who.ann.until(await who.ann.run(), status)
        assert task["output"] == output
        assert ("Return: Running" in task["logs"]) == (status == "complete" and "Return" in [node["name"] for node in nodes])
        assert (status == "error") == any(line.startswith("Error: ") for line in task["logs"])

    served(tmp_path, talk)


def test_logs_only_grow(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        nodes = [prompt(name=f"N{number}", model="delay:0.02") for number in range(5)]
        await who.ann.agent(workflow=[*nodes, RETURN])
        task, seen = await who.ann.run(), list[list[str]]()
        async with asyncio.timeout(5):
            while task["status"] == "running":
                task = await who.ann.get(f"/task/{task['id']}")
                seen.append(task["logs"])
        assert all(later[: len(earlier)] == earlier for earlier, later in itertools.pairwise(seen))
        assert [line for line in task["logs"] if line.endswith(": Running")] == [
            *(f"N{n}: Running" for n in range(5)),
            "Return: Running",
        ]

    served(tmp_path, talk)


def test_callbacks_come_in_order_and_end_with_the_end(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        nodes = [prompt(name=f"N{number}", model="delay:0.05") for number in range(3)]
        await who.ann.agent(workflow=[*nodes, RETURN])
        async with receiving() as receiver:
            task = await who.ann.until(await who.ann.run(callback=f"{receiver.url}/hook?a=b"), "complete")
            bodies = await until_told(receiver, 3, "complete")
        assert bodies[-1] == task
        lengths = [len(body["logs"]) for body in bodies]
        assert lengths == sorted(lengths)
        assert [body["status"] for body in bodies[:-1]] == ["running"] * (len(bodies) - 1)
        head = receiver.received[-1]
        assert (head.path, head.headers["content-type"]) == ("/hook?a=b", "application/json")
        assert not [name for name in head.headers if name.startswith("webhook-")]

    served(tmp_path, talk)


def test_an_error_is_told_too(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[prompt(apikey="fail"), RETURN])
        async with receiving() as receiver:
            task = await who.ann.until(await who.ann.run(callback=receiver.url), "error")
            assert (await until_told(receiver, 1, "error"))[-1] == task

    served(tmp_path, talk)


@pytest.mark.parametrize("bad", [answer(500), answer(410), answer(302, Location="http://127.0.0.1:9/"), reset, hang])
def test_a_bad_receiver_changes_nothing(tmp_path: Path, bad: Answering) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        async with receiving(bad) as receiver:
            await who.ann.until(await who.ann.run(callback=receiver.url), "complete")
            await until_told(receiver)
        await who.ann.until(await who.ann.run(callback="http://127.0.0.1:9/"), "complete")

    served(tmp_path, talk)


def test_no_spelling_of_this_machine_is_called_where_that_is_denied(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[])
        async with receiving() as receiver:
            urls = [f"http://{host}:{receiver.port}/hook" for host in LOOPBACK]
            started = [await who.ann.client.post("/api/v1/workflow/movie", json={"input": {}, "callback": url}) for url in urls]
            taken = [reply.json() for reply in started if reply.status_code == 201]
            assert {reply.status_code for reply in started} <= {201, 400}
            assert len(taken) > 30
            for task in taken:
                await who.ann.until(task, "complete")
            deliveries = await until_settled(who, len(taken))
            assert receiver.received == []
        assert {each.status for each in deliveries} == {"failed"}
        assert {each.attempts for each in deliveries} == {1}

    served(tmp_path, talk, "[outgoing]\nprivate = 'deny'\n")


async def until_settled(who: People, count: int) -> list[Delivery]:
    async with asyncio.timeout(5):
        while True:
            found = await list_deliveries(who.rota, OPERATOR, limit=1000)
            if len(found) == count and all(each.ended_at for each in found):
                return found
            await asyncio.sleep(0.01)


def test_a_deleted_running_task_is_abandoned_and_nobody_is_told_any_more(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[SLOW, RETURN])
        async with receiving() as receiver:
            task = await who.ann.run(callback=receiver.url)
            await until_told(receiver)
            await who.ann.until_it(task, lambda found: bool(found["logs"]))
            gone = await who.ann.delete(f"/task/{task['id']}")
            told = len(receiver.received)
            assert (await who.ann.native.get("/v1/runs?state=running,pending")).json()["items"] == []
            assert (gone["status"], gone["logs"], gone["callback"]) == ("running", ["Slow: Running"], receiver.url)
            await until_idle(who)
            assert len(receiver.received) == told
        assert await who.ann.get("/task") == []

    served(tmp_path, talk)


def test_a_removed_agent_takes_running_tasks_with_it(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[SLOW, RETURN])
        async with receiving() as receiver:
            task = await who.bob.run(callback=receiver.url)
            await until_told(receiver)
            await who.ann.delete("/agent/movie")
            told = len(receiver.received)
            await who.bob.get(f"/task/{task['id']}", 404)
            await until_idle(who)
            assert len(receiver.received) == told

    served(tmp_path, talk)


def test_a_callback_that_is_being_sent_is_recalled(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[SLOW, RETURN])
        async with receiving(trickle) as receiver:
            task = await who.ann.run(callback=receiver.url)
            await until_told(receiver)
            assert receiver.open_now == 1
            await who.ann.delete(f"/task/{task['id']}")
            await until(lambda: receiver.open_now == 0)

    served(tmp_path, talk)


def test_a_running_task_keeps_the_chain_it_was_started_with(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        nodes = [prompt(model="delay:0.3", user="first"), prompt(name="Second", user="{context}, old"), RETURN]
        await who.ann.agent(workflow=nodes)
        task = await who.ann.run()
        await who.ann.until_it(task, lambda found: bool(found["logs"]))
        await who.ann.post("/agent/movie", agent_body(name="New", workflow=[prompt(user="new"), RETURN]))
        old, new = await who.ann.until(task, "complete"), await who.ann.until(await who.ann.run(), "complete")
        assert (old["name"], old["output"]) == ("Movie Script agent", {"context": "first, old"})
        assert (new["name"], new["output"]) == ("New", {"context": "new"})

    served(tmp_path, talk)


def test_words_are_told_before_their_line_has_ended(tmp_path: Path) -> None:
    """Of any run whose log is followed that way; what models say is written like that."""

    async def talk(who: People) -> None:
        go = tmp_path / "go"
        script = f"printf Once; until test -e {go}; do sleep 0.01; done; echo ' upon'; printf '!'"
        spec = TaskSpec(name="teller", executor=Shell(script=script))
        await tasks.create_task(who.rota, OPERATOR, spec)
        run = (await starts.start_task(who.rota, OPERATOR, "teller", {})).run
        said = list[str]()
        async for part in await runlogs.follow_log(who.rota, OPERATOR, run.id, from_line=0, with_words=True):
            said += [part.text] if isinstance(part, runlogs.Words) else [f"{line.text}." for line in part.lines]
            go.touch()
        assert said[:2] == ["Once", "Once upon."]
        assert said[-1] in ("!.", "")
        assert said.count("!.") == 1

    served(tmp_path, talk)


def test_runs_of_an_agent_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[SLOW])
        tasks = [await who.ann.run() for _ in range(5)]
        for task in tasks:
            await who.ann.until_it(task, lambda found: found["logs"] == ["Slow: Running"])

    served(tmp_path, talk)


def test_an_agent_is_limited_and_planned_like_any_task(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(workflow=[SLOW])
        limits = {"policy": {"max_concurrent": 1, "queue_max": 0, "timeout_s": 0.2}, "schedule": {"kind": "event", "topic": "go"}}
        assert (await who.ann.native.patch("/v1/tasks/movie", json=limits)).status_code == 200
        first = await who.bob.run()
        await who.bob.until_it(first, lambda found: bool(found["logs"]))
        await who.bob.until(await who.bob.run(), "error")
        await who.bob.until(first, "error")
        run = (await who.bob.native.get(f"/v1/runs/{first['id'][:14]}7{first['id'][15:]}")).json()
        assert (run["state"], run["reason"]) == ("timed_out", None)
        assert (await who.ann.native.post("/v1/events", json={"topic": "go"})).status_code == 202
        planned = [task for task in await who.ann.get("/task") if task["userId"] == who.ann.id]
        assert [task["agentId"] for task in planned] == ["movie"]

    served(tmp_path, talk)


async def until_idle(who: People) -> None:
    """Until nothing of the engine works any more and everything was told."""
    await until(lambda: who.rota.vitals.running == 0)
    passed = who.rota.bus.next_pass("notifier")
    who.rota.bus.wake("notifier")
    await passed.wait()


def test_keys_of_providers_that_come_with_a_run_are_kept_apart_until_it_has_ended(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        nodes = [prompt(apikey="{echoKey}", user="{prompt} {echoKey}"), RETURN]
        await who.ann.agent(variables={"echoKey": "", "prompt": "x"}, workflow=nodes)
        refused = await who.ann.until(await who.ann.run(echoKey="fail"), "error")  # as the provider does that is given this key
        assert refused["output"] == {}
        task = await who.ann.until(await who.ann.run(echoKey="sk-of-ann-123", prompt="hello"), "complete")
        assert task["output"] == {"context": "hello [redacted]"}
        shown = (await who.ann.native.get("/v1/runs")).json()["items"][0]
        assert shown["params"] == {"echoKey": "[redacted]", "prompt": "hello"}
        kept = await who.rota.database.read(lambda c: c.rows("SELECT params, output, error FROM runs"))
        assert "sk-of-ann-123" not in str(kept)
        await who.rota.database.write(runsecrets.forget_ended)
        assert await who.rota.database.read(lambda c: c.rows("SELECT * FROM run_secrets")) == []

    served(tmp_path, talk)
