"""What runs remember of documents, and tasks that are everybody's."""

import pytest
from tests.factories import NOON, make_id, make_task, spec
from tests.store.storing import add_ended, add_run, add_task, add_user

from rota.core.errors import Conflict
from rota.core.task import Task, TaskSpec
from rota.core.work import Agent, Shell
from rota.store import revisions, runs, tasks
from rota.store.connection import Connection
from rota.store.runs import NewRun


def agent(said: str, **fields: object) -> TaskSpec:
    return spec(**{"name": "a", "executor": Agent(nodes=[], variables={"said": said}), **fields})


def change(c: Connection, task: Task, said: str) -> Task:
    change = {"executor": {"kind": "agent", "nodes": [], "variables": {"said": said}}}
    return tasks.update_spec(c, task.id, {"name": "a", **change}, version=task.version, updated_at=NOON)


def start(c: Connection, task: Task, **fields: object) -> str:
    new = NewRun.of(task, make_id(), "api", NOON)
    runs.insert_runs(c, [new])
    return new.run.id


def told(c: Connection, task: Task, *run_ids: str) -> list[object]:
    """What each run finds in its document."""
    begun = [(run, task) for run_id in run_ids if (run := runs.find_run(c, run_id))]
    works = [each.spec.executor for each in revisions.as_started(c, begun)]
    return [work.variables["said"] for work in works if isinstance(work, Agent)]


def test_a_run_of_an_agent_keeps_the_document_it_was_started_from(c: Connection) -> None:
    task = add_task(c, spec=agent("one"))
    first = start(c, task)
    task = change(c, task, "two")
    second = start(c, task)
    task = change(c, task, "three")
    assert told(c, task, first, second, start(c, task)) == ["one", "two", "three"]


def test_a_run_of_what_was_an_agent_goes_on_as_one(c: Connection) -> None:
    task = add_task(c, spec=agent("one"))
    run = start(c, task)
    changed = {"name": "a", "executor": {"kind": "shell", "script": "true"}}
    task = tasks.update_spec(c, task.id, changed, version=1, updated_at=NOON)
    assert told(c, task, run) == ["one"]


def test_a_run_whose_document_cannot_be_read_any_more_has_no_work(c: Connection) -> None:
    task = add_task(c, spec=agent("one"))
    run = runs.get_run(c, start(c, task))
    task = change(c, task, "two")
    c.run("UPDATE revisions SET doc = ?", ('{"name": "a", "executor": {"kind": "agent", "nodes": [{"type": "gone"}]}}',))
    [known] = revisions.as_started(c, [(run, task)])
    assert (known.name, known.spec.executor) == ("a", Agent())


def test_a_run_of_another_kind_takes_the_document_as_it_is(c: Connection) -> None:
    task = add_task(c, name="s", spec=spec(name="s", executor=Shell(script="one")))
    run = runs.get_run(c, start(c, task))
    changed = {"name": "s", "executor": {"kind": "shell", "script": "two"}}
    task = tasks.update_spec(c, task.id, changed, version=1, updated_at=NOON)
    assert revisions.as_started(c, [(run, task)]) == [task]
    assert c.rows("SELECT COUNT(*) FROM revisions") == [(0,)]


def test_what_no_run_began_with_is_forgotten(c: Connection) -> None:
    task = add_task(c, spec=agent("one"))
    idle = add_task(c, spec=agent("x", name="b"))
    tasks.update_spec(c, idle.id, {"name": "b", "executor": {"kind": "agent", "nodes": []}}, version=1, updated_at=NOON)
    first = start(c, task)
    task = change(c, task, "two")
    second = start(c, task)
    task = change(c, task, "three")
    assert revisions.prune_revisions(c) == 1
    c.run("DELETE FROM runs WHERE id = ?", (first,))
    assert revisions.prune_revisions(c) == 1
    assert told(c, task, second) == ["two"]
    c.run("DELETE FROM runs WHERE id = ?", (second,))
    assert revisions.prune_revisions(c) == 1


def test_names_and_titles_of_shared_tasks_are_nobody_elses(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    mine = add_task(c, owner_id=ann, spec=spec(name="x", title="X", shared=True))
    add_task(c, owner_id=bob, spec=spec(name="x", title="X"))
    for name, title in (("x", "Y"), ("y", "X")):
        with pytest.raises(Conflict, match=name if name == "x" else title):
            add_task(c, owner_id=bob if name == "y" else None, spec=spec(name=name, title=title, shared=True))
    other = add_task(c, owner_id=bob, spec=spec(name="y", shared=True))
    with pytest.raises(Conflict):
        document = {"name": "y", "title": "X", "shared": True, "executor": {"kind": "shell", "script": "true"}}
        tasks.update_spec(c, other.id, document, version=1, updated_at=NOON)
    assert tasks.find_shared(c, "x") == mine
    assert [task.name for task in tasks.list_shared(c)] == ["x", "y"]
    tasks.update_status(c, mine.id, "removed", from_=["active"], now=NOON)
    assert tasks.find_shared(c, "x") is None
    add_task(c, owner_id=ann, spec=spec(name="x", title="X", shared=True))


def test_a_run_is_its_tasks_owners_unless_it_says_whose_it_is(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    task = add_task(c, owner_id=ann, spec=spec(name="x", shared=True))
    own, other = add_run(c, task), add_ended(c, task, owner_id=bob)
    alone = add_run(c, add_task(c, owner_id=bob))
    assert [run.owner_id for run in runs.get_runs(c, [own.id, other.id])] == [ann, bob]
    assert [run.id for run in runs.list_runs(c, task_id=task.id, owner_id=bob, limit=9)] == [other.id]
    assert [run.id for run in runs.list_runs(c, task_id=task.id, owner_id=ann, states=["pending"], limit=9)] == [own.id]
    assert [run.id for run in runs.list_runs(c, owner_id=bob, limit=9)] == [alone.id, other.id]
    assert [run.id for run in runs.list_shared_runs(c, bob)] == [other.id]


def test_a_task_of_the_installation_may_be_shared(c: Connection) -> None:
    task = make_task(spec=spec(name="x", shared=True), source="file")
    tasks.insert_task(c, task)
    assert tasks.find_shared(c, "x") == task
