from tests.factories import NOON, at, make_id
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.core.overlap import Occupancy
from rota.store import admission, runs, settlement
from rota.store.admission import Candidate
from rota.store.connection import Connection
from rota.store.settlement import RetrySettlement, Settlement


def ids(candidates: list[Candidate]) -> list[str]:
    return [candidate.run_id for candidate in candidates]


def test_new_runs_come_in_queue_order_when_they_are_due(c: Connection) -> None:
    task = add_task(c)
    late = add_run(c, task, due_at=at(5))
    early = add_run(c, task, due_at=at(1))
    urgent = add_run(c, task, due_at=at(5), priority=1)
    twin = add_run(c, task, due_at=at(5))
    add_run(c, task, due_at=at(6), priority=1)
    assert ids(admission.list_new(c, at(5), 10)) == [urgent.id, early.id, late.id, twin.id]
    assert ids(admission.list_new(c, at(5), 2)) == [urgent.id, early.id]


def test_a_candidate_tells_what_admission_needs(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task, created_at=at(-1), priority=3, instance=2, concurrency_key="k", dedupe_key="ann/d")
    assert admission.list_new(c, NOON, 1) == [Candidate(run.id, task.id, NOON, at(-1), 3, 0, "k", "ann/d", 2)]


def test_the_next_due_moment_is_that_of_new_runs_alone(c: Connection) -> None:
    task = add_task(c)
    assert admission.next_due(c) is None
    add_run(c, task, due_at=at(1), admission="held")
    add_run(c, task, due_at=at(9), priority=1)
    add_run(c, task, due_at=at(5), priority=9)
    assert admission.next_due(c) == at(5)


def test_occupancy_counts_running_and_ready_as_active(c: Connection) -> None:
    busy, idle = add_task(c), add_task(c)
    add_running(c, busy)
    for kind in ("ready", "held", "held", "new"):
        add_run(c, busy, admission=kind)
    add_ended(c, busy)
    assert admission.occupancy(c, [busy.id, idle.id, busy.id]) == {busy.id: Occupancy(2, 2), idle.id: Occupancy(0, 0)}


def test_a_concurrency_key_is_busy_while_a_run_with_it_is_running_or_ready(c: Connection) -> None:
    task = add_task(c)
    add_running(c, task, concurrency_key="running")
    add_run(c, task, concurrency_key="ready", admission="ready")
    add_run(c, task, concurrency_key="held", admission="held")
    add_ended(c, task, concurrency_key="ended")
    assert admission.busy_keys(c, ["running", "ready", "held", "ended", "unknown"]) == {"running", "ready"}


def test_the_latest_run_with_a_dedupe_key_counts(c: Connection) -> None:
    task = add_task(c)
    add_ended(c, task, dedupe_key="k", created_at=at(-9))
    add_ended(c, task, dedupe_key="k", created_at=at(-5))
    add_run(c, task, dedupe_key="live", created_at=at(-3), admission="held")
    found = admission.latest_by_dedupe(c, ["k", "live", "unknown"], [])
    assert found == {"k": (at(-5), False), "live": (at(-3), True)}


def test_refused_runs_and_candidates_are_no_reason_to_refuse(c: Connection) -> None:
    task = add_task(c)
    add_ended(c, task, dedupe_key="k", created_at=at(-9))
    for state in ("skipped", "queue_full", "missed"):
        add_ended(c, task, dedupe_key="k", created_at=at(-5), state=state)
    new = add_run(c, task, dedupe_key="k", created_at=at(-1))
    assert admission.latest_by_dedupe(c, ["k"], [new.id]) == {"k": (at(-9), False)}
    assert admission.latest_by_dedupe(c, ["k"], []) == {"k": (at(-9), False)}


def test_a_run_that_waits_for_its_retry_is_live_but_no_reason_against_itself(c: Connection) -> None:
    task = add_task(c)
    add_ended(c, task, dedupe_key="k", created_at=at(-9))
    run = add_running(c, task, dedupe_key="k", created_at=at(-1))
    settlement.settle_retry(c, [RetrySettlement(run.id, run.fence, "failed", at(1), at(2), make_id())])
    assert admission.latest_by_dedupe(c, ["k"], []) == {"k": (at(-1), True)}
    assert admission.latest_by_dedupe(c, ["k"], [run.id]) == {"k": (at(-9), False)}


