"""Finished steps, on both databases."""

from typing import Any

import pytest
from tests.factories import NOON, at
from tests.store.storing import add_running, add_task

from rota.core.pipeline.account import Checkpoint
from rota.store import admission, runs, settlement, steps
from rota.store.connection import Connection
from rota.store.settlement import Settlement


def checkpoint(position: int = 0, **fields: Any) -> Checkpoint:
    return Checkpoint(**{"position": position, "name": f"s{position}", "status": "done", "ended_at": NOON, **fields})


@pytest.mark.parametrize("output", [None, 1, 2.5, "é\n", [1, {"a": None}], {"deep": [[]]}])
def test_a_finished_step_is_kept_with_its_output(c: Connection, output: Any) -> None:
    run = add_running(c, add_task(c))
    step = checkpoint(output=output, ended_at=at(2.5))
    assert steps.insert_step(c, run.id, run.fence, step)
    assert steps.list_steps(c, run.id) == [step]


def test_what_a_step_took_is_kept_with_it(c: Connection) -> None:
    run = add_running(c, add_task(c))
    found = [checkpoint(usage={"input_tokens": 7, "output_tokens": 12}), checkpoint(1)]
    for step in found:
        assert steps.insert_step(c, run.id, run.fence, step)
    assert steps.list_steps(c, run.id) == found


def test_steps_come_in_their_order(c: Connection) -> None:
    run = add_running(c, add_task(c))
    for position in (2, 0, 1):
        steps.insert_step(c, run.id, run.fence, checkpoint(position))
    assert [step.position for step in steps.list_steps(c, run.id)] == [0, 1, 2]


def test_only_the_holder_writes_a_step_and_only_once(c: Connection) -> None:
    run = add_running(c, add_task(c))
    assert not steps.insert_step(c, run.id, run.fence - 1, checkpoint())
    assert steps.insert_step(c, run.id, run.fence, checkpoint(output=1))
    assert not steps.insert_step(c, run.id, run.fence, checkpoint(output=2))
    settlement.settle(c, [Settlement(run.id, run.fence, "succeeded", at(5))])
    assert not steps.insert_step(c, run.id, run.fence, checkpoint(1))
    assert [step.output for step in steps.list_steps(c, run.id)] == [1]


def test_an_attempt_that_is_resumed_began_when_it_began(c: Connection) -> None:
    run = add_running(c, add_task(c))
    settlement.resume(c, [(run.id, run.fence)], at(60), at(60))
    (again,) = admission.claim_direct(c, [run.id], "other", at(90))
    assert (again.started_at, again.attempt, again.fence) == (NOON, 1, run.fence + 1)
    admission.release(c, [(run.id, again.fence)], at(91), at(91))
    (once_more,) = admission.claim_direct(c, [run.id], "other", at(92))
    assert once_more.started_at == NOON
    settlement.settle(c, [Settlement(run.id, once_more.fence, "succeeded", at(99))])
    assert runs.get_run(c, run.id).started_at == NOON
