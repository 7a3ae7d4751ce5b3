"""Events and the runs they start, in one transaction."""

from tests.factories import NOON, make_id, spec
from tests.store.storing import add_ended, add_run, add_task, add_user

from rota.core.event import MAX_DEPTH, Event
from rota.core.schedule import EventSchedule
from rota.core.task import Task
from rota.store import events, fanout, runs, tasks, users
from rota.store.connection import Connection
from rota.store.waiting import find_occurrence, postpone


class Numbers:
    def new(self) -> str:
        return make_id()


def listener(c: Connection, name: str, topic: str, **fields: object) -> Task:
    return add_task(c, spec=spec(name=name, schedule=EventSchedule(topic=topic)), **fields)


def event(topic: str = "t", **fields: object) -> Event:
    return Event(**{"id": make_id(), "topic": topic, "payload": {"n": 1}, "at": NOON, **fields})  # type: ignore[arg-type]


def test_active_listeners_of_the_topic_are_started(c: Connection) -> None:
    one = listener(c, "one", "t")
    listener(c, "paused", "t", status="paused")
    listener(c, "other", "T")
    [started] = fanout.publish(c, event(), Numbers(), NOON)
    run = runs.get_run(c, started.run.id)
    assert (run.task_id, run.state, run.trigger) == (one.id, "pending", "event")
    assert run.params["event"]["payload"] == {"n": 1}
    assert [found.topic for _seq, found in events.list_events(c, 0, 10)] == ["t"]


def test_a_task_is_not_started_by_what_its_own_run_caused(c: Connection) -> None:
    task = listener(c, "one", "run.succeeded")
    ended = add_ended(c, task)
    [refused] = fanout.publish_ends(c, [(ended, task)], Numbers(), NOON)
    run = runs.get_run(c, refused.run.id)
    assert (run.state, run.reason, run.ended_at, run.cause_run_id) == ("skipped", "event_loop", NOON, ended.id)


def test_a_loop_over_several_tasks_is_refused_too(c: Connection) -> None:
    one, two = listener(c, "one", "run.succeeded.two"), listener(c, "two", "run.succeeded.one")
    first = add_ended(c, one)
    second = add_ended(c, two, cause_run_id=first.id, depth=1)
    [refused] = fanout.publish_ends(c, [(second, two)], Numbers(), NOON)
    assert (refused.run.task_id, refused.run.reason) == (one.id, "event_loop")


def test_the_end_of_a_run_is_told_to_those_who_may_see_it(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    root = users.insert_user(c, id=make_id(), name="root", created_at=NOON, rights=("system.root",)).id
    task = add_task(c, owner_id=ann)
    for name, owner_id in (("anns", ann), ("bobs", bob), ("roots", root), ("ours", None)):
        listener(c, name, "run.succeeded", owner_id=owner_id)
    for owner_id, hearing in ((ann, {"anns", "roots", "ours"}), (bob, {"bobs", "roots", "ours"})):
        started = fanout.publish_ends(c, [(add_ended(c, task, owner_id=owner_id), task)], Numbers(), NOON)
        assert {tasks.get_task(c, new.run.task_id).name for new in started} == hearing


def test_no_chain_goes_deeper_than_sixteen(c: Connection) -> None:
    listener(c, "one", "t")
    for depth, reason in ((MAX_DEPTH, None), (MAX_DEPTH + 1, "event_depth")):
        [started] = fanout.publish(c, event(depth=depth), Numbers(), NOON)
        assert started.run.reason == reason


def test_an_end_nobody_waits_for_leaves_no_event(c: Connection) -> None:
    task = add_task(c)
    assert fanout.publish_ends(c, [(add_ended(c, task), task)], Numbers(), NOON) == []
    assert events.list_events(c, 0, 10) == []


def test_an_end_is_published_for_all_tasks_and_for_this_one(c: Connection) -> None:
    work = add_task(c, name="work")
    names = {listener(c, "any", "run.failed").id, listener(c, "this", "run.failed.work").id}
    listener(c, "else", "run.failed.else")
    started = fanout.publish_ends(c, [(add_ended(c, work, state="failed", exit_code=3), work)], Numbers(), NOON)
    assert {new.run.task_id for new in started} == names
    assert {new.run.depth for new in started} == {1}
    assert all(new.run.params["event"]["payload"]["exit_code"] == 3 for new in started)


def test_a_run_that_waits_for_its_moment_can_wait_longer(c: Connection) -> None:
    task = add_task(c)
    later = NOON.replace(hour=13)
    assert find_occurrence(c, task.id, NOON) is None
    add_run(c, task, due_at=later)
    run = add_run(c, task, trigger="schedule", nominal_at=NOON.replace(minute=30), due_at=later)
    found = find_occurrence(c, task.id, NOON)
    assert found is not None
    assert found.id == run.id
    assert postpone(c, run.id, NOON.replace(hour=14))
    assert runs.get_run(c, run.id).due_at == NOON.replace(hour=14)
    assert find_occurrence(c, task.id, NOON.replace(hour=14)) is None
