"""POST /v1/tasks/{id}/run."""

from typing import Any

import pytest
from tests.asking import SHELL, People, asked, new_run, new_task

from rota.ops.context import Rota

INPUTS = [{"kind": "env", "key": "DEPTH", "type": "number", "default": "1"}, {"kind": "flag", "key": "--dry"}]


def test_a_run_waits_for_the_dispatcher_with_params_over_the_tasks_own(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, params={"a": 1, "b": 2}, policy={"priority": 2})
        run = await new_run(who.owner, task, b=3)
        assert (run["state"], run["trigger"], run["priority"]) == ("pending", "api", 2)
        assert run["params"] == {"a": 1, "b": 3}
        assert (await who.owner.get(f"/v1/runs/{run['id']}")).json() == run

    asked(rota, talk)
    assert rota.bus.signal("dispatcher").is_set()


def test_a_body_is_not_needed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        reply = await who.owner.post("/v1/tasks/backup/run")
        assert reply.status_code == 201
        assert reply.headers["location"] == f"/v1/runs/{reply.json()['id']}"

    asked(rota, talk)


def test_the_operators_runs_come_from_the_command_line(rota: Rota) -> None:
    async def talk(who: People) -> None:
        assert (await new_run(who.operator, await new_task(who.owner)))["trigger"] == "cli"

    asked(rota, talk)


def test_inputs_say_what_a_run_may_be_given(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner, inputs=INPUTS)
        assert (await new_run(who.owner, task, **{"--dry": True}))["params"] == {"DEPTH": "1", "--dry": "true"}
        for params, location in (({"DEPTH": "deep"}, "body.params.DEPTH"), ({"DEPHT": 1}, "body.params.DEPHT")):
            reply = await who.owner.post(f"/v1/tasks/{task['id']}/run", json={"params": params})
            assert (reply.status_code, reply.json()["errors"][0]["location"]) == (422, location)
        assert len((await who.owner.get("/v1/runs")).json()["items"]) == 1

    asked(rota, talk)


@pytest.mark.parametrize(
    ("fields", "path", "status", "word"),
    [
        ({}, "pause", 409, "paused"),
        ({}, "cancel", 409, "canceled"),
        ({"api_trigger": False}, None, 403, "by hand"),
        ({"service": {}}, None, 409, "service"),
    ],
)
def test_what_may_not_be_started_says_why(rota: Rota, fields: dict[str, Any], path: str | None, status: int, word: str) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, **fields)
        if path:
            await who.owner.post(f"/v1/tasks/backup/{path}")
        reply = await who.owner.post("/v1/tasks/backup/run")
        assert reply.status_code == status
        assert word in reply.json()["detail"]
        assert (await who.owner.get("/v1/runs")).json()["items"] == []

    asked(rota, talk)


def test_the_same_idempotency_key_answers_the_same_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        key = {"Idempotency-Key": "k1"}
        first = await who.owner.post("/v1/tasks/backup/run", json={"params": {"a": 1, "b": 2}}, headers=key)
        again = await who.owner.post("/v1/tasks/backup/run", json={"params": {"b": 2, "a": 1}}, headers=key)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert len((await who.owner.get("/v1/runs")).json()["items"]) == 1

    asked(rota, talk)


def test_an_idempotency_key_is_good_for_one_request_of_one_asker(rota: Rota) -> None:
    async def talk(who: People) -> None:
        key = {"Idempotency-Key": "k1"}
        await new_task(who.owner)
        await new_task(who.owner, name="other")
        await new_task(who.stranger)
        await who.owner.post("/v1/tasks/backup/run", headers=key)
        for path, body in (("/v1/tasks/backup/run", {"params": {"a": 1}}), ("/v1/tasks/other/run", {})):
            assert (await who.owner.post(path, json=body, headers=key)).status_code == 409
        assert (await who.stranger.post("/v1/tasks/backup/run", headers=key)).status_code == 201

    asked(rota, talk)


def test_a_replay_is_answered_after_the_task_was_paused(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        first = await who.owner.post("/v1/tasks/backup/run", headers={"Idempotency-Key": "k1"})
        await who.owner.post("/v1/tasks/backup/pause")
        again = await who.owner.post("/v1/tasks/backup/run", headers={"Idempotency-Key": "k1"})
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])

    asked(rota, talk)


def test_a_refused_start_leaves_its_idempotency_key_free(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner)
        await who.owner.post("/v1/tasks/backup/pause")
        assert (await who.owner.post("/v1/tasks/backup/run", headers={"Idempotency-Key": "k1"})).status_code == 409
        await who.owner.post("/v1/tasks/backup/resume")
        assert (await who.owner.post("/v1/tasks/backup/run", headers={"Idempotency-Key": "k1"})).status_code == 201

    asked(rota, talk)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_unusable_idempotency_key_is_refused(rota: Rota, key: str) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, executor=SHELL)
        reply = await who.owner.post("/v1/tasks/backup/run", headers={"Idempotency-Key": key})
        assert (reply.status_code, reply.json()["errors"][0]["location"]) == (422, "header.Idempotency-Key")

    asked(rota, talk)
