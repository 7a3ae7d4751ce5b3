import pytest
from tests.factories import NOON, at, make_id, make_task, spec
from tests.store.storing import add_run, add_task, add_user

from rota.core.errors import Conflict, Invalid, NotFound
from rota.core.policy import Policy
from rota.core.schedule import EventSchedule
from rota.core.service import ServicePolicy
from rota.store import runs, tasks
from rota.store.connection import Connection


def test_a_task_comes_back_as_it_was_stored(c: Connection) -> None:
    owner_id = add_user(c)
    task = make_task(
        owner_id=owner_id,
        spec=spec(name="x", params={"n": 1, "deep": [None, 1.5]}, policy=Policy(priority=2), service=ServicePolicy(instances=2)),
        next_at=at(0.000001),
        status="paused",
        source="file",
        version=4,
    )
    tasks.insert_task(c, task)
    assert tasks.get_task(c, task.id) == task


def test_an_unknown_task_is_not_found(c: Connection) -> None:
    assert tasks.find_task(c, make_id()) is None
    with pytest.raises(NotFound):
        tasks.get_task(c, make_id())


def test_a_name_is_taken_once_for_each_owner(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    for owner_id in (ann, bob, None):
        add_task(c, name="backup", owner_id=owner_id)
    for owner_id in (ann, bob, None):
        with pytest.raises(Conflict, match="backup"):
            add_task(c, name="backup", owner_id=owner_id)


def test_the_name_of_a_removed_task_is_free(c: Connection) -> None:
    gone = add_task(c, name="backup")
    assert tasks.update_status(c, gone.id, "removed", from_=["active"], now=NOON)
    new = add_task(c, name="backup")
    assert tasks.find_task_by_name(c, None, "backup") == new


def test_a_task_is_found_by_name_among_those_of_its_owner_alone(c: Connection) -> None:
    ann = add_user(c)
    add_task(c, name="backup", owner_id=ann)
    assert tasks.find_task_by_name(c, None, "backup") is None
    assert tasks.find_task_by_name(c, ann, "backup") is not None


def test_names_are_sorted_and_of_one_owner_or_all(c: Connection) -> None:
    ann = add_user(c)
    for name, owner_id in (("b", None), ("a", None), ("c", ann)):
        add_task(c, name=name, owner_id=owner_id)
    assert tasks.list_names(c, None) == ["a", "b"]
    assert tasks.list_names(c, ann) == ["c"]
    assert tasks.list_names(c, None, everyone=True) == ["a", "b", "c"]


def test_tasks_are_paged_by_owner(c: Connection) -> None:
    ann = add_user(c)
    own = [add_task(c, owner_id=ann) for _ in range(3)]
    add_task(c)
    first = tasks.list_tasks(c, owner_id=ann, limit=2)
    assert first == own[:2]
    assert tasks.list_tasks(c, owner_id=ann, after=first[-1].id, limit=2) == own[2:]
    assert len(tasks.list_tasks(c, everyone=True, limit=10)) == 4
    assert len(tasks.list_tasks(c, limit=10)) == 1


def test_removed_tasks_are_not_listed(c: Connection) -> None:
    task = add_task(c, source="file")
    tasks.update_status(c, task.id, "removed", from_=["active"], now=NOON)
    assert tasks.list_tasks(c, everyone=True, limit=10) == []
    assert tasks.list_file_tasks(c) == []
    assert tasks.list_planned(c) == []
    assert tasks.list_names(c, None) == []


def test_paused_tasks_are_listed_but_not_planned_nor_are_those_without_a_plan(c: Connection) -> None:
    timed = EventSchedule("a")
    paused, active = (
        add_task(c, status="paused", spec=spec(name="a", schedule=timed)),
        add_task(c, spec=spec(name="b", schedule=timed)),
    )
    starting, plain = add_task(c, spec=spec(name="c", run_on_start=True)), add_task(c)
    assert tasks.list_tasks(c, everyone=True, limit=10) == [paused, active, starting, plain]
    assert tasks.list_planned(c) == [active, starting]


def test_active_tasks_are_found_by_the_topic_they_wait_for(c: Connection) -> None:
    def waiting(topic: str, name: str, status: str = "active") -> str:
        return add_task(c, spec=spec(name=name, schedule=EventSchedule(topic)), status=status).id

    first, second = waiting("a", "first"), waiting("b", "second")
    waiting("a", "paused", status="paused")
    waiting("A", "other-case")
    assert [task.id for task in tasks.list_by_topic(c, ["a", "b", "b"])] == [first, second]
    assert tasks.list_by_topic(c, []) == []


def test_many_tasks_are_read_by_id(c: Connection) -> None:
    many = [add_task(c) for _ in range(5)]
    assert tasks.get_tasks(c, [*(task.id for task in many), make_id()]) == {task.id: task for task in many}


def test_only_file_tasks_are_listed_as_such(c: Connection) -> None:
    task = add_task(c, source="file")
    add_task(c)
    assert tasks.list_file_tasks(c) == [task]


def test_a_changed_document_keeps_the_fields_that_this_version_does_not_know(c: Connection) -> None:
    task = add_task(c, name="old")
    c.run(
        "UPDATE tasks SET doc = ? WHERE id = ?",
        ('{"name":"old","executor":{"kind":"shell","script":"true"},"colour":"red"}', task.id),
    )
    assert tasks.get_task(c, task.id).name == "old"
    doc = {"name": "new", "executor": {"kind": "shell", "script": "false"}, "schedule": {"kind": "event", "topic": "t"}}
    after = tasks.update_spec(c, task.id, doc, version=1, updated_at=at(5), anchor_at=at(4))
    assert tasks.find_doc(c, task.id) == {**doc, "colour": "red"}
    assert (after.name, after.version, after.updated_at, after.anchor_at) == ("new", 2, at(5), at(4))
    assert [found.id for found in tasks.list_by_topic(c, ["t"])] == [task.id]
    assert tasks.find_task_by_name(c, None, "old") is None


def test_a_known_field_that_is_left_out_takes_its_default(c: Connection) -> None:
    task = add_task(c, spec=spec(name="x", title="Title"))
    after = tasks.update_spec(
        c, task.id, {"name": "x", "executor": {"kind": "shell", "script": "true"}}, version=1, updated_at=at(1)
    )
    assert after.spec.title is None
    assert after.anchor_at == NOON


def test_a_change_made_from_an_old_version_is_refused(c: Connection) -> None:
    task = add_task(c)
    doc = {"name": task.name, "executor": {"kind": "shell", "script": "false"}}
    tasks.update_spec(c, task.id, doc, version=1, updated_at=NOON)
    with pytest.raises(Conflict, match="changed meanwhile"):
        tasks.update_spec(c, task.id, doc, version=1, updated_at=NOON)


def test_a_task_cannot_take_the_name_of_another(c: Connection) -> None:
    add_task(c, name="taken")
    task = add_task(c, name="free")
    with pytest.raises(Conflict, match="taken"):
        tasks.update_spec(c, task.id, {"name": "taken", "executor": {"kind": "shell", "script": "x"}}, version=1, updated_at=NOON)


def test_a_document_that_is_no_task_is_refused(c: Connection) -> None:
    task = add_task(c)
    with pytest.raises(Invalid):
        tasks.update_spec(c, task.id, {"name": "x"}, version=1, updated_at=NOON)
    with pytest.raises(NotFound):
        tasks.update_spec(c, make_id(), {"name": "x"}, version=1, updated_at=NOON)


def test_a_status_changes_only_from_the_expected_ones(c: Connection) -> None:
    task = add_task(c)
    assert not tasks.update_status(c, task.id, "active", from_=["paused", "canceled"], now=at(1))
    assert tasks.update_status(c, task.id, "paused", from_=["active"], now=at(2))
    assert tasks.update_status(c, task.id, "active", from_=["paused"], now=at(3), cursor_at=at(3))
    after = tasks.get_task(c, task.id)
    assert (after.status, after.updated_at, after.cursor_at) == ("active", at(3), at(3))


def test_the_scheduler_notes_how_far_it_has_come(c: Connection) -> None:
    task, other = add_task(c), add_task(c, next_at=at(1))
    tasks.update_cursors(c, [tasks.Cursor(task.id, at(90), at(120)), tasks.Cursor(other.id, at(1), None)])
    after = tasks.get_task(c, task.id)
    assert (after.cursor_at, after.next_at, after.version) == (at(90), at(120), 1)
    assert tasks.get_task(c, other.id).next_at is None


def test_a_deleted_task_takes_its_runs_along(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    tasks.delete_task(c, task.id)
    assert tasks.find_task(c, task.id) is None
    assert runs.find_run(c, run.id) is None


def test_tasks_that_are_due_come_longest_due_first(c: Connection) -> None:
    assert tasks.next_due(c) is None
    late, early = add_task(c, next_at=at(2)), add_task(c, next_at=at(1))
    add_task(c, next_at=at(9))
    add_task(c, next_at=at(0), status="paused")
    assert tasks.list_due(c, at(2), 9) == [early, late]
    assert tasks.list_due(c, at(2), 1) == [early]
    assert tasks.next_due(c) == at(1)


def test_services_and_jittered_tasks_are_found_without_reading_the_others(c: Connection) -> None:
    service = add_task(c, spec=spec(name="web", service=ServicePolicy()), status="paused")
    jittered = add_task(c, spec=spec(name="late", policy=Policy(jitter_s=5)))
    add_task(c)
    assert tasks.list_services(c) == [service]
    assert tasks.list_jittered(c) == [jittered]


def test_versions_are_read_without_the_documents(c: Connection) -> None:
    task = add_task(c, version=3)
    assert tasks.list_versions(c, [task.id, make_id()]) == {task.id: (3, task.status)}
