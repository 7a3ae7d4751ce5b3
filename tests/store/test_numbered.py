"""Tasks of modules by number, on both databases."""

from typing import Any

import pytest
from tests.factories import NOON, at, make_id, make_run, make_task, spec
from tests.store.storing import add_task

from rota.core.errors import NotFound
from rota.core.task import Task
from rota.core.work import Module, Shell
from rota.store import latest, numbered, runs, tasks, users
from rota.store.connection import Connection
from rota.store.runs import NewRun

SLEEP = Module(module="sleep", params={"runtime": 1})


def add_user(c: Connection, name: str) -> str:
    return users.insert_user(c, id=make_id(), name=name, created_at=NOON).id


def add_sleeper(c: Connection, owner_id: str | None, name: str = "nap") -> Task:
    task = make_task(owner_id=owner_id, spec=spec(name=name, executor=SLEEP))
    tasks.insert_task(c, task)
    return task


def test_only_a_users_task_of_a_module_has_a_number_and_each_a_larger_one(c: Connection) -> None:
    ana = add_user(c, "ana")
    first, second = add_sleeper(c, ana, "a"), add_sleeper(c, ana, "b")
    plain, installed = add_task(c, owner_id=ana, name="c"), add_sleeper(c, None)
    found = [numbered.find_number_of(c, task.id) for task in (first, second, plain, installed)]
    assert found[2:] == [None, None]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].number < found[1].number
    assert numbered.get_numbered(c, found[0].number) == found[0]
    assert found[0].frontend_prefs == {}


def test_a_number_is_never_given_twice_and_goes_with_its_task(c: Connection) -> None:
    ana = add_user(c, "ana")
    task = add_sleeper(c, ana)
    before = numbered.find_number_of(c, task.id)
    assert before is not None
    assert tasks.update_status(c, task.id, "removed", from_=["active"], now=NOON)
    assert numbered.find_numbered(c, before.number) is None
    after = numbered.find_number_of(c, add_sleeper(c, ana).id)
    assert after is not None
    assert after.number > before.number
    for number in (0, -1, 2**63, 2**80, before.number):
        with pytest.raises(NotFound):
            numbered.get_numbered(c, number)


def test_a_task_gets_its_number_when_it_becomes_one_of_a_module_and_loses_it_when_it_is_none_any_more(c: Connection) -> None:
    ana = add_user(c, "ana")
    task = add_task(c, owner_id=ana, name="x")
    for version, (executor, has_one) in enumerate(((SLEEP, True), (SLEEP, True), (Shell(script="true"), False)), task.version):
        doc = {"name": "x", "executor": {"kind": executor.__struct_config__.tag, **_fields(executor)}}
        tasks.update_spec(c, task.id, doc, version=version, updated_at=NOON)
        assert (numbered.find_number_of(c, task.id) is not None) == has_one


def test_a_change_uses_no_number_up(c: Connection) -> None:
    ana = add_user(c, "ana")
    first = add_sleeper(c, ana, "a")
    for version in (1, 2, 3):
        tasks.update_spec(
            c, first.id, {"name": "a", "executor": {"kind": "module", "module": "sleep"}}, version=version, updated_at=NOON
        )
    found = [numbered.find_number_of(c, task.id) for task in (first, add_sleeper(c, ana, "b"))]
    assert found[0]
    assert found[1]
    assert found[1].number == found[0].number + 1


def _fields(executor: Any) -> dict[str, object]:
    return {name: getattr(executor, name) for name in executor.__struct_fields__ if name in ("module", "script")}


def test_an_owners_are_listed_newest_first_and_counted_and_move_with_their_task(c: Connection) -> None:
    ana, ben = add_user(c, "ana"), add_user(c, "ben")
    made = [add_sleeper(c, ana, f"t{number}") for number in range(4)]
    other = add_sleeper(c, ben)
    assert [each.task_id for each in numbered.page_numbered(c, ana, 10, 0)] == [task.id for task in reversed(made)]
    assert [each.task_id for each in numbered.page_numbered(c, ana, 2, 1)] == [made[2].id, made[1].id]
    assert numbered.page_numbered(c, ana, 10, 4) == numbered.page_numbered(c, ana, 0, 0) == []
    assert (numbered.count_numbered(c, ana), numbered.count_numbered(c, ben), numbered.count_numbered(c, "x")) == (4, 1, 0)
    assert len(numbered.page_numbered(c, ana, 2**70, 0)) == 4
    assert numbered.page_numbered(c, ana, 2**70, 2**70) == []
    tasks.update_owner(c, other.id, ana, at(1))
    assert (numbered.count_numbered(c, ana), numbered.count_numbered(c, ben)) == (5, 0)


def test_what_clients_keep_with_a_task_comes_back_as_it_was(c: Connection) -> None:
    found = numbered.find_number_of(c, add_sleeper(c, add_user(c, "ana")).id)
    assert found is not None
    prefs = {"app": {"ö": [1, 2.5, None, True], "deep": {"er": {}}}}
    numbered.set_prefs(c, found.number, prefs)
    assert numbered.get_numbered(c, found.number).frontend_prefs == prefs


def test_the_latest_run_is_the_newest_that_started_and_one_that_waits_is_told_apart(c: Connection) -> None:
    task, other = add_task(c, name="a"), add_task(c, name="b")
    assert latest.list_latest(c, [task.id, other.id]) == {}
    assert latest.find_latest(c, task.id) == latest.NEVER
    done = make_run(task, state="succeeded", attempt=1, started_at=at(1), ended_at=at(2))
    skipped = make_run(task, state="skipped", reason="overlap", ended_at=at(3))
    dropped = make_run(task, state="canceled", ended_at=at(3))
    runs.insert_runs(c, [NewRun(done), NewRun(skipped), NewRun(dropped)])
    found = latest.find_latest(c, task.id)
    assert (found.run and found.run.id, found.waiting, found.is_live, found.stop_cause) == (done.id, None, False, None)
    assert latest.find_end(c, task.id) == at(2)
    waiting = make_run(task)
    runs.insert_runs(c, [NewRun(waiting), NewRun(make_run(other))])
    both = latest.list_latest(c, [task.id, other.id])
    assert [each.id for each in (both[task.id].run, both[task.id].waiting) if each] == [done.id, waiting.id]
    assert (both[other.id].run, both[other.id].is_live) == (None, False)


def test_a_run_that_was_asked_to_end_says_so(c: Connection) -> None:
    task = add_task(c)
    run = make_run(task, state="running", attempt=1, started_at=at(1))
    runs.insert_runs(c, [NewRun(run)])
    assert latest.find_latest(c, task.id).is_live
    runs.request_stop(c, run.id, "cancel", at(5))
    found = latest.find_latest(c, task.id)
    assert (found.is_live, found.stop_cause, found.stop_asked_at) == (True, "cancel", at(5))
    assert latest.find_end(c, task.id) is None
