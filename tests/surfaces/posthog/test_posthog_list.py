"""The list of tasks: what it holds, how it is filtered, its pages (contract §7, §2)."""

import asyncio
from typing import Any

import pytest
from tests.statements import overheard
from tests.surfaces.posthog.projects_asking import Client, People, asked

from rota.core.run import Run
from rota.ops import starts
from rota.ops.context import Rota
from rota.store.connection import Connection


async def run_of(who: People, task: dict[str, Any], status: str = "queued", stage: str | None = None) -> Run:
    """A run of the owner's, that is said to stand so."""
    run = (await starts.start_task(who.rota, who.users["owner"].actor, task["id"], {})).run

    def write(c: Connection) -> None:
        values = (run.id, run.task_id, "cloud", status, stage, "{}", 0, run.fence)
        c.run(
            "INSERT INTO project_runs (run_id, task_id, environment, status, stage, state, updated_at, status_fence) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    await who.rota.database.write(write)
    return run


def test_archived_and_internal_tasks_are_left_out_unless_asked_for(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.owner.task(title="plain")
        await who.owner.task(title="old", archived=True)
        await who.owner.task(title="inner", internal=True)
        assert await who.owner.titles() == ["plain"]
        assert await who.owner.titles(archived="false") == ["plain"]
        assert await who.owner.titles(archived="true") == ["old"]
        assert await who.owner.titles(archived="all") == ["old", "plain"]
        assert await who.owner.titles(internal="true") == ["plain"]
        bad = await who.owner.get("/tasks", 400, archived="perhaps")
        assert bad == {
            "type": "validation_error", "code": "invalid_choice", "attr": "archived",
            "detail": '"perhaps" is not a valid choice.',
        }  # fmt: skip

    asked(rota, talk)


def test_internal_tasks_are_listed_to_staff_alone(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.staff.task(title="plain")
        await who.staff.task(title="inner", internal=True)
        for word in ("true", "T", "1", "on", "Yes"):
            assert await who.staff.titles(internal=word) == ["inner"]
        assert await who.staff.titles(internal="0") == ["plain"]
        assert (await who.staff.get("/tasks", 400, internal="x"))["attr"] == "internal"

    asked(rota, talk)


def test_users_see_their_own_tasks_and_those_that_are_the_projects(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.owner.task(title="owner's")
        await who.member.task(title="member's")
        await who.member.task(title="report's", origin_product="signal_report")
        assert await who.owner.titles() == ["report's", "owner's"]
        assert await who.member.titles() == ["report's", "member's"]
        number = who.users["member"].number
        assert await who.owner.titles(created_by=number) == ["report's"]
        assert await who.owner.titles(created_by=10**9) == []
        assert (await who.owner.get("/tasks", 400, created_by="me"))["attr"] == "created_by"

    asked(rota, talk)


def test_repositories_and_origins_are_compared_without_regard_to_case(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await who.owner.task(title="a", repository="Acme/Web")
        await who.owner.task(title="b", repository="acme-two/web")
        await who.owner.task(title="c", repository="acme/api", origin_product="slack")
        await who.owner.task(title="d")
        assert await who.owner.titles(organization="ACME") == ["c", "a"]
        assert await who.owner.titles(organization="acm%") == []
        assert await who.owner.titles(repository="acme/WEB") == ["a"]
        assert await who.owner.titles(repository="Web") == ["b", "a"]
        assert await who.owner.titles(repository="eb") == []
        assert await who.owner.titles(origin_product="slack") == ["c"]
        assert await who.owner.titles(origin_product="nonsense") == []
        assert await who.owner.titles(organization="acme", repository="api") == ["c"]
        for name in ("organization", "repository", "origin_product", "stage"):
            assert len(await who.owner.titles(**{name: ""})) == 4
            blank = await who.owner.get("/tasks", 400, **{name: "  "})
            assert (blank["code"], blank["attr"]) == ("blank", name)
        assert (await who.owner.get("/tasks/repositories"))["repositories"] == ["acme-two/web", "acme/api", "acme/web"]
        assert (await who.member.get("/tasks/repositories"))["repositories"] == []

    asked(rota, talk)


def test_a_search_finds_texts_and_numbers(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for number in range(12):
            await who.owner.task(title=f"t{number}")
        await who.owner.task(title="Überprüfung", description="100% of it_all")
        assert await who.owner.titles(search=" ÜBERPRÜFUNG ") == ["Überprüfung"]
        assert await who.owner.titles(search="0% OF") == ["Überprüfung"]
        assert await who.owner.titles(search="t_a") == ["Überprüfung"]
        assert await who.owner.titles(search="12") == ["Überprüfung"]
        assert await who.owner.titles(search="ANY-12") == ["Überprüfung"]
        assert await who.owner.titles(search="DEF-3") == ["t3"]
        assert await who.owner.titles(search="%") == ["Überprüfung"]
        assert await who.owner.titles(search="-") == []
        assert await who.owner.titles(search="x" * 50_000) == []
        assert len(await who.owner.titles(search="  ")) == 13

    asked(rota, talk)


def test_a_status_is_that_of_the_latest_run_and_a_stage_that_of_any(rota: Rota) -> None:
    async def talk(who: People) -> None:
        none, one, two = [await who.owner.task(title=title) for title in ("none", "one", "two")]
        await run_of(who, one, "in_progress", "plan")
        await run_of(who, two, "in_progress", "plan")
        await run_of(who, two, "not_started", "build")
        await run_of(who, two, "queued", "build")
        assert none["latest_run"] is None
        assert await who.owner.titles(status="in_progress") == ["one"]
        assert await who.owner.titles(status="queued") == ["two"]
        assert await who.owner.titles(status="completed") == []
        assert await who.owner.titles(stage="plan") == ["two", "one"]
        assert await who.owner.titles(stage="build") == ["two"]
        assert await who.owner.titles(stage="plan", status="queued") == ["two"]
        assert await who.owner.titles(stage="other") == []
        bad = await who.owner.get("/tasks", 400, status="done")
        assert (bad["code"], bad["attr"]) == ("invalid_choice", "status")
        assert len(await who.owner.titles(status="")) == 3

    asked(rota, talk)


def test_pages_have_absolute_links_that_keep_the_query(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for number in range(5):
            await who.owner.task(title=f"t{number}")
        first = await who.owner.get("/tasks", limit=2, archived="all")
        base = f"http://localhost:8000/api/projects/{who.project}/tasks"
        assert first["count"] == 5
        assert first["previous"] is None
        assert first["next"] == f"{base}?archived=all&limit=2&offset=2"
        titles, link, last = [], first["next"], first
        while link:
            titles += [task["title"] for task in last["results"]]
            last = (await who.owner.http.get(link)).json()
            link = last["next"]
        assert [*titles, *[task["title"] for task in last["results"]]] == ["t4", "t3", "t2", "t1", "t0"]
        assert last["previous"] == f"{base}?archived=all&limit=2&offset=2"
        second = await who.owner.get("/tasks/", limit=2, offset=2)
        assert second["previous"] == f"{base}/?limit=2"
        past = await who.owner.get("/tasks", offset=50)
        assert (past["count"], past["results"], past["next"]) == (5, [], None)

    asked(rota, talk)


@pytest.mark.parametrize(("limit", "shown"), [("1", 1), ("0", 50), ("-1", 50), ("x", 50), ("", 50), ("100", 100), ("1000", 100)])
def test_a_limit_that_makes_no_sense_is_the_usual_one(rota: Rota, limit: str, shown: int) -> None:
    async def talk(who: People) -> None:
        await many(who.owner, 101)
        page = await who.owner.get("/tasks", limit=limit, offset="x")
        assert len(page["results"]) == shown
        assert page["count"] == 101

    asked(rota, talk)


def test_summaries_tell_of_those_that_are_asked_for_and_seen(rota: Rota) -> None:
    async def talk(who: People) -> None:
        one = await who.owner.task(title="one", repository="a/b", archived=True, internal=True)
        two = await who.owner.task(title="two")
        other = await who.member.task(title="other")
        await run_of(who, two, "in_progress")
        ids = [one["id"], two["id"], other["id"], "00000000-0000-4000-8000-000000000000"]
        page = await who.owner.post("/tasks/summaries", {"ids": ids})
        assert page["count"] == 2
        assert page["results"] == [
            {
                "id": two["id"], "title": "two", "repository": None, "created_at": two["created_at"],
                "updated_at": two["updated_at"], "origin_product": "user_created",
                "latest_run": {"status": "in_progress", "environment": "cloud"},
            },
            {
                "id": one["id"], "title": "one", "repository": "a/b", "created_at": one["created_at"],
                "updated_at": one["updated_at"], "origin_product": "user_created", "latest_run": None,
            },
        ]  # fmt: skip
        assert (await who.owner.post("/tasks/summaries", {"ids": []}, 400))["attr"] == "ids"
        assert (await who.owner.post("/tasks/summaries", {"ids": ["x"]}, 400))["attr"] == "ids__0"
        assert (await who.owner.post("/tasks/summaries", {"ids": [one["id"]] * 5001}, 400))["code"] == "max_length"

    asked(rota, talk)


def test_a_list_asks_the_database_as_often_for_many_tasks_as_for_one(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for task in await many(who.owner, 70):
            await run_of(who, task, "in_progress", "plan")
        one = await statements(who, limit=1)
        # Rows of a page are fetched in batches, whose sizes are powers of two.
        assert await statements(who, limit=64) == one
        assert await statements(who, limit=64, status="in_progress", stage="plan", search="t", organization="") == one

    asked(rota, talk)


async def many(who: Client, count: int) -> list[dict[str, Any]]:
    return list(await asyncio.gather(*(who.task(title=f"t{number}") for number in range(count))))


async def statements(who: People, **query: Any) -> int:
    """How many statements a list takes."""
    with overheard(who.rota.database) as said:
        await who.owner.get("/tasks", **query)
    return sum(statement.lstrip().startswith(("SELECT", "WITH")) for statement in said)
