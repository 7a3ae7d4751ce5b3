"""Tasks: their fields and rules, titles, numbers, archive, deletion (contract §5, §6)."""

from typing import Any
from uuid import uuid4

import pytest
from tests.surfaces.posthog.projects_asking import People, asked

from rota.core.run import Run
from rota.core.work import Project
from rota.ops import starts, tasks
from rota.ops.context import Rota
from rota.store import runs

LINKS = "SELECT report_id, relationship FROM report_links WHERE task_id = ?"
KEYS = {
    "id", "task_number", "slug", "title", "title_manually_set", "description", "origin_product", "repository",
    "github_integration", "github_user_integration", "signal_report", "json_schema", "internal", "archived", "archived_at",
    "latest_run", "created_at", "updated_at", "created_by", "ci_prompt",
}  # fmt: skip


def test_an_empty_body_makes_a_task_with_every_field(rota: Rota) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.ask("POST", "/tasks")
        assert reply.status_code == 201
        made = reply.json()
        assert set(made) == KEYS
        assert (made["task_number"], made["slug"], made["title"], made["title_manually_set"]) == (0, "DEF-0", "", False)
        assert (made["origin_product"], made["internal"], made["archived"], made["archived_at"]) == (
            "user_created", False, False, None,
        )  # fmt: skip
        assert made["created_at"] == made["updated_at"] == rota.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        owner = who.users["owner"]
        assert made["created_by"] == {
            "id": owner.number, "uuid": owner.id, "distinct_id": owner.id, "first_name": "owner", "last_name": "",
            "email": "owner@example.org", "is_email_verified": None, "hedgehog_config": None, "role_at_organization": None,
        }  # fmt: skip
        assert await who.owner.get(f"/tasks/{made['id']}") == made
        assert made["latest_run"] is None

    asked(rota, talk)


@pytest.mark.parametrize(
    ("given", "title", "is_set"),
    [
        ({"description": "Fix login\nredirect"}, "Fix login", False),
        ({"description": "  \n  Fix it  "}, "Fix it", False),
        ({"description": "x" * 61}, "x" * 57 + "...", False),
        ({"description": "x" * 60}, "x" * 60, False),
        ({"title": "   ", "description": "Fix"}, "Fix", False),
        ({"title": " Mine ", "description": "Fix"}, "Mine", True),
        ({"title": "", "description": "  "}, "", False),
        ({"title": "Mine", "title_manually_set": False}, "Mine", False),
        ({"description": "Fix", "title_manually_set": True}, "Fix", True),
    ],
)
def test_titles_are_generated_unless_they_are_given(rota: Rota, given: dict[str, Any], title: str, is_set: bool) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(**given)
        assert (made["title"], made["title_manually_set"]) == (title, is_set)

    asked(rota, talk)


