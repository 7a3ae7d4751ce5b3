from tests.factories import NOON, at, make_id
from tests.store.storing import add_run, add_running, add_task

from rota.store import admission, runs, settlement
from rota.store.connection import Connection
from rota.store.settlement import RetrySettlement, Settlement


def test_a_settled_run_has_ended_with_all_that_came_of_it(c: Connection) -> None:
    run = add_running(c, add_task(c))
    won = settlement.settle(c, [Settlement(run.id, run.fence, "failed", at(4), 3, "no\x00", "log_overflow", {"a": [1]})])
    assert won == [run.id]
    after = runs.get_run(c, run.id)
    assert (after.state, after.ended_at, after.exit_code, after.error, after.reason, after.output, after.holder) == (
        "failed",
        at(4),
        3,
        "no\ufffd",
        "log_overflow",
        {"a": [1]},
        None,
    )


def test_a_whole_batch_is_settled_each_in_its_own_way(c: Connection) -> None:
    task = add_task(c)
    claimed = [add_running(c, task) for _ in range(150)]
    rows = [Settlement(run.id, run.fence, "failed" if i % 3 else "succeeded", at(i), i or None) for i, run in enumerate(claimed)]
    assert set(settlement.settle(c, rows)) == {run.id for run in claimed}
    after = runs.get_run(c, claimed[100].id)
    assert (after.state, after.ended_at, after.exit_code) == ("failed", at(100), 100)


def test_a_stale_fence_changes_nothing(c: Connection) -> None:
    run = add_running(c, add_task(c))
    admission.release(c, [(run.id, 1)], NOON, NOON)
    (again,) = admission.claim_direct(c, [run.id], "other", NOON)
    assert settlement.settle(c, [Settlement(run.id, 1, "succeeded", at(1))]) == []
    assert settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), make_id())]) == []
    assert settlement.resume(c, [(run.id, 1)], at(1), at(1)) == []
    assert runs.get_run(c, run.id) == again
    assert runs.list_attempts(c, run.id) == []


def test_a_run_is_settled_once(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert settlement.settle(c, [Settlement(run.id, 1, "succeeded", at(1))]) == [run.id]
    assert settlement.settle(c, [Settlement(run.id, 1, "failed", at(2))]) == []
    assert runs.get_run(c, run.id).state == "succeeded"


def test_a_run_that_was_not_claimed_is_not_settled(c: Connection) -> None:
    run = add_run(c, add_task(c))
    assert settlement.settle(c, [Settlement(run.id, 0, "succeeded", at(1))]) == []


def test_a_retry_waits_and_its_attempt_is_kept(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(9), make_id(), 7, "no")]) == [run.id]
    after = runs.get_run(c, run.id)
    assert (after.state, after.due_at, after.exit_code, after.error, after.attempt, after.holder, after.ended_at) == (
        "pending",
        at(9),
        7,
        "no",
        1,
        None,
        None,
    )
    assert [attempt.number for attempt in runs.list_attempts(c, run.id)] == [1]
    assert admission.list_new(c, at(8), 9) == []
    assert [candidate.attempt for candidate in admission.list_new(c, at(9), 9)] == [1]


def test_a_run_that_was_asked_to_stop_gets_no_further_attempt(c: Connection) -> None:
    run = add_running(c, add_task(c))
    runs.request_stop(c, run.id, "cancel", at(1))
    assert settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(2), at(9), make_id(), 7)]) == []
    after = runs.get_run(c, run.id)
    assert (after.state, after.ended_at, after.exit_code) == ("canceled", at(2), 7)
    assert len(runs.list_attempts(c, run.id)) == 1
    assert admission.next_due(c) is None


def test_a_resumed_attempt_keeps_its_number(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert settlement.resume(c, [(run.id, 1)], at(1), at(2)) == [run.id]
    waiting = runs.get_run(c, run.id)
    assert (waiting.state, waiting.attempt, waiting.due_at, waiting.holder) == ("pending", 1, at(2), None)
    (again,) = admission.claim_direct(c, [run.id], "node", at(2))
    assert (again.attempt, again.fence) == (1, 2)
    admission.release(c, [(run.id, 2)], at(2), at(2))
    (third,) = admission.claim_direct(c, [run.id], "node", at(2))
    assert (third.attempt, third.fence) == (1, 3)
    settlement.settle_retry(c, [RetrySettlement(run.id, 3, "failed", at(3), at(3), make_id())])
    assert admission.claim_direct(c, [run.id], "node", at(4))[0].attempt == 2


def test_a_resumed_attempt_that_was_asked_to_stop_ends(c: Connection) -> None:
    run = add_running(c, add_task(c))
    runs.request_stop(c, run.id, "timeout", at(1))
    assert settlement.resume(c, [(run.id, 1)], at(2), at(2)) == []
    assert (runs.get_run(c, run.id).state, runs.get_run(c, run.id).ended_at) == ("timed_out", at(2))


def test_running_runs_are_listed_by_holder(c: Connection) -> None:
    task = add_task(c)
    own, other = [add_run(c, task) for _ in range(2)]
    admission.claim_direct(c, [own.id], "one", NOON)
    admission.claim_direct(c, [other.id], "two", NOON)
    assert [run.id for run in settlement.list_running(c)] == [own.id, other.id]
    assert [run.id for run in settlement.list_running(c, "one")] == [own.id]
    assert [run.id for run in settlement.list_orphans(c, ["two", "three"])] == [other.id]
    assert [run.id for run in settlement.list_orphans(c, except_holder="two")] == [own.id]
    assert settlement.list_orphans(c) == []
