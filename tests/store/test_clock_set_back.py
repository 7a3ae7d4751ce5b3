"""What is put right after the clock was wrong for a while."""

from datetime import timedelta

from tests.factories import NOON, at
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.store import admission, gate, runs, slots, waiting
from rota.store.connection import Connection
from rota.store.slots import NewSlot


def test_waiting_retries_move_and_nothing_else_does(c: Connection) -> None:
    task = add_task(c)
    first, retry = add_run(c, task, due_at=at(500)), add_run(c, task, attempt=1, due_at=at(500))
    held = add_run(c, task, attempt=1, due_at=at(500), admission="held")
    waiting.shift_retries(c, timedelta(seconds=-200))
    assert [runs.get_run(c, run.id).due_at for run in (first, retry, held)] == [at(500), at(300), at(500)]


def test_missed_slots_after_a_moment_are_forgotten_and_others_are_not(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    run = add_ended(c, task)
    slots.insert_slots(
        c,
        [
            NewSlot(task.id, at(100), None, "missed", "downtime"),
            NewSlot(task.id, at(200), run.id),
            NewSlot(task.id, at(300), None, "missed", "downtime"),
            NewSlot(other.id, at(300), None, "missed", "downtime"),
        ],
    )
    slots.delete_missed(c, [task.id], at(100))
    assert [slot.nominal_at for slot in slots.list_slots(c, task.id, limit=10)] == [at(200), at(100)]
    assert len(slots.list_slots(c, other.id, limit=10)) == 1


def test_only_what_takes_a_place_of_the_holder_is_counted(c: Connection) -> None:
    task = add_task(c)
    add_running(c, task)
    add_running(c, task, instance=0)
    add_run(c, task)
    assert (admission.count_taken(c, "node"), admission.count_taken(c, "other")) == (1, 0)


def test_one_look_tells_what_there_is_to_do(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    assert admission.look(c, "node", NOON) == (False, False, False, None)
    admission.set_held(c, [run.id])
    add_run(c, task, due_at=at(70), priority=2)
    add_run(c, task, due_at=at(60), priority=7)
    assert admission.look(c, "node", at(50)) == (True, False, False, at(60))
    gate.enter(c, [gate.Entry(add_run(c, task).id, at(90), 30.0)])
    runs.request_stop(c, add_running(c, task).id, "cancel", at(1))
    assert admission.look(c, "node", at(60)) == (True, True, True, at(70))
    assert not admission.look(c, "other", at(60)).has_stops
