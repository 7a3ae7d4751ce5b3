"""Agents: made, read, found, rewritten and removed (contract §6)."""

from pathlib import Path
from typing import Any

import pytest
from tests.surfaces.nla.agents_run import PROMPT, RETURN, People, agent_body, asked, prompt, served

from rota.ops.context import Rota


def test_an_agent_is_made_and_read_by_anyone_with_a_key(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.ann.agent(fields=[{"label": "Prompt"}])
        assert made == {**agent_body(), "fields": [{"label": "Prompt"}]}
        assert await who.bob.get("/agent/movie") == await who.bob.get("/workflow/movie") == made
        assert await who.bob.get("/agent") == [made]

    asked(rota, talk)


def test_what_is_not_given_has_its_default(rota: Rota) -> None:
    async def talk(who: People) -> None:
        body = agent_body(id="plain", workflow=[])
        del body["variables"]
        made = await who.ann.post("/agent", {**body, "unknown": 1})
        assert made == {**body, "variables": {}, "fields": []}

    asked(rota, talk)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "has space"}, "id:"),
        ({"id": "movie\n"}, "id:"),
        ({"id": ""}, "id:"),
        ({"id": "a.b"}, "id:"),
        ({"id": None}, "id:"),
        ({"name": ""}, "name:"),
        ({"name": 7}, "name:"),
        ({"name": "Movie\0"}, "name:"),
        ({"description": ""}, "description:"),
        ({"workflow": None}, "workflow:"),
        ({"workflow": {}}, "workflow:"),
        ({"workflow": [7]}, "workflow.0:"),
        ({"workflow": [{"name": "x"}]}, "workflow.0"),
        ({"workflow": [{"type": "event", "name": "x"}]}, "workflow.0"),
        ({"workflow": [{"type": ["prompt"], "name": "x"}]}, "workflow.0"),
        ({"workflow": [{"type": "return", "output": []}]}, "workflow.0.name:"),
        ({"workflow": [prompt(maxTokens=0)]}, "workflow.0.maxTokens:"),
        ({"workflow": [prompt(temperature="hot")]}, "workflow.0.temperature:"),
        ({"variables": {"n": 1}}, "variables:"),
        ({"variables": []}, "variables:"),
        ({"fields": {}}, "fields:"),
    ],
)
def test_what_cannot_be_used_is_400_and_names_the_field(rota: Rota, change: dict[str, Any], said: str) -> None:
    async def talk(who: People) -> None:
        refused = await who.ann.post("/agent", agent_body(**change), 400)
        assert refused["message"].startswith(said)
        assert await who.ann.get("/agent") == []

    asked(rota, talk)


def test_a_provider_that_is_not_there_is_400(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        refused = await who.ann.post("/agent", agent_body(workflow=[RETURN, prompt(llm="nobody")]), 400)
        assert refused["message"].startswith("workflow.1.llm: ")

    served(tmp_path, talk)


@pytest.mark.parametrize("missing", ["id", "name", "description", "workflow"])
def test_what_is_needed_is_named(rota: Rota, missing: str) -> None:
    async def talk(who: People) -> None:
        body = agent_body()
        del body[missing]
        assert (await who.ann.post("/agent", body, 400))["message"] == f"{missing}: is required"

    asked(rota, talk)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_400(rota: Rota, body: bytes) -> None:
    async def talk(who: People) -> None:
        for path in ("/api/v1/agent", "/api/v1/workflow/movie"):
            reply = await who.ann.client.post(path, content=body, headers={"content-type": "application/json"})
            assert (reply.status_code, list(reply.json())) == (400, ["message"])

    asked(rota, talk)


def test_id_and_name_are_nobody_elses(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        await who.bob.post("/agent", agent_body(name="Other"), 409)
        await who.bob.post("/agent", agent_body(id="other"), 409)
        await who.bob.agent(id="other", name="Other")
        await who.bob.post("/agent/other", agent_body(id="other"), 409)
        assert [each["name"] for each in await who.ann.get("/agent")] == ["Movie Script agent", "Other"]

    asked(rota, talk)


def test_an_update_is_a_full_rewrite_by_anyone(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent(fields=[1])
        body = agent_body(name="Films", workflow=[RETURN])
        del body["variables"], body["id"]
        changed = await who.bob.post("/agent/movie", body)
        assert changed == {**body, "id": "movie", "variables": {}, "fields": []}
        assert await who.ann.get("/agent/movie") == changed
        await who.bob.post("/agent/movie", {**body, "id": "film"}, 400)
        await who.bob.post("/agent/movie", {**body, "name": ""}, 400)
        await who.bob.post("/agent/none", body, 404)
        assert await who.ann.get("/agent/movie") == changed

    asked(rota, talk)


def test_a_search_finds_up_to_five_descriptions_whatever_their_case(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for number in range(7):
            await who.ann.agent(id=f"a{number}", name=f"A {number}", description=f"Makes GIFs, number {number}")
        await who.ann.agent(id="b", name="B", description="Talks")
        assert [each["id"] for each in await who.ann.get("/agent", query="gifs")] == ["a0", "a1", "a2", "a3", "a4"]
        assert [each["id"] for each in await who.ann.get("/agent", query="TALK", page="2")] == ["b"]
        assert await who.ann.get("/agent", query="nothing") == []
        assert len(await who.ann.get("/agent", query="")) == 8

    asked(rota, talk)


def test_a_removed_agent_is_gone_with_its_tasks(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.ann.agent()
        task = await who.bob.run()
        assert await who.bob.delete("/agent/movie") == made
        await who.ann.get("/agent/movie", 404)
        await who.ann.delete("/agent/movie", 404)
        await who.bob.get(f"/task/{task['id']}", 404)
        assert await who.bob.get("/task") == []
        assert await who.ann.agent() == made
        assert await who.bob.get("/task") == []

    asked(rota, talk)


def test_a_node_comes_back_as_it_came_without_what_its_type_does_not_have(rota: Rota) -> None:
    async def talk(who: People) -> None:
        nodes = [prompt(temperature=0.5), {**PROMPT, "position": 3}, {"type": "return", "name": "End", "output": "context"}]
        made = await who.ann.agent(workflow=nodes)
        assert made["workflow"] == [nodes[0], PROMPT, nodes[2]]

    asked(rota, talk)


def test_an_agent_is_a_task_that_everyone_may_start_and_its_author_may_plan(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.ann.agent()
        policy = {"retry": {"attempts": 2}}
        planned = {"schedule": {"kind": "cron", "expr": "0 9 * * *"}, "policy": policy}
        task = (await who.ann.native.patch("/v1/tasks/movie", json=planned)).json()
        assert (task["executor"]["kind"], task["shared"], task["owner_id"]) == ("agent", True, who.ann.id)
        assert (await who.bob.native.get("/v1/tasks/movie")).json()["id"] == task["id"]
        assert (await who.bob.native.patch("/v1/tasks/movie", json=planned)).status_code == 404
        await who.bob.post("/agent/movie", agent_body(description="Other"))
        after = (await who.ann.native.get("/v1/tasks/movie")).json()
        assert (after["description"], after["schedule"]["expr"]) == ("Other", "0 9 * * *")
        assert after["policy"]["retry"]["attempts"] == 2

    asked(rota, talk)
