from tests.factories import NOON, at, make_id
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.store import retention, runs, settlement, slots, tasks
from rota.store.connection import Connection
from rota.store.retention import OldRun
from rota.store.settlement import RetrySettlement
from rota.store.slots import NewSlot


def ids(found: list[OldRun]) -> list[str]:
    return [run.id for run in found]


def test_the_newest_runs_are_kept(c: Connection) -> None:
    task = add_task(c)
    ended = [add_ended(c, task).id for _ in range(5)]
    assert ids(retention.prunable(c, task.id, keep_runs=2)) == ended[:3]
    assert ids(retention.prunable(c, task.id, keep_runs=2, limit=2)) == ended[:2]
    assert retention.prunable(c, task.id, keep_runs=5) == []
    assert ids(retention.prunable(c, task.id, keep_runs=0)) == ended


def test_runs_from_before_a_moment_go(c: Connection) -> None:
    task = add_task(c)
    ended = [add_ended(c, task, created_at=at(i)).id for i in range(4)]
    assert ids(retention.prunable(c, task.id, keep_for_before=at(2))) == ended[:2]


def test_the_stricter_of_both_rules_counts(c: Connection) -> None:
    task = add_task(c)
    ended = [add_ended(c, task, created_at=at(i)).id for i in range(4)]
    assert ids(retention.prunable(c, task.id, 3, at(2))) == ended[:2]
    assert ids(retention.prunable(c, task.id, 1, at(2))) == ended[:3]
    assert retention.prunable(c, task.id) == []


def test_live_runs_neither_go_nor_count(c: Connection) -> None:
    task = add_task(c)
    live = [add_run(c, task, created_at=at(-99)), add_running(c, task, created_at=at(-99))]
    ended = add_ended(c, task)
    add_ended(c, add_task(c))
    assert retention.prunable(c, task.id, 1, at(-1)) == []
    assert ids(retention.prunable(c, task.id, 0)) == [ended.id]
    assert retention.delete_runs(c, [run.id for run in live]) == []


def test_the_oldest_ended_runs_are_found_across_tasks(c: Connection) -> None:
    one, other = add_task(c), add_task(c)
    add_run(c, one)
    ended = [add_ended(c, task).id for task in (one, other, one)]
    assert ids(retention.oldest_ended(c, 2)) == ended[:2]


def test_a_deleted_run_leaves_its_outcome_in_its_slot(c: Connection) -> None:
    task = add_task(c)
    run = add_ended(c, task, state="crashed", reason="node_died")
    kept = add_ended(c, task)
    slots.insert_slots(c, [NewSlot(task.id, NOON, run.id), NewSlot(task.id, at(1), kept.id)])
    assert retention.delete_runs(c, [run.id]) == [run.id]
    assert runs.find_run(c, run.id) is None
    slot = slots.find_slot(c, task.id, NOON)
    assert slot is not None
    assert (slot.outcome, slot.reason, slot.run_id) == ("crashed", "node_died", None)


def test_attempts_go_with_their_run(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), make_id())])
    runs.request_stop(c, run.id, "cancel", at(3))
    assert retention.delete_runs(c, [run.id]) == [run.id]
    assert runs.list_attempts(c, run.id) == []


def test_old_slots_go_when_their_runs_are_gone(c: Connection) -> None:
    task = add_task(c)
    kept = add_ended(c, task)
    old = [NewSlot(task.id, at(-2), None, "missed"), NewSlot(task.id, at(-1), kept.id), NewSlot(task.id, at(1), None, "missed")]
    slots.insert_slots(c, old)
    assert retention.prune_slots(c, [task.id], NOON, 5) == 1
    assert [slot.nominal_at for slot in slots.list_slots(c, task.id, limit=9)] == [at(1), at(-1)]


def test_slots_go_some_at_a_time(c: Connection) -> None:
    first, second = add_task(c, name="a"), add_task(c, name="b")
    slots.insert_slots(c, [NewSlot(task.id, at(-n), None, "missed") for task in (first, second) for n in (1, 2, 3)])
    ids = retention.list_task_ids(c, "", 9)
    assert ids == sorted([first.id, second.id])
    assert [retention.prune_slots(c, ids, NOON, 4) for _ in range(3)] == [4, 2, 0]


def test_a_removed_task_goes_when_nothing_of_it_is_left(c: Connection) -> None:
    with_run, bare, fresh, kept = (add_task(c, name=name) for name in "abcd")
    run = add_ended(c, with_run)
    for task in (with_run, bare, fresh):
        tasks.update_status(c, task.id, "removed", from_=["active"], now=at(5) if task is fresh else at(1))
    slots.insert_slots(c, [NewSlot(bare.id, NOON, None, "missed")])
    assert retention.prune_tasks(c, at(5), 9) == 1
    assert set(retention.list_task_ids(c, "", 9)) == {with_run.id, fresh.id, kept.id}
    retention.delete_runs(c, [run.id])
    assert retention.prune_tasks(c, at(5), 9) == 1
