"""Events over Ordinaut's API (contract §3, §6.3)."""

from typing import Any
from uuid import uuid4

import pytest
from tests.surfaces.ordinaut.agents_asking import Agent, People, asked

from rota.ops.context import Rota


def event_of(who: Agent, topic: str = "orders", **fields: Any) -> dict[str, Any]:
    return {"topic": topic, "payload": {"n": 1}, "source_agent_id": who.id, **fields}


def test_an_event_is_kept_in_order_with_an_id_like_that_of_a_stream(rota: Rota) -> None:
    async def talk(who: People) -> None:
        told = [await who.owner.post("/events", event_of(who.owner, payload={"n": n}), 202) for n in range(3)]
        assert [each["success"] for each in told] == [True] * 3
        ids = [each["details"]["stream_id"] for each in told]
        assert ids == sorted(ids, key=lambda each: tuple(map(int, each.split("-"))))
        assert len(set(ids)) == 3
        recent = await who.other.get("/events/stream/recent", count=2)
        assert recent["total_events"] == 2
        newest = recent["events"][0]
        assert newest == {
            "event_id": told[2]["details"]["event_id"], "topic": "orders", "payload": {"n": 2},
            "source_agent_id": who.owner.id, "published_at": told[2]["details"]["published_at"],
            "published_by": "owner", "stream_id": ids[2],
        }  # fmt: skip

    asked(rota, talk)


def test_only_an_admin_speaks_for_others(rota: Rota) -> None:
    async def talk(who: People) -> None:
        assert (await who.other.post("/events", event_of(who.owner), 403))["error"] == "Forbidden"
        await who.admin.post("/events", event_of(who.owner), 202)
        unknown = str(uuid4())
        refused = await who.admin.post("/events", event_of(who.owner, source_agent_id=unknown), 400)
        assert refused["message"] == f"Agent {unknown} not found"

    asked(rota, talk)


@pytest.mark.parametrize(
    "fields", [{"topic": ""}, {"topic": "x" * 101}, {"payload": []}, {"payload": None}, {"source_agent_id": "me"}]
)
def test_what_is_wrong_with_an_event_is_named(rota: Rota, fields: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        refused = await who.owner.post("/events", event_of(who.owner, **fields), 422)
        assert refused["detail"][0]["loc"] == ["body", next(iter(fields))]
        missing = await who.owner.post("/events", {}, 422)
        assert [each["loc"][1] for each in missing["detail"]] == ["topic", "payload", "source_agent_id"]

    asked(rota, talk)


@pytest.mark.parametrize("topic", ["run.failed", "run.succeeded.nightly"])
def test_only_an_admin_may_play_the_end_of_a_run(rota: Rota, topic: str) -> None:
    async def talk(who: People) -> None:
        refused = await who.owner.post("/events", event_of(who.owner, topic), 422)
        assert refused["detail"][0]["loc"] == ["body", "topic"]
        await who.admin.post("/events", event_of(who.owner, topic), 202)
        await who.owner.post("/events", event_of(who.owner, topic.replace("run.", "runs.")), 202)

    asked(rota, talk)


def test_topics_are_those_that_active_tasks_wait_for(rota: Rota) -> None:
    async def talk(who: People) -> None:
        def listening(topic: str | None) -> dict[str, Any]:
            return {"schedule_kind": "event", "schedule_expr": topic}

        first, second = await who.owner.task(**listening("b")), await who.owner.task(**listening("b"))
        paused, theirs = await who.owner.task(**listening("a")), await who.other.task(**listening("c"))
        silent = await who.owner.task(**listening(None))
        assert "no topic" in silent["warnings"][0]
        await who.owner.post(f"/tasks/{paused['id']}/pause")
        told = await who.owner.get("/events/topics")
        assert told == {
            "total_topics": 1, "topics": [{"topic": "b", "active_tasks": 2, "task_ids": [first["id"], second["id"]]}],
        }  # fmt: skip
        everything = await who.admin.get("/topics")
        assert [line["topic"] for line in everything["topics"]] == ["b", "c"]
        assert everything["topics"][1]["task_ids"] == [theirs["id"]]

    asked(rota, talk)


def test_cleanup_tells_what_went(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.owner.post("/events", event_of(who.owner, "old"), 202)
        rota.clock.advance(1)  # type: ignore[attr-defined]
        reply = await who.admin.client.delete("/events/stream/cleanup", params={"max_age_hours": 0})
        details = reply.json()["details"]
        assert (details["deleted_count"], details["max_age_hours"]) == (1, 0)
        assert details["cutoff_timestamp"] == int(rota.clock.now().timestamp() * 1000)
        assert (await who.owner.get("/events/stream/recent"))["events"] == []

    asked(rota, talk)
