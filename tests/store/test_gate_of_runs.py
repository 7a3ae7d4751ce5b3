"""Runs at the jitter gate."""

from tests.factories import at, make_new_run
from tests.store.storing import add_task

from rota.core.gate import Fire
from rota.store import admission, gate, runs, slots, tasks, waiting
from rota.store.connection import Connection
from rota.store.gate import Entry
from rota.store.runrow import NewRun
from rota.store.slots import NewSlot


def arrive(c: Connection, count: int = 2) -> list[NewRun]:
    """Runs of tasks of their own, all of one tick, each 10 s behind the one before."""
    news = [make_new_run(add_task(c), nominal_at=at(0), trigger="schedule") for _ in range(count)]
    runs.insert_runs(c, news)
    slots.insert_slots(c, [NewSlot(new.run.task_id, at(0), new.run.id) for new in news])
    gate.enter(c, [Entry(new.run.id, at(10 * number), 60) for number, new in enumerate(news)])
    return news


def test_what_arrives_is_no_candidate_for_admission(c: Connection) -> None:
    first, second = arrive(c)
    assert admission.list_new(c, at(100), 10) == []
    queue = gate.get_queue(c)
    assert {(fire.run_id, fire.deadline_at, fire.window_s) for fire in queue.arrived} == {
        (first.run.id, at(0), 60),
        (second.run.id, at(10), 60),
    }
    assert (queue.held, queue.in_flight) == ([], [])


def test_what_is_let_through_is_in_flight_until_it_ends(c: Connection) -> None:
    first, second = arrive(c)
    fires = {fire.run_id: fire for fire in gate.get_queue(c).arrived}
    gate.let_pass(c, [fires[first.run.id]], at(1))
    gate.hold(c, [fires[second.run.id]])
    assert [candidate.run_id for candidate in admission.list_new(c, at(1), 10)] == [first.run.id]
    queue = gate.get_queue(c)
    assert [flight.started_at for flight in queue.in_flight] == [at(1)]
    assert [fire.run_id for fire in queue.held] == [second.run.id]
    runs.request_stop(c, first.run.id, "cancel", at(2))
    assert gate.get_queue(c).in_flight == []


def test_a_deadline_moves_with_its_run(c: Connection) -> None:
    [new] = arrive(c, 1)
    [fire] = gate.get_queue(c).arrived
    gate.hold(c, [fire])
    gate.move(c, [Fire(run_id=fire.run_id, name=fire.name, tick_at=at(0), deadline_at=at(40), window_s=60)])
    assert runs.get_run(c, new.run.id).due_at == at(40)
    assert gate.get_queue(c).held[0].deadline_at == at(40)


def test_a_run_that_is_put_off_leaves_the_gate(c: Connection) -> None:
    [new] = arrive(c, 1)
    found = waiting.find_occurrence(c, new.run.task_id, at(-1))
    assert found is not None
    assert waiting.postpone(c, found.id, at(500))
    assert gate.get_queue(c) == ([], [], [])
    assert [candidate.run_id for candidate in admission.list_new(c, at(500), 10)] == [new.run.id]


def test_what_stands_at_the_gate_is_taken_back_and_planned_again(c: Connection) -> None:
    first, second = arrive(c)
    gate.let_pass(c, [fire for fire in gate.get_queue(c).arrived if fire.run_id == first.run.id], at(0))
    tasks.update_cursors(c, [tasks.Cursor(new.run.task_id, at(5), None) for new in (first, second)])
    assert gate.forget_held(c) == 1
    assert (runs.find_run(c, second.run.id), slots.find_slot(c, second.run.task_id, at(0))) == (None, None)
    assert tasks.get_task(c, second.run.task_id).cursor_at < at(0)
    assert tasks.get_task(c, first.run.task_id).cursor_at == at(5)
    assert runs.find_run(c, first.run.id) is not None