def test_new_runs_are_held_or_made_ready_once(c: Connection) -> None:
    task = add_task(c)
    first, second = add_run(c, task), add_run(c, task)
    assert admission.set_held(c, [first.id, second.id]) != []
    assert admission.set_held(c, [first.id]) == []
    assert admission.set_ready(c, [first.id]) == [first.id]
    assert admission.set_ready(c, [first.id]) == []
    assert admission.occupancy(c, [task.id]) == {task.id: Occupancy(1, 1)}


def test_a_running_run_is_neither_held_nor_made_ready(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert admission.set_held(c, [run.id]) == admission.set_ready(c, [run.id]) == []


def test_a_refused_run_ends_unstarted(c: Connection) -> None:
    task = add_task(c)
    new, held, running = add_run(c, task), add_run(c, task, admission="held"), add_running(c, task)
    rows = [(run.id, "skipped", "overlap", at(1)) for run in (new, held, running)]
    assert set(admission.refuse(c, rows)) == {new.id, held.id}  # type: ignore[arg-type]
    after = runs.get_run(c, held.id)
    assert (after.state, after.reason, after.ended_at, after.attempt) == ("skipped", "overlap", at(1), 0)
    assert runs.get_run(c, running.id) == running
    assert admission.list_new(c, NOON, 9) == []


def test_a_refused_retry_keeps_what_its_last_attempt_came_to(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), make_id(), 1, "first")])
    admission.claim_direct(c, [run.id], "node", at(2))
    settlement.settle_retry(c, [RetrySettlement(run.id, 2, "timed_out", at(3), at(4), make_id(), 137, "second")])
    assert admission.refuse(c, [(run.id, "queue_full", None, at(4))]) == [run.id]
    after = runs.get_run(c, run.id)
    assert (after.state, after.reason, after.exit_code, after.error, after.attempt) == (
        "timed_out",
        "retry_refused",
        137,
        "second",
        2,
    )


def test_a_retry_that_was_claimed_and_given_back_is_refused_as_any_other(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), make_id(), 1, "first")])
    admission.claim_direct(c, [run.id], "node", at(2))
    admission.release(c, [(run.id, 2)], at(2), at(3))
    admission.refuse(c, [(run.id, "skipped", "overlap", at(4))])
    after = runs.get_run(c, run.id)
    assert (after.state, after.reason, after.exit_code, after.error) == ("failed", "retry_refused", 1, "first")


def test_an_attempt_that_was_to_go_on_and_is_refused_has_crashed(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.resume(c, [(run.id, 1)], at(1), at(1))
    admission.refuse(c, [(run.id, "skipped", "overlap", at(4))])
    assert runs.get_run(c, run.id).state == "crashed"


def test_the_heads_of_queues_come_by_task_and_by_key(c: Connection) -> None:
    one, other = add_task(c), add_task(c)
    low = add_run(c, one, admission="held", priority=9)
    high = add_run(c, one, admission="held", priority=1)
    keyed = add_run(c, other, admission="held", concurrency_key="k")
    add_run(c, other, admission="new", concurrency_key="k")
    assert ids(admission.list_held(c, [one.id], [], 10)) == [high.id, low.id]
    assert ids(admission.list_held(c, [], ["k"], 10)) == [keyed.id]
    assert ids(admission.list_held(c, [one.id, other.id], ["k"], 10)) == [high.id, keyed.id, low.id]
    assert ids(admission.list_held(c, [one.id, other.id], [], 2)) == [high.id, keyed.id]
    assert admission.list_held(c, [], [], 10) == []


def test_a_long_queue_does_not_hide_a_short_one(c: Connection) -> None:
    long, short = add_task(c), add_task(c)
    for _ in range(9):
        add_run(c, long, admission="held", priority=1)
    last = add_run(c, short, admission="held", priority=9)
    assert last.id in ids(admission.list_held(c, [long.id, short.id], [], 4))


def test_tasks_with_held_runs_are_listed_once(c: Connection) -> None:
    assert admission.list_tasks_with_held(c) == []
    queued = sorted(add_task(c).id for _ in range(3))
    for task_id in queued * 2:
        add_run(c, task_id, admission="held")
    add_run(c, add_task(c))
    assert sorted(admission.list_tasks_with_held(c)) == queued


def test_a_claim_takes_the_head_of_the_queue(c: Connection) -> None:
    task = add_task(c)
    late = add_run(c, task, admission="ready", due_at=at(2))
    early = add_run(c, task, admission="ready", due_at=at(1))
    urgent = add_run(c, task, admission="ready", due_at=at(9), priority=1)
    add_run(c, task, admission="held", priority=1)
    assert [run.id for run in admission.claim(c, 2, "node", at(9))] == [urgent.id, early.id]
    (claimed,) = admission.claim(c, 2, "node", at(10))
    assert claimed == runs.get_run(c, late.id)
    assert (claimed.state, claimed.holder, claimed.started_at, claimed.attempt, claimed.fence) == (
        "running",
        "node",
        at(10),
        1,
        1,
    )
    assert admission.claim(c, 2, "node", at(10)) == []


def test_excluded_tasks_are_passed_over(c: Connection) -> None:
    one, other, third = add_task(c), add_task(c), add_task(c)
    for task in (one, other, third):
        add_run(c, task, admission="ready")
    assert [run.task_id for run in admission.claim(c, 9, "node", NOON, [one.id, third.id])] == [other.id]


def test_only_new_runs_are_claimed_directly_and_only_once(c: Connection) -> None:
    task = add_task(c)
    new = [add_run(c, task, priority=priority).id for priority in (5, 1)]
    held = add_run(c, task, admission="held").id
    claimed = admission.claim_direct(c, [*new, held, make_id()], "node", at(1))
    assert [run.id for run in claimed] == new[::-1]
    assert admission.claim_direct(c, new, "other", at(2)) == []
    assert runs.get_run(c, new[0]).holder == "node"


def test_a_claim_forgets_what_the_attempt_before_came_to(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), make_id(), 1, "no", "spawn")])
    waiting = runs.get_run(c, run.id)
    assert (waiting.exit_code, waiting.error, waiting.reason) == (1, "no", "spawn")
    (again,) = admission.claim_direct(c, [run.id], "node", at(2))
    assert (again.attempt, again.fence, again.exit_code, again.error, again.reason) == (2, 2, None, None, None)


