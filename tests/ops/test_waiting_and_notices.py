"""Waiting for a run's end, and who is told what."""

import asyncio
from typing import Any

from tests.asking import new_actor
from tests.factories import make_new_run, make_task

from rota.core.actor import OPERATOR
from rota.core.task import Task
from rota.ops import notices, runs
from rota.ops.context import Rota
from rota.store import runs as stored_runs
from rota.store import tasks


def add_task(rota: Rota, **fields: Any) -> Task:
    task = make_task(**fields)
    rota.database.run(lambda c: tasks.insert_task(c, task))
    return task


def add_run(rota: Rota, task: Task, **fields: Any) -> str:
    new = make_new_run(task, **fields)
    rota.database.run(lambda c: stored_runs.insert_runs(c, [new]))
    return new.run.id


def test_an_ended_run_is_answered_at_once(rota: Rota) -> None:
    run_id = add_run(rota, add_task(rota), state="succeeded")
    assert asyncio.run(runs.wait_run(rota, OPERATOR, run_id, 60)).state == "succeeded"


def test_a_wait_that_is_over_answers_the_run_as_it_stands(rota: Rota) -> None:
    run_id = add_run(rota, add_task(rota))
    assert asyncio.run(runs.wait_run(rota, OPERATOR, run_id, 0.01)).state == "pending"
    assert not rota.bus.is_watched


def test_the_end_wakes_who_waits(rota: Rota) -> None:
    run_id = add_run(rota, add_task(rota))

    async def talk() -> str:
        waiting = asyncio.create_task(runs.wait_run(rota, OPERATOR, run_id, 60))
        await asyncio.sleep(0)
        await runs.cancel_run(rota, OPERATOR, run_id)
        return (await waiting).state

    assert asyncio.run(talk()) == "canceled"


def test_who_waits_for_an_answer_gets_it_when_their_rights_change_and_others_wait_on(rota: Rota) -> None:
    async def talk() -> str:
        mia, max_ = await new_actor(rota, "mia"), await new_actor(rota, "max")
        ids = [add_run(rota, add_task(rota, owner_id=owner.id)) for owner in (mia, max_)]
        waiting, other = [
            asyncio.create_task(runs.wait_answer(rota, who, run_id, 60)) for who, run_id in zip((mia, max_), ids, strict=True)
        ]
        await asyncio.sleep(0)
        rota.bus.tell_rights(mia.id)
        async with asyncio.timeout(2):
            first = await waiting
        assert not other.done()
        await runs.cancel_run(rota, OPERATOR, ids[1])
        return f"{first.state} {(await other).state}"

    assert asyncio.run(talk()) == "pending canceled"


def test_members_are_told_of_their_own_tasks_alone(rota: Rota) -> None:
    async def talk() -> list[str]:
        member, other = await new_actor(rota, "mia"), await new_actor(rota, "max")
        own, foreign, filed = (add_task(rota, owner_id=owner) for owner in (member.id, other.id, None))
        mine = add_run(rota, own)
        with rota.bus.watch() as watcher:
            told = notices.watch_notices(rota, member, watcher)
            for task in (foreign, filed):
                rota.tell_task("task.changed", task)
                rota.bus.publish("run.started", {"run": make_new_run(task).run})
            rota.bus.publish("unknown", {})
            rota.bus.publish("run.started", {"run": rota.database.run(lambda c: stored_runs.get_run(c, mine))})
            rota.tell_task("task.changed", own)
            return [(await anext(told)).kind for _ in range(2)]

    assert asyncio.run(talk()) == ["run.started", "task.changed"]


def test_root_is_told_of_everything(rota: Rota) -> None:
    async def talk() -> str:
        with rota.bus.watch() as watcher:
            rota.tell_task("task.changed", add_task(rota))
            return (await anext(notices.watch_notices(rota, OPERATOR, watcher))).kind

    assert asyncio.run(talk()) == "task.changed"


def test_a_slow_watcher_is_told_that_it_lost_something(rota: Rota) -> None:
    async def talk() -> list[str]:
        task = add_task(rota)
        with rota.bus.watch() as watcher:
            told = notices.watch_notices(rota, OPERATOR, watcher)
            for _ in range(4000):
                rota.tell_task("task.changed", task)
            assert watcher.lost
            first = await anext(told)
            return [first.kind, (await anext(told)).kind]

    assert asyncio.run(talk()) == ["reset", "task.changed"]
