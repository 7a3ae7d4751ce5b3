from tests.factories import NOON
from tests.store.storing import add_ended, add_run, add_running, add_task

from rota.core.lease import holder_of
from rota.store import admission, nodes, placements, runs
from rota.store.connection import Connection
from rota.store.nodes import Node
from rota.store.placements import Placement


def test_one_worker_takes_an_attempt_and_only_once(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert placements.take(c, run.id, run.fence, "ann", NOON)
    assert not placements.take(c, run.id, run.fence, "bob", NOON)
    assert not placements.take(c, run.id, run.fence, "ann", NOON)
    assert placements.find_placement(c, run.id, run.fence) == Placement("ann", None)


def test_what_is_not_running_with_that_fence_is_not_taken(c: Connection) -> None:
    task = add_task(c)
    waiting, ended, running = add_run(c, task), add_ended(c, task), add_running(c, task)
    for run, fence in ((waiting, 0), (ended, 1), (running, 0), (running, 2)):
        assert not placements.take(c, run.id, fence, "ann", NOON)


def test_an_attempt_that_was_closed_before_is_taken_by_nobody(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert placements.close(c, run.id, run.fence) == Placement(None, None)
    assert not placements.take(c, run.id, run.fence, "ann", NOON)


def test_only_who_holds_an_attempt_says_what_it_came_to(c: Connection) -> None:
    run = add_running(c, add_task(c))
    placements.take(c, run.id, run.fence, "ann", NOON)
    assert not placements.finish(c, run.id, run.fence, "bob", "{}")
    assert placements.finish(c, run.id, run.fence, "ann", "{}")
    assert placements.close(c, run.id, run.fence) == Placement("ann", "{}")
    assert not placements.finish(c, run.id, run.fence, "ann", '{"late": 1}')
    assert not placements.is_held(c, run.id, run.fence, "ann")
    assert placements.close(c, run.id, run.fence) == Placement("ann", "{}")
    placements.clear(c, [run.id])
    assert placements.close(c, run.id, run.fence) == Placement("ann", None)


def test_a_later_attempt_is_taken_anew_and_the_old_one_is_over(c: Connection) -> None:
    run = add_running(c, add_task(c))
    placements.take(c, run.id, run.fence, "ann", NOON)
    placements.close(c, run.id, run.fence)
    admission.release(c, [(run.id, run.fence)], NOON, NOON)
    again = admission.claim_direct(c, [run.id], "node", NOON)[0]
    assert placements.take(c, run.id, again.fence, "bob", NOON)
    assert not placements.finish(c, run.id, run.fence, "ann", "{}")
    assert placements.close(c, run.id, run.fence) == Placement(None, None)
    assert placements.is_held(c, run.id, again.fence, "bob")


def test_a_later_attempt_that_nobody_took_is_closed_with_nothing_of_the_one_before(c: Connection) -> None:
    run = add_running(c, add_task(c))
    placements.take(c, run.id, run.fence, "ann", NOON)
    placements.finish(c, run.id, run.fence, "ann", "{}")
    assert placements.close(c, run.id, run.fence + 1) == Placement(None, None)


def test_running_attempts_are_adopted_under_their_fence(c: Connection) -> None:
    task = add_task(c)
    running, ended = add_running(c, task), add_ended(c, task)
    adopted = placements.adopt(c, [(running.id, running.fence), (ended.id, 1)], "next")
    assert [(run.id, run.fence, run.holder) for run in adopted] == [(running.id, running.fence, "next")]
    assert runs.get_run(c, running.id).holder == "next"


def test_each_queue_is_noted_once(c: Connection) -> None:
    for labels in ("", "gpu", ""):
        placements.note_queue(c, labels)
    assert placements.list_queues(c) == ["", "gpu"]


def test_an_attempt_that_nobody_has_is_recalled_and_one_that_somebody_has_is_not(c: Connection) -> None:
    task = add_task(c)
    free, taken = add_running(c, task), add_running(c, task)
    placements.take(c, taken.id, taken.fence, "ann", NOON)
    assert placements.recall(c, free.id, free.fence)
    assert not placements.take(c, free.id, free.fence, "ann", NOON)
    assert not placements.recall(c, taken.id, taken.fence)
    assert placements.is_held(c, taken.id, taken.fence, "ann")
    assert not placements.recall(c, taken.id, taken.fence - 1)
    assert placements.recall(c, taken.id, taken.fence + 1)


def test_it_is_known_who_has_what(c: Connection) -> None:
    task = add_task(c)
    runs_ = [add_running(c, task) for _ in range(3)]
    for run, worker in zip(runs_, ("ann", "bob"), strict=False):
        placements.take(c, run.id, run.fence, worker, NOON)
    asked = [run.id for run in runs_]
    assert placements.list_workers(c, asked) == {runs_[0].id: "ann", runs_[1].id: "bob"}
    placements.close(c, runs_[0].id, runs_[0].fence)
    assert placements.list_workers(c, asked) == {runs_[1].id: "bob"}
    assert placements.list_workers(c, []) == {}


def test_what_is_out_is_all_that_no_server_carries_out_itself(c: Connection) -> None:
    task = add_task(c)
    mine, lost, local, outside = (add_run(c, task) for _ in range(4))
    nodes.insert_node(c, Node(id="alone", name="alone", capacity=4))
    for run, holder in ((mine, "here"), (lost, "gone"), (local, "alone"), (outside, holder_of("them"))):
        admission.claim_direct(c, [run.id], holder, NOON)
    assert [run.id for run in placements.list_out(c)] == sorted([mine.id, lost.id])


def test_what_workers_have_is_what_they_took_and_nobody_closed(c: Connection) -> None:
    task = add_task(c)
    taken, closed, gone, waiting = (add_running(c, task) for _ in range(4))
    nodes.insert_node(c, Node(id="ann-1", name="ann", kind="worker", capacity=4))
    for run, worker in ((taken, "ann-1"), (closed, "ann-1"), (gone, "bob-1")):
        assert placements.take(c, run.id, run.fence, worker, NOON)
    placements.close(c, closed.id, closed.fence)
    assert waiting.state == "running"
    assert placements.list_with_workers(c, 5) == [(taken.id, "ann")]
