"""What is put right after the clock was wrong for a while."""

from datetime import timedelta

from tests.factories import at
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.store import admission, runs, slots, waiting
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


def test_it_is_known_whether_anything_waits_in_a_queue(c: Connection) -> None:
    run = add_run(c, add_task(c))
    assert not admission.has_held(c)
    admission.set_held(c, [run.id])
    assert admission.has_held(c)
