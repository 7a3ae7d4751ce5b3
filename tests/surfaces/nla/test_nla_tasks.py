"""Tasks while nothing works on them: what is there at once, whose it is, and how it goes (contract §4, §5)."""

import re
from datetime import datetime

from tests.statements import overheard
from tests.surfaces.nla.agents_run import People, agent_body, asked

from rota.ops.context import Rota

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def test_a_run_is_answered_at_once_and_there_at_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        for callback, shown in ((None, None), ("", None), ("https://a.example/h?x=1", "https://a.example/h?x=1")):
            task = await who.ann.run(callback=callback)
            assert re.fullmatch(UUID4, task["id"])
            assert task == {
                "id": task["id"], "name": "Movie Script agent", "agentId": "movie", "userId": who.ann.id, "logs": [],
                "output": {}, "createdAt": "2026-03-02T12:00:00.000Z", "status": "running", "callback": shown,
            }  # fmt: skip
            assert await who.ann.get(f"/task/{task['id']}") == task
            assert (await who.ann.get("/task", page="7"))[0] == task
        assert datetime.fromisoformat(task["createdAt"]) == rota.clock.now()
        await who.ann.post("/workflow/none", {"input": {}}, 404)

    asked(rota, talk)


def test_null_is_no_callback(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        assert (await who.ann.post("/workflow/movie", {"input": {}, "callback": None}))["callback"] is None

    asked(rota, talk)


def test_ids_are_read_to_the_letter(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        task_id = (await who.ann.run())["id"]
        run_id = task_id[:14] + "7" + task_id[15:]
        for other in (run_id, task_id.upper(), task_id.replace("-", ""), f"{{{task_id}}}", "x", "%00"):
            await who.ann.get(f"/task/{other}", 404)
            await who.ann.delete(f"/task/{other}", 404)
        assert len(await who.ann.get("/task")) == 1

    asked(rota, talk)


def test_tasks_are_those_of_whoever_started_them_newest_first(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        anns = [(await who.ann.run())["id"] for _ in range(3)]
        bobs = (await who.bob.run())["id"]
        assert [task["id"] for task in await who.ann.get("/task")] == anns[::-1]
        assert [task["id"] for task in await who.bob.get("/task")] == [bobs]
        await who.bob.get(f"/task/{anns[0]}", 404)
        await who.bob.delete(f"/task/{anns[0]}", 404)
        assert (await who.ann.get(f"/task/{anns[0]}"))["userId"] == who.ann.id

    asked(rota, talk)


def test_a_long_list_takes_hardly_more_queries_than_a_short_one(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()

        async def count() -> int:
            with overheard(rota.database) as said:
                await who.ann.get("/task")
            return len([statement for statement in said if statement.lstrip().startswith(("SELECT", "WITH"))])

        await who.ann.run()
        short = await count()
        for number in range(63):
            await who.ann.post("/agent/movie", agent_body(description=f"Number {number}"))
            await who.ann.run()
        assert len(await who.ann.get("/task")) == 64
        assert await count() <= 3 * (short + 1)  # tables of values come in pieces, one more is for documents that were changed

    asked(rota, talk)


def test_a_task_is_a_run_of_the_native_api_for_whoever_started_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        task_id = (await who.bob.run(prompt="x"))["id"]
        run_id = task_id[:14] + "7" + task_id[15:]
        for path in ("/v1/runs", "/v1/runs?task=movie", "/v1/runs?task=movie&state=pending", "/v1/runs?state=pending"):
            assert [run["id"] for run in (await who.bob.native.get(path)).json()["items"]] == [run_id]
            assert (await who.ann.native.get(path)).json()["items"] == []
        assert (await who.bob.native.get(f"/v1/runs/{run_id}")).json()["params"] == {"prompt": "x"}
        assert (await who.bob.native.get(f"/v1/runs/{run_id}/log")).status_code == 200
        for path in (f"/v1/runs/{run_id}", f"/v1/runs/{run_id}/log", f"/v1/runs/{run_id}/steps"):
            assert (await who.ann.native.get(path)).status_code == 404
        assert (await who.ann.native.post(f"/v1/runs/{run_id}/cancel")).status_code == 404
        assert (await who.bob.native.post(f"/v1/runs/{run_id}/cancel")).status_code == 200
        assert (await who.bob.get(f"/task/{task_id}"))["status"] == "error"
        started = await who.bob.native.post("/v1/tasks/movie/run", json={})
        assert started.status_code == 201
        assert [task["id"][:14] for task in await who.bob.get("/task")] == [started.json()["id"][:14], run_id[:14]]

    asked(rota, talk)


def test_a_deleted_task_is_gone_and_answered_as_it_was(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        task = await who.ann.run(callback="http://127.0.0.1:9/")
        assert await who.ann.delete(f"/task/{task['id']}") == task
        await who.ann.delete(f"/task/{task['id']}", 404)
        await who.ann.get(f"/task/{task['id']}", 404)
        assert await who.ann.get("/task") == []
        assert (await who.ann.native.get("/v1/runs")).json()["items"] == []

    asked(rota, talk)


def test_a_task_keeps_the_name_that_its_agent_had(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        first = await who.ann.run()
        await who.ann.post("/agent/movie", agent_body(name="Second"))
        second = await who.ann.run()
        await who.ann.post("/agent/movie", agent_body(name="Third"))
        assert [task["name"] for task in await who.ann.get("/task")] == ["Second", "Movie Script agent"]
        assert (await who.ann.get(f"/task/{first['id']}"))["name"] == "Movie Script agent"
        assert (await who.ann.delete(f"/task/{second['id']}"))["name"] == "Second"

    asked(rota, talk)


def test_input_changes_nothing_but_this_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.ann.agent()
        await who.ann.post("/workflow/movie", {"input": {"prompt": "other", "new": {"a": [1]}}})
        assert await who.ann.get("/agent/movie") == made

    asked(rota, talk)
