"""Workers from outside by the native API: they take runs, keep them, and tell what they came to."""

from typing import Any

import httpx
from tests.asking import People as Askers
from tests.asking import asked, new_run, new_task

from rota.ops.context import Rota
from rota.store import leases

OUTSIDE = {"kind": "outside", "lease_s": 60}


async def offered(rota: Rota, who: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """A run as it is once the dispatcher has looked at it."""
    run = await new_run(who, await new_task(who, executor=OUTSIDE, **fields))
    assert await rota.database.write(lambda c: leases.offer(c, run["id"]))
    return run


async def ask(who: httpx.AsyncClient, run: dict[str, Any], what: str, status: int = 200, **body: Any) -> Any:
    reply = await who.post(f"/v1/runs/{run['id']}/{what}", json=body)
    assert reply.status_code == status, reply.text
    return reply.json()


def test_a_worker_takes_a_run_keeps_it_and_finishes_it(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        run = await offered(rota, who.owner)
        hold = await ask(who.owner, run, "take")
        assert (hold["run_id"], hold["fence"], hold["stop"]) == (run["id"], 1, None)
        await ask(who.owner, run, "take", 409)
        renewed = await ask(who.owner, run, "renew", fence=1, lines=["half of it"])
        assert renewed["until_at"] == "2026-03-02T12:01:00Z"
        log = (await who.owner.get(f"/v1/runs/{run['id']}/log")).json()
        assert [line["text"] for line in log["lines"]] == ["half of it"]
        await ask(who.owner, run, "finish", 409, fence=2, state="succeeded")
        done = await ask(who.owner, run, "finish", fence=1, state="succeeded", output={"n": 1})
        assert (done["state"], done["output"]) == ("succeeded", {"n": 1})
        await ask(who.owner, run, "renew", 409, fence=1)

    asked(rota, talk)


def test_a_worker_hears_that_its_run_is_to_end(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        run = await offered(rota, who.owner)
        await ask(who.owner, run, "take")
        await who.owner.post(f"/v1/runs/{run['id']}/cancel")
        assert (await ask(who.owner, run, "renew", fence=1))["stop"] == "cancel"
        assert (await ask(who.owner, run, "finish", fence=1, state="canceled"))["state"] == "canceled"
        receipt = (await who.owner.post(f"/v1/runs/{run['id']}/cancel")).json()
        assert (receipt["result"], receipt["delivered_at"] is not None) == ("canceled", True)

    asked(rota, talk)


def test_a_failed_attempt_is_tried_again_as_the_policy_says(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        run = await offered(rota, who.owner, policy={"retry": {"attempts": 1, "delay_s": 5}})
        await ask(who.owner, run, "take")
        assert (await ask(who.owner, run, "finish", fence=1, state="failed", error="no"))["state"] == "pending"
        attempts = (await who.owner.get(f"/v1/runs/{run['id']}/attempts")).json()["items"]
        assert [(each["state"], each["error"]) for each in attempts] == [("failed", "no")]

    asked(rota, talk)


def test_only_who_may_see_a_run_may_take_it_and_no_service_is_worked_on_outside(rota: Rota) -> None:
    async def talk(who: Askers) -> None:
        run = await offered(rota, who.owner)
        for what, body in (("take", {}), ("renew", {"fence": 1}), ("finish", {"fence": 1, "state": "failed"})):
            await ask(who.stranger, run, what, 404, **body)
        task = {"name": "s", "executor": OUTSIDE, "service": {}}
        assert (await who.owner.post("/v1/tasks", json=task)).status_code == 422
        project = {"name": "p", "executor": {"kind": "project", "project_id": 1}}
        assert (await who.owner.post("/v1/tasks", json=project)).status_code == 403

    asked(rota, talk)
