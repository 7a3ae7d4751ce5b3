"""fylr's tasks with the engine behind them (contract §6, §10)."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.postoffice import mail_server
from tests.surfaces.fylr.users_asking import PAST, People, User, asked_on, served, until

from rota.core.actor import OPERATOR
from rota.ops import deliveries, runs
from rota.server import Source

pytestmark = pytest.mark.e2e


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


async def logged(who: User, task: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await who.ask("GET", f"/{task['_id']}/log", **query)
    return found


def test_1_2_5_a_task_runs_once_when_its_time_has_come_and_tells_how_far_it_is(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(next_run_at=PAST, task_params={"runtime": 1})
        assert (task["status"], task["next_run_at"]) == ("new", PAST)
        idle = [await who.owner.task(), await who.owner.task(next_run_at=None)]
        hurried = await who.owner.task(next_run_at=PAST, task_params={"runtime": 30}, task_timeout_sec=1)
        begun = await who.owner.until(task, "running")
        assert (begun["next_run_at"], begun["run_finished_at"], begun["run_canceled_at"]) == (None, None, None)
        assert begun["run_started_at"]
        for method, path, body in (("PATCH", "", {"task": {"_version": 2, "description": "x"}}), ("DELETE", "", None)):
            refused = await who.owner.ask(method, f"/{task['_id']}{path}", body, 400)
            assert (refused["code"], refused["parameters"]["msg"]) == ("ServerGeneric", f"task {task['_id']} is running")
        done = await who.owner.until(task, "done")
        assert begun["run_started_at"] == done["run_started_at"] <= done["run_finished_at"]
        assert (done["_version"], done["next_run_at"], done["status_percent"], done["status_msg"]) == (1, None, 100, "")
        lines = await logged(who.owner, task)
        assert [line["idx"] for line in lines] == list(range(len(lines)))
        assert {line["level"] for line in lines} == {"info", "debug"}
        assert (lines[0]["status_percent"], lines[-1]["status_percent"]) == (0, 100)
        assert list(lines[0]) == ["idx", "timestamp", "level", "msg", "status_percent"]
        assert await logged(who.owner, task, offset=1, limit=1) == lines[1:2]
        assert await logged(who.owner, task, limit=10**9) == lines
        assert await logged(who.owner, task, limit=0) == await logged(who.owner, task, offset=1000) == []
        failed = await who.owner.until(hurried, "error", "done")
        assert (failed["status"], failed["status_msg"]) == ("error", "timed out after 1 s")
        assert await runs_for(failed) < 8
        changed = (await who.owner.patch(failed, task_timeout_sec=60))["task"]
        assert changed["status_msg"] == failed["status_msg"]
        for each in idle:
            assert (await who.owner.get(each))["status"] == "new"
            assert await logged(who.owner, each) == []

    served(tmp_path, talk)


async def runs_for(task: dict[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(task[name]) for name in ("run_started_at", "run_finished_at"))
    return (ended - begun).total_seconds()


def test_3_4_a_cancel_answers_at_once_makes_a_version_and_ends_the_run_soon(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(next_run_at=PAST, task_params={"runtime": 60})
        path = f"/{task['_id']}/cancel"
        await who.owner.until(task, "running")
        await who.stranger.ask("POST", path, status=403)
        assert await who.owner.ask("POST", path) == {"status": {"acknowledged": "ok"}}
        asked = await who.owner.get(task)
        assert (asked["_version"], bool(asked["run_canceled_at"])) == (2, True)
        assert asked["status"] in ("running", "canceled")
        if asked["status"] == "running":
            await who.root.ask("POST", path)
            assert (await who.owner.get(task))["_version"] == 2
        ended = await who.owner.until(task, "canceled")
        assert ended["run_finished_at"] >= ended["run_canceled_at"] >= ended["run_started_at"]
        assert (ended["status_msg"] != "", ended["next_run_at"]) == (True, None)
        assert (await who.owner.ask("POST", path, status=400))["code"] == "ServerGeneric"
        await who.owner.patch(task, 400, description="x")
        again = await who.owner.patch(ended, task_params={"runtime": 0}, next_run_at=PAST)
        # What was of the last run stands until there is another.
        assert again["task"]["status"] == "canceled"
        done = await who.owner.until(task, "done")
        assert (done["_version"], done["run_canceled_at"], done["status_msg"]) == (3, None, "")
        assert [line["idx"] for line in await logged(who.owner, task)] == [0, 1]
        await who.owner.ask("DELETE", f"/{task['_id']}")
        await who.owner.ask("GET", f"/{task['_id']}", status=404)
        await who.owner.ask("GET", f"/{task['_id']}/log", status=404)

    served(tmp_path, talk)


def test_a_task_that_was_started_at_a_moment_runs_then_and_may_be_run_again_and_again(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        soon = stamp(datetime.now(UTC) + timedelta(seconds=1.2))
        task = await who.owner.task(next_run_at=soon)
        assert (task["next_run_at"], task["status"]) == (soon, "new")
        done = await who.owner.until(task, "done")
        assert soon <= done["run_started_at"] <= stamp(datetime.fromisoformat(soon) + timedelta(seconds=1))
        for version in range(2, 5):  # within one second, and each time the same
            started = await who.owner.patch(done, next_run_at=soon)
            assert started["task"]["_version"] == version
            await until(partial(ran, who, version))
            done = await who.owner.until(task, "done")
        parked = (await who.owner.patch(done, next_run_at=None))["task"]
        assert parked["next_run_at"] is None
        assert await ran(who, 4)
        assert not await ran(who, 5)

    served(tmp_path, talk)


async def ran(who: People, count: int) -> bool:
    found = await runs.list_runs(who.rota, OPERATOR, task=None, states=["succeeded"], before=None, limit=100)
    return len(found) >= count


def test_a_task_with_schedules_starts_when_it_is_told_to_and_goes_on_by_them(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        far = [{"days_of_month": [1], "hours": [3], "minutes": [7]}]
        task = await who.owner.task(schedules=far, next_run_at=PAST, task_params={"runtime": 1})
        begun = await who.owner.until(task, "running")
        assert begun["next_run_at"] is None
        done = await who.owner.until(task, "done")
        assert done["next_run_at"].endswith("-01T03:07:00Z")
        parked = await who.owner.task(schedules=far, next_run_at=None)
        assert (parked["next_run_at"], parked["schedules"]) == (None, far)
        started = (await who.owner.patch(parked, next_run_at=PAST))["task"]
        assert (await who.owner.until(started, "done"))["next_run_at"] == done["next_run_at"]

    served(tmp_path, talk)


def test_what_the_server_ends_with_is_interrupted_and_goes_on_by_its_schedule(tmp_path: Path) -> None:
    made: dict[str, Any] = {}

    async def start(who: People) -> None:
        made.update(await who.owner.task(next_run_at=PAST, schedules=[{"minutes": [0]}], task_params={"runtime": 60}))
        await who.owner.until(made, "running")

    async def look(who: People) -> None:
        found = await who.owner.get(made)
        assert (found["status"], found["status_msg"], found["_version"]) == ("error", "interrupted", 1)
        assert found["run_finished_at"]
        assert found["next_run_at"].endswith(":00:00Z")

    served(tmp_path, start)
    served(tmp_path, look)


def test_each_recipient_is_mailed_after_a_run_without_details_and_some_only_of_problems(tmp_path: Path) -> None:
    both = {"recipients": [{"email": "all@example.com"}, {"email": "bad@example.com", "problems_only": True}]}

    async def talk(who: People, mails: Any) -> None:
        good = await who.owner.task(next_run_at=PAST, email=both, description="nap", task_params={"runtime": 1})
        bad = await who.owner.task(next_run_at=PAST, email=both, task_params={"runtime": 9}, task_timeout_sec=1)
        await who.owner.until(good, "done")
        await who.owner.until(bad, "error")
        told = sorted((mail["To"], "succeeded" in mail["Subject"]) for mail in await mails.until(3))
        assert told == [("all@example.com", False), ("all@example.com", True), ("bad@example.com", False)]
        assert {mail["Subject"] for mail in mails.mails if "succeeded" in mail["Subject"]} == {"nap succeeded"}
        (fine,) = [mail.get_content() for mail in mails.mails if "succeeded" in mail["Subject"]]
        assert "sleeping for 1 s" in fine
        assert "awake" in fine
        assert "are over" not in fine

    async def play() -> None:
        async with mail_server() as mails:
            (tmp_path / "rota.toml").write_text(mails.toml())
            source = Source(tmp_path / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(tmp_path / "data")})
            await asked_on(source, lambda who: talk(who, mails))

    asyncio.run(play())


async def is_told(who: People) -> bool:
    found = await deliveries.list_deliveries(who.rota, OPERATOR, limit=5)
    return bool(found) and found[0].ended_at is not None


def test_without_a_mail_server_the_run_is_what_it_is_and_the_mail_is_kept(tmp_path: Path) -> None:
    async def talk(who: People) -> None:
        task = await who.owner.task(next_run_at=PAST, email={"recipients": [{"email": "a@example.com"}]})
        assert (await who.owner.until(task, "done", "error"))["status"] == "done"
        await until(lambda: is_told(who))
        found = await deliveries.list_deliveries(who.rota, OPERATOR, limit=5)
        assert [(each.status, each.address) for each in found] == [("failed", {"mail": "a@example.com"})]
        assert "awake" in found[0].body["mail"]["text"]

    served(tmp_path, talk)
