"""Attempts as runs of their own: runs and ended attempts in one list."""

from datetime import timedelta

import pytest
from tests.factories import NOON, at, make_id
from tests.store.storing import add_ended, add_run, add_running, add_task, add_user

from rota.core.run import Run
from rota.core.task import Task
from rota.store import admission, deletion, occurrences, runs, settlement
from rota.store.connection import Connection
from rota.store.occurrences import Direction, Order, SortField, Wanted
from rota.store.settlement import RetrySettlement, Settlement


def fail(c: Connection, run: Run, attempt: int, next_id: str, code: int = 1) -> None:
    """Attempt by attempt, ten seconds each, with a log of ten lines."""
    ended = at(10 * attempt)
    row = RetrySettlement(run.id, attempt, "failed", ended, ended, next_id, code, "no", next_line=10 * attempt)
    assert settlement.settle_retry(c, [row]) == [run.id]


def retried(c: Connection, task: Task) -> tuple[Run, str, str]:
    """A run whose third attempt succeeded."""
    run, second, third = add_running(c, task), make_id(), make_id()
    fail(c, run, 1, second, 3)
    admission.claim_direct(c, [run.id], "node", at(11))
    fail(c, run, 2, third, 4)
    admission.claim_direct(c, [run.id], "node", at(21))
    settlement.settle(c, [Settlement(run.id, 3, "succeeded", at(30), 0)])
    return run, second, third


def ids(c: Connection, order: Order | None = None, limit: int = 50, offset: int = 0, **wanted: object) -> list[str]:
    found = occurrences.list_occurrences(c, Wanted(**wanted), order or Order(), limit, offset)  # type: ignore[arg-type]
    if limit == 50 and not offset:
        assert occurrences.count_occurrences(c, Wanted(**wanted)) == len(found)  # type: ignore[arg-type]
    return [each.id for each in found]


def test_each_attempt_is_a_run_that_names_the_one_before(c: Connection) -> None:
    run, second, third = retried(c, add_task(c))
    found = occurrences.list_occurrences(c, Wanted(), Order(), 50)
    assert [(each.id, each.retry, each.previous_id, each.state, each.exit_code) for each in found] == [
        (third, 2, second, "succeeded", 0),
        (second, 1, run.id, "failed", 4),
        (run.id, 0, None, "failed", 3),
    ]
    moments = [(each.created_at, each.started_at, each.ended_at) for each in found]
    assert moments == [(at(20), at(21), at(30)), (at(10), at(11), at(20)), (NOON, NOON, at(10))]
    assert [occurrences.find_occurrence(c, each.id) for each in found] == found
    assert [occurrences.find_lines(c, each) for each in found] == [(20, None), (10, 20), (0, 10)]


def test_a_retry_that_waits_is_pending_and_one_that_is_stopped_never_started(c: Connection) -> None:
    run, second = add_running(c, add_task(c)), make_id()
    fail(c, run, 1, second)
    waiting = occurrences.list_occurrences(c, Wanted(), Order(), 1)[0]
    assert (waiting.id, waiting.state, waiting.retry, waiting.previous_id) == (second, "pending", 1, run.id)
    assert (waiting.exit_code, waiting.started_at) == (None, None)
    runs.request_stop(c, run.id, "stop", at(12))
    stopped = occurrences.list_occurrences(c, Wanted(), Order(), 1)[0]
    assert (stopped.id, stopped.state, stopped.exit_code, stopped.started_at) == (second, "stopped", -1, None)
    assert ids(c, exit_codes=(-1, -1)) == [second]


def test_a_list_is_newest_first_and_paged_over_runs_and_attempts(c: Connection) -> None:
    task = add_task(c)
    first = add_ended(c, task)
    run, second, third = retried(c, task)
    last = add_ended(c, task)
    newest = [last.id, third, second, run.id, first.id]
    assert ids(c) == newest
    assert ids(c, limit=2, offset=1) == newest[1:3]
    assert ids(c, Order(None, "asc")) == newest[::-1]
    assert ids(c, task_ids=(task.id,)) == newest
    assert ids(c, task_ids=()) == []


def test_only_runs_of_the_asked_owner_are_there(c: Connection) -> None:
    ann = add_user(c)
    hers, ours = add_ended(c, add_task(c, owner_id=ann)), add_ended(c, add_task(c))
    assert ids(c) == [ours.id]
    assert ids(c, owner_id=ann) == [hers.id]


def test_filters_narrow_runs_and_attempts_alike(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    run, second, third = retried(c, task)
    crashed = add_ended(c, other, state="crashed", trigger="schedule", nominal_at=at(-60), reason="node_died")
    assert ids(c, states=(("failed", None),)) == [second, run.id]
    assert ids(c, states=(("failed", ("spawn",)), ("succeeded", ("",)))) == [third]
    assert ids(c, retries=True) == [third, second]
    assert ids(c, exit_codes=(3, None)) == [second, run.id]
    assert ids(c, exit_codes=(None, -1)) == [crashed.id]
    assert ids(c, exit_codes=(0, 0)) == [third]
    assert ids(c, triggers=("schedule", "catch_up")) == [crashed.id]
    assert ids(c, created=(None, NOON)) == [crashed.id, run.id]
    assert ids(c, created=(at(10), at(10))) == [second]
    assert ids(c, task_ids=(other.id,), id_range=(second, second)) == [crashed.id, second]


@pytest.mark.parametrize("field", ["task_name", "status", "start_at", "exit_code", "duration", "created_at"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_any_field_sorts_and_what_has_none_comes_last(c: Connection, field: SortField, direction: Direction) -> None:
    retried(c, add_task(c, name="b"))
    add_ended(c, add_task(c, name="a"), ended_at=NOON + timedelta(hours=1), exit_code=9)
    add_run(c, add_task(c, name="c"))
    found = occurrences.list_occurrences(c, Wanted(), Order(field, direction), 50)
    value = {
        "task_name": lambda each: occurrence_name(c, each.run.task_id),
        "status": lambda each: each.state,
        "start_at": lambda each: each.started_at,
        "exit_code": lambda each: each.exit_code,
        "duration": lambda each: each.ended_at - each.started_at if each.ended_at and each.started_at else None,
        "created_at": lambda each: each.created_at,
    }[field]
    values = [value(each) for each in found]
    there = [each for each in values if each is not None]
    assert values == sorted(there, reverse=direction == "desc") + [None] * (len(values) - len(there))


def occurrence_name(c: Connection, task_id: str) -> str:
    row = c.row("SELECT name FROM tasks WHERE id = ?", (task_id,))
    assert row is not None
    return str(row[0])


def test_deleting_one_attempt_leaves_the_others_and_a_run_goes_with_its_last(c: Connection) -> None:
    run, second, third = retried(c, add_task(c))
    assert deletion.hide(c, [third, third], at(40)) == [(third, run.id)]
    assert ids(c) == [second, run.id]
    assert ids(c, deleted=at(40)) == [third]
    assert deletion.list_purgeable(c, at(99), 9) == []
    deletion.hide(c, [run.id, second], at(41))
    assert [old.id for old in deletion.list_purgeable(c, at(99), 9)] == [run.id]
    assert ids(c) == []
    assert {each for each, _ in deletion.bring_back(c, [third, second], at(41))} == {second}
    assert ids(c) == [second]
