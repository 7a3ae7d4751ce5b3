"""Runs by the Tasks API: started, told by their workers, held to a schema, cancelled (contract §8, §15)."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.asking import HandClock
from tests.surfaces.posthog.projects_asking import Client, People, asked

from rota.ops import projectruns as changes
from rota.ops.context import Rota
from rota.store import leases, projectruns

SCHEMA = {"type": "object", "required": ["pr_url"], "properties": {"pr_url": {"type": "string"}}}


async def new_run(who: Client, task: dict[str, Any], **body: Any) -> dict[str, Any]:
    """One that is dispatched, for a worker from outside: nothing else is set up here."""
    made: dict[str, Any] = (await who.post(f"/tasks/{task['id']}/run", body))["latest_run"]
    return made


def at(run: dict[str, Any], what: str = "") -> str:
    return f"/tasks/{run['task']}/runs/{run['id']}{what}"


def test_a_run_without_a_body_is_queued_in_the_cloud_and_in_the_background(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        reply = await who.owner.ask("POST", f"/tasks/{task['id']}/run")
        run = reply.json()["latest_run"]
        assert (reply.status_code, reply.json()["id"]) == (200, task["id"])
        assert (run["status"], run["environment"], run["state"]) == ("queued", "cloud", {"mode": "background"})
        assert (run["artifacts"], run["completed_at"], run["error_message"], run["output"]) == ([], None, None, None)
        second = await new_run(who.owner, task)
        page = await who.owner.get(f"/tasks/{task['id']}/runs")
        assert [each["id"] for each in page["results"]] == [second["id"], run["id"]]
        assert (await who.owner.get(f"/tasks/{task['id']}"))["latest_run"]["id"] == second["id"]
        assert (await who.owner.get(at(run))) == page["results"][1]

    asked(rota, talk)


def test_a_run_that_is_only_made_is_local_and_one_in_the_cloud_can_be_started(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        local = await who.owner.post(f"/tasks/{task['id']}/runs", None, 201)
        assert (local["environment"], local["status"]) == ("local", "queued")
        assert "error" in await who.owner.post(at(local, "/start"), {}, 400)
        cloud = await who.owner.post(f"/tasks/{task['id']}/runs", {"environment": "cloud", "mode": "interactive"}, 201)
        started = await who.owner.post(at(cloud, "/start"), {"pending_user_message": " go "})
        assert started["latest_run"]["state"] == {"mode": "interactive", "pending_user_message": "go"}
        missing = await who.owner.post(at(cloud, "/start"), {"pending_user_artifact_ids": ["a"]}, 400)
        assert missing["missing_artifact_ids"] == ["a"]
        await who.owner.patch(at(cloud), {"status": "in_progress"})
        assert "error" in await who.owner.post(at(cloud, "/start"), {}, 400)

    asked(rota, talk)


def test_what_is_asked_of_a_run_is_kept_in_its_state_but_a_token_never(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        run = await new_run(
            who.owner,
            task,
            branch="main",
            runtime_adapter="claude",
            model="m",
            reasoning_effort="high",
            run_source="signal_report",
            pr_authorship_mode="user",
            github_user_token="ghs_secret",
        )
        assert (run["branch"], run["runtime_adapter"], run["provider"]) == ("main", "claude", "anthropic")
        assert (run["model"], run["reasoning_effort"]) == ("m", "high")
        assert (run["state"]["pr_base_branch"], run["state"]["pr_authorship_mode"]) == ("main", "bot")
        assert "ghs_secret" not in (await who.owner.ask("GET", at(run))).text
        resumed = await new_run(who.owner, task, resume_from_run_id=run["id"])
        assert (resumed["branch"], resumed["model"]) == ("main", "m")
        assert resumed["state"]["resume_from_run_id"] == run["id"]

    asked(rota, talk)


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"model": "m"}, "runtime_adapter"),
        ({"runtime_adapter": "codex"}, "model"),
        ({"reasoning_effort": "low"}, "runtime_adapter"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"initial_permission_mode": "plan"}, "initial_permission_mode"),
        ({"runtime_adapter": "codex", "model": "m", "initial_permission_mode": "plan"}, "initial_permission_mode"),
        ({"mode": "x"}, "mode"),
        ({"branch": "b" * 256}, "branch"),
        ({"pending_user_artifact_ids": ["a" * 129]}, "pending_user_artifact_ids__0"),
        ({"resume_from_run_id": "x"}, "resume_from_run_id"),
    ],
)
def test_values_that_do_not_fit_make_no_run(rota: Rota, body: dict[str, Any], attr: str) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        refused = await who.owner.post(f"/tasks/{task['id']}/run", body, 400)
        assert (refused["type"], refused["attr"]) == ("validation_error", attr)
        assert (await who.owner.get(f"/tasks/{task['id']}"))["latest_run"] is None

    asked(rota, talk)


def test_what_a_run_refers_to_must_be_there_or_there_is_no_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task, other = await who.owner.task(description="x"), await who.owner.task(description="y")
        foreign = await new_run(who.owner, other)
        run = f"/tasks/{task['id']}/run"
        assert await who.owner.post(run, {"resume_from_run_id": foreign["id"]}, 400) == {"detail": "Invalid resume_from_run_id"}
        environment = {"sandbox_environment_id": foreign["id"]}
        assert await who.owner.post(run, environment, 400) == {"detail": "Invalid sandbox_environment_id"}
        missing = await who.owner.post(run, {"pending_user_artifact_ids": ["a", "a"]}, 400)
        assert missing["missing_artifact_ids"] == ["a"]
        assert (await who.owner.get(f"/tasks/{task['id']}/runs"))["count"] == 0

    asked(rota, talk)


def test_a_worker_takes_a_run_tells_how_it_goes_and_ends_it(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        begun = await who.owner.patch(at(run), {"status": "in_progress", "stage": "plan", "state": {"a": 1, "sandbox_id": "x"}})
        assert (begun["status"], begun["stage"], begun["state"]) == ("in_progress", "plan", {"mode": "background", "a": 1})
        await who.owner.patch(at(run), {"output": {"pr_url": "u"}, "branch": "b"})
        told = await who.owner.patch(
            at(run), {"output": {"n": 1}, "state": {"a": 2}, "state_remove_keys": ["mode"], "state_append": {"b": [1]}}
        )
        assert (told["output"], told["state"], told["branch"]) == ({"pr_url": "u", "n": 1}, {"a": 2, "b": [1]}, "b")
        ended = await who.owner.patch(at(run), {"status": "completed"})
        assert (ended["status"], ended["output"]) == ("completed", {"pr_url": "u", "n": 1})
        assert ended["completed_at"] is not None
        cast("HandClock", who.rota.clock).advance(5)
        late = await who.owner.patch(at(run), {"status": "failed", "error_message": "late", "output": {"x": 1}})
        assert {**late, "log_url": ""} == {**ended, "log_url": ""}

    asked(rota, talk)


def test_what_is_told_of_a_run_does_not_grow_without_end(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_TOLD_BYTES", 1000)

    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        for field in ("state_append", "output"):
            for n in range(2):
                await who.owner.patch(at(run), {field: {f"k{n}": "x" * 400}})
            refused = await who.owner.patch(at(run), {field: {"k9": "x" * 400}, "stage": "plan"}, 400)
            assert refused["attr"] == ("output" if field == "output" else "state")
        told = await who.owner.get(at(run))
        assert (set(told["output"]), told["stage"]) == ({"k0", "k1"}, None)

    asked(rota, talk)


def test_the_order_of_statuses_that_are_no_end_is_not_policed(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        for status in ("not_started", "queued", "in_progress", "not_started", "in_progress", "queued"):
            assert (await who.owner.patch(at(run), {"status": status}))["status"] == status
            page = await who.owner.get("/tasks", status=status)
            assert [task["latest_run"]["id"] for task in page["results"]] == [run["id"]]
        assert (await who.owner.patch(at(run), {"status": "failed", "error_message": "no"}))["error_message"] == "no"

    asked(rota, talk)


def test_two_workers_that_race_for_a_run_take_it_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        both = await asyncio.gather(*(who.owner.patch(at(run), {"status": "in_progress"}) for _ in range(2)))
        assert {each["status"] for each in both} == {"in_progress"}
        held = await who.rota.database.read(lambda c: leases.find_lease(c, run["id"]))
        assert held is not None
        assert held.fence == 1

    asked(rota, talk)


def test_stages_of_any_run_find_a_task_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(title="t")
        for _ in range(2):
            await who.owner.patch(at(await new_run(who.owner, task)), {"stage": "plan"})
        await new_run(who.owner, task)
        assert await who.owner.titles(stage="plan") == ["t"]
        assert await who.owner.titles(stage="build") == []

    asked(rota, talk)


def test_an_output_that_fits_the_schema_completes_the_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x", json_schema=SCHEMA))
        refused = await who.owner.patch(at(run, "/set_output"), {"output": {"pr_url": 1}}, 400)
        assert refused["error"].startswith("Output validation error: pr_url: ")
        assert (await who.owner.get(at(run)))["status"] == "queued"
        done = await who.owner.patch(at(run, "/set_output"), {"output": {"pr_url": "u"}})
        assert (done["status"], done["output"]) == ("completed", {"pr_url": "u"})
        again = await who.owner.patch(at(run, "/set_output"), {"output": {"pr_url": "other"}})
        assert (again["output"], again["completed_at"]) == (done["output"], done["completed_at"])
        required = await who.owner.patch(at(run, "/set_output"), {}, 400)
        assert (required["code"], required["attr"]) == ("required", "output")

    asked(rota, talk)


def test_without_a_schema_an_output_is_kept_and_the_run_goes_on(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await who.owner.patch(at(run, "/set_output"), {"output": {"pr_url": "u"}})
        told = await who.owner.patch(at(run, "/set_output"), {"output": {"n": 1}})
        assert (told["status"], told["output"]) == ("queued", {"n": 1, "pr_url": "u"})
        assert (await who.owner.patch(at(run, "/set_output"), {"output": None}))["output"] is None

    asked(rota, talk)


def test_cancelling_what_nobody_took_ends_it_at_once(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        ended = await who.owner.post(at(run, "/cancel"), {}, 202)
        assert (ended["status"], ended["error_message"]) == ("cancelled", "Stopped by user")
        assert ended["state"]["cancel_source"] == "api"
        assert (await who.owner.post(at(run, "/cancel"), {"reason": "again"}))["error_message"] == "Stopped by user"
        too_long = await who.owner.post(at(run, "/cancel"), {"reason": "x" * 501}, 400)
        assert too_long["attr"] == "reason"

    asked(rota, talk)


def test_a_worker_that_is_asked_to_stop_says_when_it_has(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await who.owner.patch(at(run), {"status": "in_progress"})
        asked_to = await who.owner.post(at(run, "/cancel"), {"reason": "enough"}, 202)
        assert (asked_to["status"], "cancel_requested_at" in asked_to["state"]) == ("in_progress", True)
        assert (await who.owner.post(at(run, "/cancel"), {"reason": "other"}, 202))["state"] == asked_to["state"]
        lease = await who.rota.database.read(lambda c: leases.find_lease(c, run["id"]))
        assert lease is not None
        assert lease.until_at == who.rota.clock.now() + timedelta(seconds=60)
        cast("HandClock", who.rota.clock).advance(30)
        await who.owner.patch(at(run), {"stage": "stopping"})
        renewed = await who.rota.database.read(lambda c: leases.find_lease(c, run["id"]))
        assert renewed is not None
        assert renewed.until_at == lease.until_at
        ended = await who.owner.patch(at(run), {"status": "cancelled"})
        assert (ended["status"], ended["error_message"]) == ("cancelled", "enough")

    asked(rota, talk)


def test_a_run_that_is_done_before_its_cancel_arrives_stays_done(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await who.owner.patch(at(run), {"status": "in_progress"})
        await who.owner.post(at(run, "/cancel"), {}, 202)
        assert (await who.owner.patch(at(run), {"status": "completed"}))["error_message"] is None
        assert (await who.owner.post(at(run, "/cancel"), {}, 200))["status"] == "completed"

    asked(rota, talk)


def test_a_local_run_is_not_cancelled_but_its_worker_can_say_so(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        run = await who.owner.post(f"/tasks/{task['id']}/runs", {}, 201)
        assert "error" in await who.owner.post(at(run, "/cancel"), {}, 400)
        assert (await who.owner.patch(at(run), {"status": "cancelled"}))["status"] == "cancelled"

    asked(rota, talk)


def test_a_cloud_run_can_go_on_at_its_users(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        home = await who.owner.patch(at(run), {"environment": "local"})
        assert (home["environment"], home["status"]) == ("local", "queued")
        assert (await who.owner.patch(at(run), {"environment": "cloud"}, 400))["attr"] == "environment"

    asked(rota, talk)


def test_deleting_a_task_cancels_its_runs(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        run = await new_run(who.owner, task)
        await who.owner.delete(f"/tasks/{task['id']}")
        await who.owner.get(at(run), 404)
        ended = await who.rota.database.read(lambda c: projectruns.get_project_runs(c, [run["id"]]))
        assert ended[run["id"]].status == "cancelled"

    asked(rota, talk)


READS = ("GET /runs", "GET {run}", "GET {run}/logs", "GET {run}/session_logs", "GET {run}/stream")
WRITES = (
    "POST /run", "POST /runs", "PATCH {run}", "POST {run}/start", "PATCH {run}/set_output", "POST {run}/append_log",
    "POST {run}/cancel", "POST {run}/command",
)  # fmt: skip
BODIES = {
    "/set_output": {"output": 1},
    "/append_log": {"entries": [{}]},
    "/command": {"jsonrpc": "2.0", "method": "close"},
}


@pytest.mark.parametrize("route", [*READS, *WRITES])
def test_nobody_but_its_owner_reaches_a_run(rota: Rota, route: str) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(description="x")
        run = await new_run(who.owner, task)
        method, path = route.split(" ")
        whole = f"/tasks/{task['id']}{path.format(run='/runs/' + run['id'])}"
        body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
        for stranger in (who.member, who.staff):
            assert (await stranger.ask(method, whole, body)).status_code == 404
        assert (await who.stranger.ask(method, whole, body)).status_code == 403
        assert (await who.limited.ask(method, whole, body)).status_code == 403
        unknown = await who.nobody.ask(method, whole, body)
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
        missing = whole.replace(run["id"], task["id"])
        if "{run}" in path:
            assert (await who.owner.ask(method, missing, body)).status_code == 404
            assert (await who.owner.ask(method, whole.replace(run["id"], "x"), body)).status_code == 404
        if route in WRITES:
            refused = await who.reader.ask(method, whole, body)
            assert (refused.status_code, refused.json()["detail"]) == (403, "API key missing required scope 'task:write'")
        elif not path.endswith("stream"):
            assert (await who.reader.ask(method, whole)).status_code == 200

    asked(rota, talk)


def test_a_run_is_neither_put_nor_deleted(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        for method in ("PUT", "DELETE"):
            reply = await who.owner.ask(method, at(run))
            assert (reply.status_code, reply.json()["code"]) == (405, "method_not_allowed")

    asked(rota, talk)
