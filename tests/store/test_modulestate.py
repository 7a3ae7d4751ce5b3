"""What modules keep, and how far runs have come, on both databases."""

from tests.factories import at
from tests.store.storing import add_running, add_task

from rota.store import admission, modulestate, runs, settlement
from rota.store.connection import Connection
from rota.store.settlement import RetrySettlement, Settlement


def test_a_task_keeps_what_its_last_run_said(c: Connection) -> None:
    task = add_task(c)
    assert modulestate.get_state(c, task.id) == {}
    run = add_running(c, task)
    assert modulestate.save_state(c, run.id, run.fence, {"seen": [1]}, at(1))
    assert modulestate.save_state(c, run.id, run.fence, {"seen": [1, 2]}, at(2))
    assert modulestate.get_state(c, task.id) == {"seen": [1, 2]}
    assert modulestate.get_state(c, add_task(c, name="other").id) == {}


def test_only_the_holder_of_a_run_says_what_is_kept_and_how_far_it_has_come(c: Connection) -> None:
    task = add_task(c)
    run = add_running(c, task)
    assert not modulestate.save_state(c, run.id, run.fence - 1, {"a": 1}, at(1))
    assert not runs.note_progress(c, run.id, run.fence - 1, 10)
    settlement.settle(c, [Settlement(run.id, run.fence, "succeeded", at(5))])
    assert not modulestate.save_state(c, run.id, run.fence, {"a": 1}, at(6))
    assert not runs.note_progress(c, run.id, run.fence, 10)
    assert modulestate.get_state(c, task.id) == {}
    assert runs.get_run(c, run.id).progress is None


def test_a_run_that_ends_without_a_word_stands_where_it_was_last(c: Connection) -> None:
    task = add_task(c)
    first, second = add_running(c, task), add_running(c, task)
    for run in (first, second):
        assert runs.note_progress(c, run.id, run.fence, 40)
    settlement.settle(
        c, [Settlement(first.id, first.fence, "failed", at(5)), Settlement(second.id, second.fence, "failed", at(5), progress=70)]
    )
    assert [runs.get_run(c, run.id).progress for run in (first, second)] == [40, 70]


def test_the_next_attempt_begins_without_progress(c: Connection) -> None:
    run = add_running(c, add_task(c))
    runs.note_progress(c, run.id, run.fence, 40)
    settlement.settle_retry(c, [RetrySettlement(run.id, run.fence, "failed", at(5), at(9), "next")])
    assert admission.claim_direct(c, [run.id], "node", at(10))[0].progress is None
