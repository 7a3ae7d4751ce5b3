"""Leases: runs that workers from outside take, keep and lose."""

from datetime import timedelta

from msgspec.structs import replace
from tests.factories import NOON, at
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.core.lease import STOP_GRACE, Lease, holder_of
from rota.core.run import Run
from rota.store import admission, leases, runs, runsecrets, settlement
from rota.store.connection import Connection


def lease_of(run: Run, seconds: float) -> Lease:
    return Lease(run_id=run.id, fence=run.fence, until_at=at(seconds), silence_s=60.0)


def test_of_two_workers_that_want_a_run_one_gets_it(c: Connection) -> None:
    run = add_run(c, add_task(c), admission="offered")
    taken = leases.take(c, run.id, "w", NOON)
    assert taken is not None
    assert (taken.state, taken.holder, taken.fence, taken.attempt, taken.started_at) == ("running", holder_of("w"), 1, 1, NOON)
    assert leases.take(c, run.id, "v", NOON) is None


def test_what_waits_elsewhere_in_the_queue_is_not_to_be_had_until_it_is_offered(c: Connection) -> None:
    run = add_run(c, add_task(c))
    assert leases.take(c, run.id, "w", NOON) is None
    assert leases.offer(c, run.id)
    assert not leases.offer(c, run.id)
    assert admission.list_new(c, NOON, 10) == []
    assert leases.queue(c, run.id, NOON)
    assert not leases.queue(c, run.id, NOON)
    assert [each.run_id for each in admission.list_new(c, NOON, 10)] == [run.id]


def test_a_run_that_is_taken_over_is_lost_to_who_had_it(c: Connection) -> None:
    run = add_running(c, add_task(c))
    taken = leases.take_over(c, run.id, "w")
    assert taken is not None
    assert (taken.holder, taken.fence) == (holder_of("w"), run.fence + 1)
    assert settlement.settle(c, [settlement.Settlement(run.id, run.fence, "succeeded", NOON)]) == []
    assert leases.take_over(c, add_ended(c, run.task_id).id, "w") is None


def test_an_offered_run_takes_a_place_and_its_key(c: Connection) -> None:
    task = add_task(c)
    add_run(c, task, admission="offered", concurrency_key="k")
    assert admission.occupancy(c, [task.id])[task.id].active == 1
    assert admission.busy_keys(c, ["k", "l"]) == {"k"}
    assert admission.oldest_active(c, task.id) is not None
    assert admission.claim(c, 10, "node", NOON) == []


def test_leases_are_over_in_their_order(c: Connection) -> None:
    task = add_task(c)
    late, early = add_running(c, task), add_running(c, task)
    assert leases.next_end(c) is None
    leases.put_lease(c, lease_of(late, 20))
    leases.put_lease(c, lease_of(early, 10))
    assert leases.next_end(c) == at(10)
    assert leases.list_due(c, at(9), 10) == []
    assert [lease.run_id for lease in leases.list_due(c, at(20), 10)] == [early.id, late.id]
    renewed = replace(lease_of(early, 30), is_idle=True)
    leases.put_lease(c, renewed)
    assert leases.find_lease(c, early.id) == renewed
    leases.delete_leases(c, [late.id])
    assert leases.find_lease(c, late.id) is None


def test_a_stop_gives_a_worker_little_time(c: Connection) -> None:
    run = add_running(c, add_task(c))
    leases.put_lease(c, lease_of(run, 3600))
    assert leases.find_stop_asked(c, run.id) is None
    runs.request_stop(c, run.id, "cancel", at(1))
    assert leases.find_stop_asked(c, run.id) == at(1)
    lease = leases.find_lease(c, run.id)
    assert lease is not None
    assert lease.until_at == at(1) + STOP_GRACE
    leases.put_lease(c, lease_of(run, 5))
    runs.request_stop(c, run.id, "cancel", at(2))
    again = leases.find_lease(c, run.id)
    assert again is not None
    assert again.until_at == NOON + timedelta(seconds=5)


def test_what_workers_outside_have_is_no_orphan_of_a_dead_server(c: Connection) -> None:
    task = add_task(c)
    ours, theirs = add_running(c, task), add_run(c, task, admission="offered")
    leases.take(c, theirs.id, "w", NOON)
    assert [run.id for run in settlement.list_orphans(c, except_holder="another")] == [ours.id]


def test_secrets_of_a_run_go_when_it_has_ended(c: Connection) -> None:
    task = add_task(c)
    live, over = add_run(c, task), add_ended(c, task)
    runsecrets.put_secrets(c, over.id, {"A": "1"})
    runsecrets.put_secrets(c, live.id, {"A": "2"})
    runsecrets.put_secrets(c, live.id, {"A": "3"})
    assert runsecrets.list_secrets(c, [live.id, over.id]) == {live.id: {"A": "3"}}
