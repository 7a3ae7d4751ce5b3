import pytest
from tests.factories import NOON, at, make_id, make_new_run, make_run
from tests.store.storing import add_ended, add_run, add_running, add_task, add_user

from rota.core.errors import Conflict, NotFound
from rota.core.outcome import STOP_OUTCOMES, StopCause
from rota.core.run import Run
from rota.core.states import ENDED, State
from rota.store import admission, runs, settlement
from rota.store.connection import Connection
from rota.store.settlement import RetrySettlement, Settlement


def test_a_run_comes_back_as_it_was_stored(c: Connection) -> None:
    task = add_task(c)
    run = make_run(
        task,
        trigger="schedule",
        nominal_at=at(0.25),
        created_at=at(1.000001),
        due_at=at(2),
        started_at=at(3),
        ended_at=at(4),
        state="failed",
        attempt=2,
        fence=7,
        holder="node",
        priority=1,
        instance=3,
        params={"a": [1, {"b": None}], "ü": "☂"},
        exit_code=-9,
        output={"rows": 3},
        error="no\ttab\nof 'mine' 100% ?",
        reason="spawn",
        cause_run_id=make_id(),
        depth=2,
        actor_id="ann",
    )
    runs.insert_runs(c, [runs.NewRun(run)])
    assert runs.get_run(c, run.id) == run


def test_a_plain_run_comes_back_with_its_defaults(c: Connection) -> None:
    run = add_run(c, add_task(c))
    assert runs.get_run(c, run.id) == run


def test_a_nul_in_an_error_does_not_keep_the_run_from_being_stored(c: Connection) -> None:
    run = add_ended(c, add_task(c), error="a\x00b")
    assert runs.get_run(c, run.id).error == "a\ufffdb"


def test_an_unknown_run_is_not_found(c: Connection) -> None:
    assert runs.find_run(c, make_id()) is None
    with pytest.raises(NotFound):
        runs.get_run(c, make_id())