def test_a_claim_given_back_waits_again_with_a_spent_fence(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert admission.release(c, [(run.id, 9)], at(1), at(2)) == []
    assert admission.release(c, [(run.id, 1)], at(1), at(2)) == [run.id]
    after = runs.get_run(c, run.id)
    assert (after.state, after.attempt, after.fence, after.holder, after.started_at, after.due_at) == (
        "pending",
        0,
        1,
        None,
        None,
        at(2),
    )
    assert admission.next_due(c) == at(2)
    (again,) = admission.claim_direct(c, [run.id], "other", at(2))
    assert (again.attempt, again.fence) == (1, 2)
    assert settlement.settle(c, [Settlement(run.id, 1, "succeeded", at(3))]) == []


def test_a_claim_given_back_after_a_stop_ends_as_the_stop_says(c: Connection) -> None:
    run = add_running(c, add_task(c))
    runs.request_stop(c, run.id, "replaced", at(1))
    assert admission.release(c, [(run.id, 1)], at(2), at(3)) == []
    after = runs.get_run(c, run.id)
    assert (after.state, after.reason, after.ended_at) == ("stopped", "replaced", at(2))
    assert admission.next_due(c) is None


def test_the_oldest_active_run_is_one_that_nobody_stops_yet(c: Connection) -> None:
    task = add_task(c)
    assert admission.oldest_active(c, task.id) is None
    ready = add_run(c, task, admission="ready")
    first, second = add_running(c, task), add_running(c, task)
    assert admission.oldest_active(c, task.id) == ready
    runs.request_stop(c, ready.id, "replaced", at(1))
    assert admission.oldest_active(c, task.id) == first
    runs.request_stop(c, first.id, "replaced", at(1))
    assert admission.oldest_active(c, task.id) == second


def test_a_stop_is_listed_for_its_holder_until_it_is_delivered(c: Connection) -> None:
    task = add_task(c)
    asked = add_running(c, task)
    add_running(c, task)
    assert not admission.is_stopping(c, task.id)
    runs.request_stop(c, asked.id, "replaced", at(1))
    assert admission.list_stops(c, "node") == [(asked.id, "replaced")]
    assert admission.list_stops(c, "other") == []
    assert admission.is_stopping(c, task.id)
    runs.mark_delivered(c, [asked.id], at(2))
    assert admission.list_stops(c, "node") == []


def test_runs_that_nobody_can_carry_out_are_counted_by_what_is_in_the_way(c: Connection) -> None:
    task = add_task(c)
    held = [add_run(c, task) for _ in range(3)]
    admission.set_held(c, [run.id for run in held])
    told = [(held[0].id, "no node offers gpu"), (held[1].id, "no node offers gpu")]
    assert sorted(admission.mark_unplaced(c, told)) == sorted(run_id for run_id, _ in told)
    assert admission.mark_unplaced(c, told) == []
    assert admission.count_unplaced(c) == [("no node offers gpu", 2)]
