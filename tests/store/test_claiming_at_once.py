"""Two nodes on one PostgreSQL: neither waits for the other, and no run is theirs both."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from tests.factories import NOON, at
from tests.store.storing import add_run, add_task

from rota.store import admission, runs, settlement
from rota.store.connection import Connection
from rota.store.database import open_postgres
from rota.store.postgres import PostgresDriver
from rota.store.settlement import Settlement


@pytest.fixture
def nodes(postgres_url: str, postgres_schema: str) -> Iterator[tuple[Connection, Connection]]:
    """Two connections, each in a transaction of its own, and three ready runs and three new ones of one task."""
    with ExitStack() as stack:
        database = stack.enter_context(closing(open_postgres(postgres_url, schema=postgres_schema)))

        def store(c: Connection) -> None:
            task = add_task(c)
            for kind in ("ready", "new") * 3:
                add_run(c, task, admission=kind)

        database.run(store)
        one, other = [stack.enter_context(closing(PostgresDriver(postgres_url, postgres_schema).connect())) for _ in range(2)]
        for c in (one, other):
            c.begin()
            c.run("SET LOCAL lock_timeout = '2s'")
        yield one, other
        for c in (one, other):
            c.rollback()
        database.run(lambda c: c.run("DELETE FROM tasks"))


def test_two_claims_share_the_queue(nodes: tuple[Connection, Connection]) -> None:
    one, other = nodes
    first = admission.claim(one, 2, "one", NOON)
    second = admission.claim(other, 9, "other", NOON)
    assert (len(first), len(second)) == (2, 1)
    one.commit()
    other.commit()
    one.begin()
    assert {run.id: run.holder for run in settlement.list_running(one)} == {run.id: run.holder for run in first + second}


def test_two_direct_claims_of_the_same_runs_have_one_winner(nodes: tuple[Connection, Connection]) -> None:
    one, other = nodes
    ids = [candidate.run_id for candidate in admission.list_new(one, NOON, 9)]
    assert len(admission.claim_direct(one, ids, "one", NOON)) == 3
    assert admission.claim_direct(other, ids[::-1], "other", NOON) == []


def test_a_stop_by_another_node_finds_the_run_running(nodes: tuple[Connection, Connection]) -> None:
    one, other = nodes
    (run,) = admission.claim(one, 1, "one", NOON)
    one.commit()
    stopped = runs.request_stop(other, run.id, "cancel", at(1))
    assert stopped is not None
    assert stopped.state == "running"


def test_a_settlement_with_an_older_fence_loses_against_the_node_that_took_over(nodes: tuple[Connection, Connection]) -> None:
    one, other = nodes
    (run,) = admission.claim(one, 1, "one", NOON)
    admission.release(one, [(run.id, run.fence)], NOON, NOON)
    one.commit()
    (again,) = admission.claim_direct(other, [run.id], "other", NOON)
    other.commit()
    one.begin()
    assert settlement.settle(one, [Settlement(run.id, run.fence, "succeeded", at(1))]) == []
    assert settlement.settle(one, [Settlement(run.id, again.fence, "failed", at(1))]) == [run.id]
