from typing import Any

from tests.factories import NOON, at, make_id
from tests.store.storing import add_run, add_task

from rota.core.event import MAX_DEPTH, Event
from rota.store import events
from rota.store.connection import Connection


def make_event(**fields: Any) -> Event:
    return Event(**{"id": make_id(), "topic": "disk.full", "payload": {}, "at": NOON, **fields})


def test_an_event_comes_back_in_its_place(c: Connection) -> None:
    full = make_event(payload={"a": [1, None]}, at=at(0.5), actor_id="ann", cause_run_id=make_id(), depth=2)
    first = events.insert_event(c, make_event())
    second = events.insert_event(c, full)
    assert second > first
    assert events.list_events(c, first, 9) == [(second, full)]
    assert [seq for seq, _ in events.list_events(c, first - 1, 1)] == [first]


def test_old_events_are_forgotten_and_their_places_are_not_given_again(c: Connection) -> None:
    events.insert_event(c, make_event(at=at(-1)))
    last = events.insert_event(c, make_event(at=at(-1)))
    assert events.prune_events(c, NOON) == 2
    assert events.insert_event(c, make_event()) > last


def test_causes_are_told_nearest_first(c: Connection) -> None:
    tasks = [add_task(c) for _ in range(3)]
    cause = None
    for task in tasks:
        cause = add_run(c, task, cause_run_id=cause).id
    assert cause is not None
    assert events.causes(c, cause) == [task.id for task in reversed(tasks)]


def test_an_unknown_run_has_no_causes(c: Connection) -> None:
    assert events.causes(c, make_id()) == []


def test_a_chain_of_causes_is_followed_no_further_than_it_may_go(c: Connection) -> None:
    task = add_task(c)
    cause = None
    for _ in range(MAX_DEPTH + 5):
        cause = add_run(c, task, cause_run_id=cause).id
    assert cause is not None
    assert len(events.causes(c, cause)) == MAX_DEPTH + 1


def test_a_circle_of_causes_ends(c: Connection) -> None:
    task, run_id = add_task(c), make_id()
    add_run(c, task, id=run_id, cause_run_id=run_id)
    assert len(events.causes(c, run_id)) == MAX_DEPTH + 1
