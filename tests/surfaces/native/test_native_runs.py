"""GET /v1/runs, and the end of a run."""

import asyncio

from tests.asking import People, asked, new_run, new_task
from tests.factories import at

from rota.ops.context import Rota
from rota.store import admission, runs, settlement
from rota.store.settlement import Settlement


def begin(rota: Rota, run_id: str) -> None:
    rota.database.run(lambda c: admission.claim_direct(c, [run_id], "node", rota.clock.now()))


def end(rota: Rota, run_id: str, state: str = "succeeded") -> None:
    """As the settler does."""
    done = Settlement(run_id=run_id, fence=1, state=state, ended_at=at(5), exit_code=0, error=None, reason=None, output=None)  # type: ignore[arg-type]
    assert rota.database.run(lambda c: settlement.settle(c, [done])) == [run_id]
    run = rota.database.run(lambda c: runs.get_run(c, run_id))
    rota.bus.publish(f"run.{state}", {"run": run})


async def watched(rota: Rota) -> None:
    """Until someone waits for notices."""
    while not rota.bus.is_watched:  # noqa: ASYNC110 - a watcher announces itself to nobody
        await asyncio.sleep(0)


def test_a_list_is_newest_first_and_paged(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner)
        made = [(await new_run(who.owner, task))["id"] for _ in range(5)]
        first = (await who.owner.get("/v1/runs", params={"limit": 3})).json()
        second = (await who.owner.get("/v1/runs", params={"limit": 3, "cursor": first["next_cursor"]})).json()
        assert [run["id"] for run in first["items"] + second["items"]] == made[::-1]
        assert second["next_cursor"] is None

    asked(rota, talk)


def test_a_list_is_filtered_by_task_and_state(rota: Rota) -> None:
    async def talk(who: People) -> None:
        one, other = await new_task(who.owner, name="one"), await new_task(who.owner, name="other")
        first, second = await new_run(who.owner, one), await new_run(who.owner, other)
        await new_run(who.stranger, await new_task(who.stranger, name="one"))
        await who.owner.post(f"/v1/runs/{second['id']}/cancel")

        async def ids(**query: str) -> list[str]:
            return [run["id"] for run in (await who.owner.get("/v1/runs", params=query)).json()["items"]]

        assert await ids(task="one") == await ids(task=one["id"]) == await ids(state="pending") == [first["id"]]
        assert await ids(state="pending,canceled") == [second["id"], first["id"]]
        assert await ids(task="one", state="canceled") == []

    asked(rota, talk)


def test_wrong_filters_are_refused_with_the_nearest_word(rota: Rota) -> None:
    async def talk(who: People) -> None:
        tasks_cursor = "dGFza3M6YWJj"
        for query, location in (
            ("state=runing", "query.state"),
            ("state=", "query.state"),
            ("cursor=%21", "query.cursor"),
            (f"cursor={tasks_cursor}", "query.cursor"),
            ("limit=0", "query.limit"),
            ("limit=ten", "query.limit"),
            ("sate=running", "query.sate"),
            ("limit=5&limit=6", "query.limit"),
        ):
            reply = await who.owner.get(f"/v1/runs?{query}")
            assert (reply.status_code, reply.json()["errors"][0]["location"]) == (422, location), query
        assert (await who.owner.get("/v1/runs?task=nope")).status_code == 404

    asked(rota, talk)


def test_a_waiting_run_is_canceled_at_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        receipt = (await who.owner.post(f"/v1/runs/{run['id']}/cancel")).json()
        assert (receipt["run_id"], receipt["result"]) == (run["id"], "canceled")
        assert receipt["requested_at"] == receipt["ended_at"] == "2026-03-02T12:00:00Z"

    asked(rota, talk)


def test_a_running_run_is_asked_to_end_and_the_receipt_follows_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        begin(rota, run["id"])
        rota.bus.signal("dispatcher").clear()
        receipt = (await who.owner.post(f"/v1/runs/{run['id']}/cancel")).json()
        assert (receipt["result"], receipt["ended_at"]) == ("pending", None)
        assert rota.bus.signal("dispatcher").is_set()
        end(rota, run["id"], "canceled")
        assert (await who.owner.post(f"/v1/runs/{run['id']}/cancel")).json()["result"] == "canceled"

    asked(rota, talk)


def test_a_run_that_ended_before_it_was_asked_finished_first(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        begin(rota, run["id"])
        end(rota, run["id"])
        reply = await who.owner.post(f"/v1/runs/{run['id']}/cancel")
        assert (reply.status_code, reply.json()["result"]) == (200, "finished_first")
        assert reply.json()["ended_at"] == "2026-03-02T12:00:05Z"

    asked(rota, talk)


def test_a_cancel_can_wait_for_the_end(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        begin(rota, run["id"])
        asking = asyncio.create_task(who.owner.post(f"/v1/runs/{run['id']}/cancel?wait=60"))
        await watched(rota)
        end(rota, run["id"], "canceled")
        assert (await asking).json()["result"] == "canceled"

    asked(rota, talk)


def test_the_end_of_a_waiting_run_starts_what_waits_for_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, name="after", schedule={"kind": "event", "topic": "run.canceled.backup"})
        run = await new_run(who.owner, await new_task(who.owner))
        await who.owner.post(f"/v1/runs/{run['id']}/cancel")
        [caused] = (await who.owner.get("/v1/runs?task=after")).json()["items"]
        assert (caused["trigger"], caused["cause_run_id"], caused["depth"]) == ("event", run["id"], 1)
        assert caused["params"]["event"]["payload"]["state"] == "canceled"

    asked(rota, talk)
