from tests.factories import NOON, at, make_id
from tests.store.storing import add_run, add_running, add_task

from rota.store import runs, settlement, slots
from rota.store.connection import Connection
from rota.store.settlement import Settlement
from rota.store.slots import NewSlot


def test_a_slot_is_recorded_once(c: Connection) -> None:
    task = add_task(c)
    first, second = make_id(), make_id()
    new = slots.insert_slots(c, [NewSlot(task.id, NOON, first), NewSlot(task.id, at(60), second)])
    assert new == {(task.id, NOON), (task.id, at(60))}
    again = slots.insert_slots(c, [NewSlot(task.id, at(60), make_id()), NewSlot(task.id, at(120), None, "missed", "downtime")])
    assert again == {(task.id, at(120))}
    found = slots.find_slot(c, task.id, at(60))
    assert found is not None
    assert found.run_id == second


def test_the_same_slot_twice_in_a_batch_is_one_slot(c: Connection) -> None:
    task = add_task(c)
    twice = [NewSlot(task.id, NOON, None, "missed"), NewSlot(task.id, NOON, None, "skipped")]
    assert slots.insert_slots(c, twice) == {(task.id, NOON)}
    assert [slot.outcome for slot in slots.list_slots(c, task.id, limit=9)] == ["missed"]


def test_two_tasks_may_be_due_at_one_instant(c: Connection) -> None:
    one, other = add_task(c), add_task(c)
    assert len(slots.insert_slots(c, [NewSlot(one.id, NOON), NewSlot(other.id, NOON)])) == 2


def test_a_slot_tells_what_its_run_came_to(c: Connection) -> None:
    task = add_task(c)
    run = add_running(c, task)
    slots.insert_slots(c, [NewSlot(task.id, NOON, run.id)])
    live = slots.find_slot(c, task.id, NOON)
    assert live is not None
    assert (live.outcome, live.run_id, live.reason) == ("running", run.id, None)
    settlement.settle(c, [Settlement(run.id, run.fence, "crashed", at(1), reason="node_died")])
    ended = slots.find_slot(c, task.id, NOON)
    assert ended is not None
    assert (ended.outcome, ended.reason) == ("crashed", "node_died")


def test_a_slot_without_a_run_tells_why(c: Connection) -> None:
    task = add_task(c)
    slots.insert_slots(c, [NewSlot(task.id, NOON, None, "missed", "misfire")])
    (slot,) = slots.list_slots(c, task.id, limit=9)
    assert (slot.task_id, slot.nominal_at, slot.outcome, slot.run_id, slot.reason) == (task.id, NOON, "missed", None, "misfire")


def test_what_was_never_planned_has_no_slot(c: Connection) -> None:
    assert slots.find_slot(c, add_task(c).id, NOON) is None


def test_slots_are_paged_newest_first(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    slots.insert_slots(c, [NewSlot(task.id, at(i), run.id if i == 2 else None, None if i == 2 else "missed") for i in range(5)])
    first = slots.list_slots(c, task.id, limit=3)
    assert [slot.nominal_at for slot in first] == [at(4), at(3), at(2)]
    assert first[-1].outcome == runs.get_run(c, run.id).state
    assert [slot.nominal_at for slot in slots.list_slots(c, task.id, before=at(2), limit=3)] == [at(1), at(0)]


def test_no_slots_are_a_batch_too(c: Connection) -> None:
    assert slots.insert_slots(c, []) == set()