def test_a_changed_title_sets_the_flag_and_a_changed_description_leaves_the_title(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(description="First")
        at = f"/tasks/{made['id']}"
        changed = await who.owner.patch(at, {"description": "Second"})
        assert (changed["title"], changed["title_manually_set"], changed["description"]) == ("First", False, "Second")
        changed = await who.owner.patch(at, {"title": "Mine"})
        assert (changed["title"], changed["title_manually_set"]) == ("Mine", True)
        changed = await who.owner.patch(at, {"title": "Theirs", "title_manually_set": False})
        assert (changed["title"], changed["title_manually_set"]) == ("Theirs", False)

    asked(rota, talk)


def test_numbers_count_in_each_project_and_are_never_given_twice(rota: Rota) -> None:
    async def talk(who: People) -> None:
        first, second = await who.owner.task(), await who.member.task()
        assert [first["slug"], second["slug"]] == ["DEF-0", "DEF-1"]
        await who.owner.delete(f"/tasks/{first['id']}")
        assert (await who.owner.task())["task_number"] == 2
        elsewhere = await who.owner.post(f"/api/projects/{who.other}/tasks", {}, 201)
        assert elsewhere["slug"] == "OTH-0"

    asked(rota, talk)


def test_archiving_is_stamped_on_the_change_alone(rota: Rota) -> None:
    async def talk(who: People) -> None:
        at = f"/tasks/{(await who.owner.task())['id']}"
        first = await who.owner.patch(at, {"archived": True})
        assert first["archived"] is True and first["archived_at"] == first["updated_at"]
        who.rota.clock.advance(60)  # type: ignore[attr-defined]
        again = await who.owner.patch(at, {"archived": True})
        assert again["archived_at"] == first["archived_at"] != again["updated_at"]
        assert (await who.owner.patch(at, {"title": "x"}))["archived_at"] == first["archived_at"]
        back = await who.owner.patch(at, {"archived": False})
        assert (back["archived"], back["archived_at"]) == (False, None)
        assert (await who.owner.task(archived=True))["archived_at"] is not None

    asked(rota, talk)


def test_a_deleted_task_is_gone_for_good_and_its_runs_are_cancelled(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(title="Gone")
        at = f"/tasks/{made['id']}"
        run = (await starts.start_task(rota, who.users["owner"].actor, made["id"], {})).run
        assert (await who.owner.get(at))["latest_run"]["status"] == "queued"
        await who.owner.delete(at)
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            reply = await who.owner.ask(method, at, {} if method[0] == "P" else None)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert await who.owner.titles() == []
        after: Run = await rota.database.read(lambda c: runs.get_run(c, run.id))
        assert after.state in ("stopped", "canceled", "skipped")

    asked(rota, talk)


def test_a_change_leaves_alone_what_it_does_not_name_and_what_never_changes(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(title="T", repository="Acme/Web", ci_prompt="mend", github_integration=7)
        assert made["repository"] == "acme/web"
        ignored = {"origin_product": "nonsense", "signal_report": 5, "signal_report_task_relationship": None, "id": "x", "x": 1}
        rota.clock.advance(1)  # type: ignore[attr-defined]
        after = await who.owner.patch(f"/tasks/{made['id']}", ignored)
        assert {**after, "updated_at": None} == {**made, "updated_at": None}
        assert after["updated_at"] > made["updated_at"]
        cleared = await who.owner.patch(
            f"/tasks/{made['id']}", {"repository": None, "ci_prompt": None, "github_integration": None}
        )
        assert (cleared["repository"], cleared["ci_prompt"], cleared["github_integration"]) == (None, None, None)
        assert (await who.owner.patch(f"/tasks/{made['id']}", {"repository": ""}))["repository"] == ""
        put = await who.owner.ask("PUT", f"/tasks/{made['id']}/", {"description": "as PATCH"})
        assert (put.status_code, put.json()["title"]) == (200, "T")

    asked(rota, talk)


@pytest.mark.parametrize(
    ("given", "code", "attr"),
    [
        ({"title": "x" * 256}, "max_length", "title"),
        ({"title": None}, "null", "title"),
        ({"title": ["x"]}, "invalid_input", "title"),
        ({"description": "x" * (1024 * 1024 + 1)}, "max_length", "description"),
        ({"origin_product": "foo"}, "invalid_choice", "origin_product"),
        ({"repository": "web"}, "invalid_input", "repository"),
        ({"repository": "a/b/c"}, "invalid_input", "repository"),
        ({"repository": "/b"}, "invalid_input", "repository"),
        ({"repository": "a/" + "b" * 254}, "max_length", "repository"),
        ({"github_integration": "x"}, "invalid_input", "github_integration"),
        ({"github_integration": 2**63}, "invalid_input", "github_integration"),
        ({"github_user_integration": "x"}, "invalid_input", "github_user_integration"),
        ({"signal_report": "x"}, "invalid_input", "signal_report"),
        ({"internal": "perhaps"}, "invalid_input", "internal"),
        ({"archived": None}, "null", "archived"),
        ({"title": "a\x00b"}, "null_characters_not_allowed", "title"),
        ({"json_schema": 5}, "invalid_input", "json_schema"),
        ({"json_schema": "{}"}, "invalid_input", "json_schema"),
        ({"json_schema": {"type": "nonsense"}}, "invalid_input", "json_schema"),
        ({"json_schema": {"$ref": "https://example.org/s.json"}}, "invalid_input", "json_schema"),
        ({"json_schema": {"properties": {"a": {"$ref": "other.json#/x"}}}}, "invalid_input", "json_schema"),
        ({"json_schema": {"description": "x" * 65536}}, "invalid_input", "json_schema"),
        ({"signal_report_task_relationship": "implementation"}, "invalid_input", "signal_report_task_relationship"),
        ({"signal_report_task_relationship": "No"}, "invalid_input", "signal_report_task_relationship"),
        (
            {"signal_report_task_relationship": "scout", "signal_report": str(uuid4()), "origin_product": "signal_report"},
            "invalid_input", "signal_report_task_relationship",
        ),
        (
            {"origin_product": "signal_report", "github_user_integration": str(uuid4())},
            "invalid_input", "github_user_integration",
        ),
        ([], "invalid_input", None),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_the_frameworks_shape(rota: Rota, given: Any, code: str, attr: str | None) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.ask("POST", "/tasks", given)
        told = reply.json()
        assert (reply.status_code, told["type"], told["code"], told["attr"]) == (400, "validation_error", code, attr)
        assert told["detail"] and set(told) == {"type", "code", "detail", "attr"}
        assert (await who.owner.get("/tasks"))["count"] == 0
        assert (await who.owner.task())["task_number"] == 0

    asked(rota, talk)


@pytest.mark.parametrize("schema", [True, {}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {}}}])
def test_a_schema_is_kept_as_it_was_given(rota: Rota, schema: Any) -> None:
    async def talk(who: People) -> None:
        assert (await who.owner.task(json_schema=schema))["json_schema"] == schema

    asked(rota, talk)


def test_a_task_of_a_report_is_linked_to_it_and_seen_by_the_project(rota: Rota) -> None:
    async def talk(who: People) -> None:
        report = str(uuid4())
        made = await who.owner.task(origin_product="signal_report", signal_report=report, title="R")
        other = await who.owner.task(
            origin_product="signal_report", signal_report=report, signal_report_task_relationship="follow-up"
        )
        links = await rota.database.read(lambda c: [c.rows(LINKS, (task["id"],)) for task in (made, other)])
        assert links == [[(report, "implementation")], [(report, "follow-up")]]
        assert (await who.member.get(f"/tasks/{made['id']}"))["signal_report"] == report
        await who.stranger.get(f"/tasks/{made['id']}", 403)

    asked(rota, talk)


def test_the_native_api_and_the_engine_know_the_same_task(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(title="Mine")
        task = await tasks.get_task(rota, who.users["owner"].actor, made["id"])
        assert (task.name, task.spec.executor) == (f"posthog-{who.project}-0", Project(project_id=who.project))
        await tasks.delete_task(rota, who.users["owner"].actor, made["id"])
        await who.owner.get(f"/tasks/{made['id']}", 404)

    asked(rota, talk)
