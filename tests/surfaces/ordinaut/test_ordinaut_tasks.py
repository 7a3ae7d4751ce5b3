"""Tasks over Ordinaut's API: every field, filter and action (contract §3, §4, §6.5, §9, §11)."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.surfaces.ordinaut.agents_asking import ECHO, People, asked, served, task_body

from rota.core.actor import OPERATOR
from rota.core.run import Trigger
from rota.ops.context import Rota
from rota.ops.tasks import get_task, update_task
from rota.store import runs, tasks
from rota.store.runs import NewRun

LONG = "x" * 2001


def test_a_task_is_answered_whole_with_every_default(rota: Rota) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.client.post("/tasks", json=task_body(unknown="ignored"))
        task = reply.json()
        assert (reply.status_code, reply.headers["location"]) == (201, f"/tasks/{task['id']}")
        defaults = {
            "timezone": "UTC", "created_by": who.owner.id, "priority": 5, "max_retries": 3,
            "backoff_strategy": "exponential_jitter", "dedupe_key": None, "dedupe_window_seconds": 0,
            "concurrency_key": None, "status": "active", "warnings": [],
        }  # fmt: skip
        assert task | defaults | task_body(payload=task["payload"]) == task
        assert task["payload"]["pipeline"] == ECHO["pipeline"]
        assert task["created_at"].endswith("Z") and "." in task["created_at"]

    asked(rota, talk)


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_both_spellings_are_served_and_none_redirects(rota: Rota, prefix: str, slash: str) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.post(f"{prefix}/tasks{slash}", task_body(), 201)
        for path in ("/tasks", f"/tasks/{task['id']}", "/runs", "/events/topics", "/topics", "/stats/summary",
                     "/stream/recent", f"/task/{task['id']}/latest", f"/task/{task['id']}/stats"):  # fmt: skip
            assert (await who.owner.client.get(f"{prefix}{path}{slash}")).status_code == 200
        await who.owner.post(f"{prefix}/tasks/{task['id']}/pause{slash}")
        assert (await who.admin.client.delete(f"{prefix}/stream/cleanup{slash}")).status_code == 200
        assert (await who.admin.client.get(f"{prefix}/agents{slash}")).status_code == 200

    asked(rota, talk)


PIPELINE = ["body", "payload", "pipeline"]
EXPR = ["body", "schedule_expr"]
WRONG: list[tuple[dict[str, Any], list[Any], str]] = [
    ({"title": ""}, ["body", "title"], "string_too_short"),
    ({"title": "x" * 201}, ["body", "title"], "string_too_long"),
    ({"description": LONG}, ["body", "description"], "string_too_long"),
    ({"schedule_kind": "often"}, ["body", "schedule_kind"], "enum"),
    ({"schedule_expr": "not a cron"}, EXPR, "value_error"),
    ({"schedule_expr": None}, ["body", "schedule_expr"], "missing"),
    ({"schedule_expr": "0 0 9 * * 1-5"}, EXPR, "value_error"),
    ({"schedule_kind": "rrule", "schedule_expr": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, EXPR, "value_error"),
    ({"schedule_kind": "once", "schedule_expr": "2020-01-01T00:00:00Z"}, EXPR, "value_error"),
    ({"schedule_kind": "once", "schedule_expr": "soon"}, EXPR, "value_error"),
    ({"timezone": "Foo/Bar"}, ["body", "timezone"], "value_error"),
    ({"schedule_kind": "event", "schedule_expr": "t", "timezone": "Foo/Bar"}, ["body", "timezone"], "value_error"),
    ({"payload": {}}, [*PIPELINE], "missing"),
    ({"payload": {"pipeline": {}}}, [*PIPELINE], "array_type"),
    ({"payload": {"pipeline": ["x"]}}, [*PIPELINE, 0], "object_type"),
    ({"payload": {"pipeline": [{"id": "a"}]}}, [*PIPELINE, 0, "uses"], "missing"),
    ({"payload": {"pipeline": [{"uses": "no.such"}]}}, [*PIPELINE, 0, "uses"], "value_error"),
    ({"payload": {"pipeline": [{"uses": "noop", "with": {"a": "${steps.x.y}"}}]}}, [*PIPELINE, 0, "with", "a"], "value_error"),
    ({"payload": {"pipeline": [{"uses": "noop", "if": "a =="}]}}, [*PIPELINE, 0, "if"], "value_error"),
    ({"payload": {"pipeline": [{"uses": "noop"}, {"uses": "noop", "id": "step_0"}]}}, [*PIPELINE, 1, "id"], "value_error"),
    ({"payload": {"pipeline": [{"uses": "noop", "max_retries": 11}]}}, [*PIPELINE, 0, "max_retries"], "less_than_equal"),
    ({"payload": {"pipeline": [], "params": 3}}, ["body", "payload", "params"], "object_type"),
    ({"created_by": "me"}, ["body", "created_by"], "uuid_parsing"),
    ({"priority": 10}, ["body", "priority"], "less_than_equal"),
    ({"priority": 0}, ["body", "priority"], "greater_than_equal"),
    ({"max_retries": 11}, ["body", "max_retries"], "less_than_equal"),
    ({"backoff_strategy": "never"}, ["body", "backoff_strategy"], "enum"),
    ({"dedupe_key": "x" * 101}, ["body", "dedupe_key"], "string_too_long"),
    ({"dedupe_window_seconds": -1}, ["body", "dedupe_window_seconds"], "greater_than_equal"),
    ({"concurrency_key": "x" * 101}, ["body", "concurrency_key"], "string_too_long"),
]  # fmt: skip


def test_what_is_wrong_is_named_on_create_and_on_change(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        for fields, loc, kind in WRONG:
            refused = await who.owner.post("/tasks", task_body(**fields), 422)
            named = (refused["error"], refused["detail"][0]["loc"], refused["detail"][0]["type"])
            assert named == ("ValidationError", loc, kind), fields
            assert refused["details"]["field"] == ".".join(map(str, loc[1:]))
            changed = await who.owner.put(f"/tasks/{task['id']}", fields, 422)
            assert changed["detail"][0]["loc"] == loc
        after = await who.owner.get(f"/tasks/{task['id']}")
        assert {name: after[name] for name in task} == task
        assert (await who.owner.get("/tasks"))["total"] == 1

    asked(rota, talk)


def test_all_that_is_wrong_is_told_at_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        body = {"title": "", "schedule_kind": "cron", "priority": 99, "payload": {"pipeline": [{}]}}
        refused = await who.owner.post("/tasks", body, 422)
        places = ["title", "description", "priority", "payload.pipeline.0.uses", "schedule_expr"]
        assert [".".join(map(str, each["loc"][1:])) for each in refused["detail"]] == places
        body = task_body(schedule_expr="x", payload={"pipeline": [{"uses": 1}, {}]})
        refused = await who.owner.post("/tasks", body, 422)
        assert [each["loc"][1:] for each in refused["detail"]] == [
            ["payload", "pipeline", 0, "uses"], ["payload", "pipeline", 1, "uses"], ["schedule_expr"],
        ]  # fmt: skip

    asked(rota, talk)


AS_SENT: list[dict[str, Any]] = [
    {"pipeline": []},
    {"params": None, "pipeline": [], "note": "for whoever reads it"},
    {"pipeline": [{"uses": "debug.echo", "with": {}, "max_retries": 0, "timeout_seconds": 30, "color": "red"}]},
]


@pytest.mark.parametrize("payload", AS_SENT)
def test_a_payload_comes_back_as_it_was_sent(rota: Rota, payload: dict[str, Any]) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.post("/tasks", task_body(payload=payload), 201)
        assert task["payload"] == payload
        changed = await who.owner.put(f"/tasks/{task['id']}", {"title": "another"})
        assert changed["payload"] == payload
        sent = {**payload, "params": {"a": 1}}
        assert (await who.owner.put(f"/tasks/{task['id']}", {"payload": sent}))["payload"] == sent
        assert (await who.owner.get(f"/tasks/{task['id']}"))["payload"] == sent
        assert [each["payload"] for each in (await who.owner.get("/tasks"))["items"]] == [sent]

    asked(rota, talk)


def test_a_payload_that_was_changed_elsewhere_is_shown_as_it_is_now(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.post("/tasks", task_body(payload={"pipeline": [], "note": "old"}), 201)
        await update_task(rota, OPERATOR, task["id"], {"executor": {"kind": "pipeline", "steps": [{"uses": "noop"}]}})
        shown = (await who.owner.get(f"/tasks/{task['id']}"))["payload"]
        assert shown == {"params": {}, "pipeline": [{"uses": "noop"}]}

    asked(rota, talk)


def test_refusals_have_one_shape(rota: Rota) -> None:
    async def talk(who: People) -> None:
        json = {"Content-Type": "application/json"}
        ask = who.owner.client
        replies = {
            (404, "NotFound"): await ask.get(f"/tasks/{uuid4()}"),
            (422, "ValidationError"): await ask.get("/tasks/not-a-uuid"),
            (405, "MethodNotAllowed"): await ask.patch(f"/tasks/{uuid4()}"),
            (413, "PayloadTooLarge"): await ask.post("/tasks", content=b"x" * (10 * 1024 * 1024 + 1), headers=json),
            (415, "UnsupportedMediaType"): await ask.post("/tasks", content=b"<a/>", headers={"Content-Type": "text/xml"}),
        }
        for (status, name), reply in replies.items():
            told = reply.json()
            assert (reply.status_code, told["error"]) == (status, name)
            assert {"error", "message", "details", "request_id", "timestamp", "detail"} == set(told)
            assert told["request_id"] == reply.headers["x-request-id"]
            assert set(reply.headers) > {"x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy"}
            assert "content-security-policy" in reply.headers
        broken = (await ask.post("/tasks", content=b"{", headers=json)).json()
        assert broken["detail"][0]["type"] == "json_invalid"
        assert (await ask.get("/tasks/not-a-uuid")).json()["detail"][0]["loc"] == ["path", "task_id"]
        assert (await ask.get("/nowhere")).json()["detail"] == (await ask.get("/nowhere")).json()["message"]

    asked(rota, talk)


def test_pages_and_filters(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = [await who.owner.task(title=f"T{n}") for n in range(3)]
        event = await who.owner.task(schedule_kind="event", schedule_expr="orders")
        await who.owner.post(f"/tasks/{made[0]['id']}/pause")
        page = await who.owner.get("/tasks", limit=2, offset=1)
        assert [task["id"] for task in page.pop("items")] == [made[2]["id"], made[1]["id"]]
        assert page == {"total": 4, "limit": 2, "offset": 1, "has_more": True}
        assert [task["id"] for task in (await who.owner.get("/tasks", status="paused"))["items"]] == [made[0]["id"]]
        assert [task["id"] for task in (await who.owner.get("/tasks", schedule_kind="event"))["items"]] == [event["id"]]
        assert (await who.owner.get("/tasks", status="active", schedule_kind="cron"))["total"] == 2
        for wrong in ({"status": "x"}, {"schedule_kind": "x"}, {"limit": 201}, {"limit": 0}, {"offset": -1}, {"created_by": "x"}):
            reply = await who.owner.client.get("/tasks", params=wrong)
            assert (reply.status_code, reply.json()["detail"][0]["loc"]) == (422, ["query", next(iter(wrong))])

    asked(rota, talk)


def test_only_what_is_given_changes(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(dedupe_key="d", concurrency_key="c", max_retries=1)
        path = f"/tasks/{task['id']}"
        changes: list[dict[str, Any]] = [
            {"title": "Other"}, {"description": "Else"}, {"priority": 1}, {"max_retries": 7}, {"backoff_strategy": "fixed"},
            {"dedupe_key": None, "dedupe_window_seconds": 60}, {"concurrency_key": None}, {"timezone": "America/New_York"},
            {"schedule_expr": "0 10 * * *"}, {"schedule_kind": "rrule", "schedule_expr": "FREQ=DAILY;BYHOUR=9"},
            {"payload": {"params": {"a": 1}, "pipeline": [{"uses": "noop", "if": "params.a > `0`", "max_retries": 2}]}}, {},
        ]  # fmt: skip
        for change in changes:
            changed = await who.owner.put(path, change)
            same = {"updated_at", "next_run_at"}
            expected = {**task, **change}
            assert {key: value for key, value in changed.items() if key not in same} == {
                key: value for key, value in expected.items() if key not in same
            }
            task = changed
        assert task["next_run_at"] != (await who.owner.task())["next_run_at"]
        for name in ("title", "payload", "priority", "schedule_kind", "status"):
            assert (await who.owner.put(path, {name: None}, 422))["detail"][0]["loc"] == ["body", name]

    asked(rota, talk)


def test_pause_resume_and_cancel(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        path = f"/tasks/{task['id']}"
        await who.owner.post(f"{path}/run_now")
        paused = await who.owner.post(f"{path}/pause")
        assert paused == {
            "success": True, "message": "Task paused",
            "details": {"task_id": task["id"], "old_status": "active", "new_status": "paused", "removed_work_items": 1},
        }  # fmt: skip
        again = await who.owner.post(f"{path}/pause")
        assert again["message"] == "Task already has status 'paused'"
        assert again["details"] == {"task_id": task["id"], "status": "paused"}
        assert (await who.owner.get(path))["next_run_at"] is None
        refused = await who.owner.post(f"{path}/run_now", status=400)
        assert refused["message"] == "Cannot run task with status 'paused'. Task must be active."
        assert refused["error"] == "InvalidState"
        assert (await who.owner.post(f"{path}/snooze", {"delay_seconds": 5}, 400))["error"] == "InvalidState"
        resumed = await who.owner.post(f"{path}/resume")
        assert (resumed["details"]["old_status"], resumed["details"]["new_status"]) == ("paused", "active")
        await who.owner.post(f"{path}/run_now")
        await who.owner.post(f"{path}/run_now")
        canceled = await who.owner.post(f"{path}/cancel")
        assert canceled["details"] == {"task_id": task["id"], "removed_work_items": 2}
        assert (await who.owner.post(f"{path}/cancel"))["details"]["removed_work_items"] == 0
        for action in ("resume", "pause", "run_now"):
            assert (await who.owner.post(f"{path}/{action}", status=400))["error"] == "InvalidState"
        await who.owner.put(path, {"status": "active"}, 400)
        await who.owner.put(path, {"title": "x"}, 400)
        assert (await who.owner.get(path))["status"] == "canceled"

    asked(rota, talk)


def test_a_change_of_status_steers(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        path = f"/tasks/{task['id']}"
        assert (await who.owner.put(path, {"status": "paused", "title": "P"}))["status"] == "paused"
        resumed = await who.owner.put(path, {"status": "active"})
        assert (resumed["status"], resumed["title"], resumed["next_run_at"]) == ("active", "P", task["next_run_at"])
        assert (await who.owner.put(path, {"status": "canceled"}))["status"] == "canceled"

    asked(rota, talk)


def test_snoozing_puts_the_next_occurrence_off_and_adds_up(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(schedule_expr="0 18 * * *")
        path = f"/tasks/{task['id']}"
        first = (await who.owner.get(path))["next_runs"]
        told = await who.owner.post(f"{path}/snooze", {"delay_seconds": 600, "reason": "meeting"})
        assert told["message"] == "Task snoozed for 600 seconds"
        day = first[0][:10]
        assert told["details"] == {
            "task_id": task["id"], "delay_seconds": 600, "affected_work_items": 1, "next_run_at": f"{day}T18:10:00.000000Z",
        }  # fmt: skip
        again = await who.owner.post(f"{path}/snooze", {"delay_seconds": 604_800})
        assert again["details"]["next_run_at"][11:] == "18:10:00.000000Z"
        shown = await who.owner.get(path)
        assert [moment for moment in shown["next_runs"] if moment in first] == first[1:][: len(shown["next_runs"])]
        for delay in (0, 604_801, -1, "x", None):
            refused = await who.owner.post(f"{path}/snooze", {"delay_seconds": delay}, 422)
            assert refused["detail"][0]["loc"] == ["body", "delay_seconds"]
        event = await who.owner.task(schedule_kind="event", schedule_expr="t")
        nothing = await who.owner.post(f"/tasks/{event['id']}/snooze", {"delay_seconds": 60})
        assert (nothing["success"], nothing["details"]["affected_work_items"]) == (True, 0)

    asked(rota, talk)


def test_one_active_task_for_a_dedupe_key(rota: Rota) -> None:
    async def talk(who: People) -> None:
        first = await who.owner.task(dedupe_key="daily")
        refused = await who.owner.post("/tasks", task_body(dedupe_key="daily"), 409)
        assert (refused["error"], refused["details"]) == ("DuplicateTask", {"existing_task_id": first["id"]})
        await who.other.task(dedupe_key="daily")
        second = await who.owner.task()
        await who.owner.put(f"/tasks/{second['id']}", {"dedupe_key": "daily"}, 409)
        await who.owner.post(f"/tasks/{first['id']}/pause")
        await who.owner.put(f"/tasks/{second['id']}", {"dedupe_key": "daily"})
        assert (await who.owner.post(f"/tasks/{first['id']}/resume", status=409))["error"] == "DuplicateTask"
        await who.owner.put(f"/tasks/{first['id']}", {"status": "active"}, 409)
        assert (await who.owner.get(f"/tasks/{first['id']}"))["status"] == "paused"
        made = await asyncio.gather(*(who.owner.client.post("/tasks", json=task_body(dedupe_key="k")) for _ in range(5)))
        assert sorted(reply.status_code for reply in made) == [201, 409, 409, 409, 409]

    asked(rota, talk)


def test_a_deleted_task_is_gone_with_its_runs(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task()
        run = (await who.owner.post(f"/tasks/{task['id']}/run_now"))["details"]["run_id"]
        assert (await who.owner.client.delete(f"/tasks/{task['id']}")).status_code == 204
        for path in (f"/tasks/{task['id']}", f"/runs/{run}", f"/runs/task/{task['id']}/latest"):
            assert (await who.owner.client.get(path)).status_code == 404
        for asker in (who.owner, who.admin):
            assert ((await asker.get("/tasks"))["total"], (await asker.get("/runs"))["total"]) == (0, 0)
        assert (await who.owner.client.delete(f"/tasks/{task['id']}")).status_code == 404

    asked(rota, talk)


def test_many_at_once_are_all_made(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await asyncio.gather(*(who.owner.task(title="Same") for _ in range(20)))
        assert len({task["id"] for task in made}) == 20

    asked(rota, talk)


@pytest.mark.parametrize(
    ("trigger", "shown"), [("schedule", "schedule"), ("event", "event"), ("api", "run_now"), ("task", "run_now")]
)
def test_what_started_a_run(rota: Rota, trigger: Trigger, shown: str) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        now = rota.clock.now()

        def write(c: Any) -> None:
            runs.insert_runs(c, [NewRun.of(tasks.get_task(c, made["id"]), rota.ids.new(), trigger, now, nominal_at=now)])

        rota.database.run(write)
        run = (await who.owner.runs(made))[0]
        assert (run["trigger"], run["status"], run["success"], run["attempt"]) == (shown, "queued", None, 1)

    asked(rota, talk)


def test_a_task_of_the_operators_scripts_is_no_task_here(rota: Rota) -> None:
    from tests.factories import make_task

    rota.database.run(lambda c: tasks.insert_task(c, make_task(name="filed", source="file")))
    filed = rota.database.run(lambda c: tasks.find_task_by_name(c, None, "filed"))
    assert filed is not None

    async def talk(who: People) -> None:
        assert (await who.admin.get("/tasks"))["total"] == 0
        assert (await who.admin.client.get(f"/tasks/{filed.id}")).status_code == 404
        assert (await who.admin.client.delete(f"/tasks/{filed.id}")).status_code == 404

    asked(rota, talk)


def test_a_tool_of_an_allowed_namespace_may_come_later(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        later = {"pipeline": [{"uses": "acme.send"}]}
        task = await who.owner.post("/tasks", task_body(payload=later, max_retries=0), 201)
        assert task["warnings"] == ["the tool acme.send is not known here"]
        await who.owner.post("/tasks", task_body(payload={"pipeline": [{"uses": "acmes.send"}]}), 422)
        await who.owner.post(f"/tasks/{task['id']}/run_now")
        (run,) = await who.owner.until_runs(task, "failed")
        assert run["error_type"] == "ToolNotFound"

    served(tmp_path, talk, toml='[tools]\nnamespaces = ["acme"]\n')


def test_the_waits_between_tries_are_the_operators(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task(backoff_strategy="linear")
        task = await get_task(who.rota, OPERATOR, made["id"])
        assert (task.spec.policy.retry.delay_s, task.spec.policy.retry.cap_s) == (0.25, 7.0)

    served(tmp_path, talk, toml='[ordinaut]\nbackoff_base = "250ms"\nbackoff_max = "7s"\n')