def test_a_pending_run_is_new_and_an_ended_one_is_not_work(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    add_run(c, task, state="missed", ended_at=NOON, reason="downtime")
    assert [candidate.run_id for candidate in admission.list_new(c, NOON, 10)] == [run.id]


def test_nothing_is_a_batch_too(c: Connection) -> None:
    runs.insert_runs(c, [])
    runs.mark_delivered(c, [], NOON)
    assert runs.count_by_state(c) == {"pending": 0, "running": 0}


def test_live_runs_are_counted_by_state(c: Connection) -> None:
    task = add_task(c)
    assert runs.count_by_state(c) == {"pending": 0, "running": 0}
    add_run(c, task)
    add_run(c, task, admission="held")
    add_running(c, task)
    add_ended(c, task)
    assert runs.count_by_state(c) == {"pending": 2, "running": 1}


def ids(found: list[Run]) -> list[str]:
    return [run.id for run in found]


def test_runs_are_paged_newest_first(c: Connection) -> None:
    task = add_task(c)
    stored = [add_ended(c, task).id for _ in range(5)]
    first = ids(runs.list_runs(c, everyone=True, limit=2))
    assert first == [stored[4], stored[3]]
    assert ids(runs.list_runs(c, everyone=True, before=first[-1], limit=9)) == [stored[2], stored[1], stored[0]]


def test_every_state_is_listed_by_task_by_owner_and_of_everyone(c: Connection) -> None:
    owner_id = add_user(c)
    task, other = add_task(c, owner_id=owner_id), add_task(c)
    stored: dict[State, list[str]] = {}
    for state in sorted(ENDED):
        stored[state] = [add_ended(c, task, state=state).id for _ in range(2)]
        add_ended(c, other, state=state)
    stored["pending"] = [add_run(c, task, admission=kind).id for kind in ("new", "held")]
    stored["running"] = [add_running(c, task).id for _ in range(2)]
    add_run(c, other)
    add_running(c, other)
    for state, members in stored.items():
        assert ids(runs.list_runs(c, task_id=task.id, states=[state], limit=9)) == members[::-1]
        assert ids(runs.list_runs(c, owner_id=owner_id, states=[state], limit=9)) == members[::-1]
        assert ids(runs.list_runs(c, task_id=task.id, states=[state], before=members[1], limit=9)) == members[:1]
        assert len(runs.list_runs(c, everyone=True, states=[state], limit=9)) == 3


def test_several_states_are_merged_into_one_page(c: Connection) -> None:
    task = add_task(c)
    failed = [add_ended(c, task, state="failed").id, add_run(c, task).id, add_ended(c, task, state="crashed").id]
    add_ended(c, task)
    found = runs.list_runs(c, task_id=task.id, states=["failed", "crashed", "pending", "failed"], limit=2)
    assert ids(found) == [failed[2], failed[1]]
    assert runs.list_runs(c, task_id=task.id, states=[], limit=2) == []


def test_an_owner_sees_the_runs_of_own_tasks_alone(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    own, other = add_task(c, owner_id=ann), add_task(c, owner_id=bob)
    run = add_run(c, own)
    add_run(c, other)
    assert ids(runs.list_runs(c, owner_id=ann, limit=9)) == [run.id]
    assert ids(runs.list_runs(c, owner_id=ann, task_id=own.id, limit=9)) == [run.id]
    assert runs.list_runs(c, owner_id=ann, task_id=other.id, limit=9) == []


def test_a_list_of_nobody_in_particular_has_to_say_everyone(c: Connection) -> None:
    with pytest.raises(ValueError, match="everyone"):
        runs.list_runs(c, limit=9)


@pytest.mark.parametrize("cause", STOP_OUTCOMES)
def test_what_waits_is_ended_at_once_by_a_stop(c: Connection, cause: StopCause) -> None:
    run = add_run(c, add_task(c), admission="held")
    after = runs.request_stop(c, run.id, cause, at(3))
    assert after is not None
    assert ((after.state, after.reason), after.ended_at) == (STOP_OUTCOMES[cause], at(3))
    receipt = runs.find_receipt(c, run.id)
    assert receipt is not None
    assert (receipt.result, receipt.requested_at, receipt.ended_at) == ("canceled", at(3), at(3))
    assert admission.list_tasks_with_held(c) == []


def test_a_running_run_is_asked_and_the_stronger_cause_stays(c: Connection) -> None:
    run = add_running(c, add_task(c))
    for cause, moment in (("stop", at(1)), ("timeout", at(2)), ("cancel", at(3))):
        after = runs.request_stop(c, run.id, cause, moment)  # type: ignore[arg-type]
        assert after == run
    assert c.row("SELECT stop_cause FROM runs WHERE id = ?", (run.id,)) == ("timeout",)
    receipt = runs.find_receipt(c, run.id)
    assert receipt is not None
    assert (receipt.requested_at, receipt.delivered_at, receipt.result) == (at(1), None, "pending")


def test_an_ended_run_is_not_stopped(c: Connection) -> None:
    run = add_ended(c, add_task(c))
    assert runs.request_stop(c, run.id, "cancel", at(1)) is None
    assert runs.request_stop(c, make_id(), "cancel", at(1)) is None
    assert runs.find_receipt(c, run.id) is None


def test_delivery_is_noted_once_and_only_where_a_stop_was_asked_for(c: Connection) -> None:
    task = add_task(c)
    asked, not_asked = add_running(c, task), add_running(c, task)
    runs.request_stop(c, asked.id, "cancel", at(1))
    runs.mark_delivered(c, [asked.id, not_asked.id], at(2))
    runs.mark_delivered(c, [asked.id, not_asked.id], at(3))
    receipt = runs.find_receipt(c, asked.id)
    assert receipt is not None
    assert receipt.delivered_at == at(2)
    assert runs.find_receipt(c, not_asked.id) is None


@pytest.mark.parametrize(("state", "result"), [("canceled", "canceled"), ("succeeded", "finished_first")])
def test_a_receipt_tells_whether_the_cancel_or_the_work_was_first(c: Connection, state: str, result: str) -> None:
    run = add_running(c, add_task(c))
    runs.request_stop(c, run.id, "cancel", at(1))
    settlement.settle(c, [Settlement(run.id, run.fence, state, at(2))])  # type: ignore[arg-type]
    receipt = runs.find_receipt(c, run.id)
    assert receipt is not None
    assert (receipt.result, receipt.ended_at) == (result, at(2))


def test_attempts_that_ended_while_the_run_went_on_are_listed_in_order(c: Connection) -> None:
    run, second_id, third_id = add_running(c, add_task(c)), make_id(), make_id()
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(1), at(2), second_id, 3, "no", None, 40)])
    admission.claim_direct(c, [run.id], "node", at(2))
    settlement.settle_retry(c, [RetrySettlement(run.id, 2, "timed_out", at(5), at(6), third_id, next_line=70)])
    first, second = runs.list_attempts(c, run.id)
    assert (first.number, first.state, first.started_at, first.ended_at, first.exit_code, first.error) == (
        1,
        "failed",
        NOON,
        at(1),
        3,
        "no",
    )
    assert (second.number, second.state, second.started_at, second.first_line) == (2, "timed_out", at(2), 40)
    assert [(first.id, first.created_at), (second.id, second.created_at)] == [(run.id, run.created_at), (second_id, at(1))]
    after = runs.get_run(c, run.id)
    assert (after.attempt_id, after.attempt_at) == (third_id, at(5))


def test_an_id_is_stored_once(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    with pytest.raises(Exception) as caught:
        runs.insert_runs(c, [make_new_run(task, id=run.id)])
    assert isinstance(c.translate(caught.value), Conflict)


def test_runs_are_read_by_id_oldest_first(c: Connection) -> None:
    task = add_task(c)
    first, second = add_run(c, task, concurrency_key="k"), add_run(c, task)
    assert runs.get_runs(c, [second.id, make_id(), first.id]) == [first, second]
    endings = settlement.list_endings(c, [second.id, make_id(), first.id])
    assert endings == [(first, "k", task.version, "active"), (second, None, task.version, "active")]


def test_the_live_runs_of_instances_are_the_pending_and_the_running(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    live = [add_run(c, task, instance=0), add_run(c, task, instance=2, admission="held"), add_running(c, task, instance=1)]
    add_ended(c, task, instance=3)
    add_run(c, task)
    add_run(c, other, instance=0)
    assert sorted(ids(runs.list_live(c, [task.id]))) == ids(live)
