"""No statement that finds or lists runs walks the history, however long it is."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest
from tests.factories import NOON, at, make_id, make_run, make_task
from tests.store.storing import add_run, add_task, add_user

from rota.core.states import State
from rota.store import (
    admission,
    deletion,
    events,
    latest,
    leases,
    numbered,
    occurrences,
    outbox,
    projectruns,
    retention,
    revisions,
    runs,
    settlement,
    sharedlogs,
    slots,
    statistics,
    tasks,
    users,
)
from rota.store.migrate import migrate
from rota.store.occurrences import Order, Wanted
from rota.store.settlement import RetrySettlement, Settlement
from rota.store.sqlite import SqliteConnection, SqliteDriver

Query = Callable[[SqliteConnection], object]
TASK, OWNER, RUN = make_id(1), make_id(2), make_id(3)
SCOPES: dict[str, dict[str, Any]] = {"everyone": {"everyone": True}, "a task": {"task_id": TASK}, "an owner": {"owner_id": OWNER}}
STATES: tuple[list[State] | None, ...] = (None, ["failed"], ["pending"], ["running"], ["failed", "running", "skipped"])
# Every way the store has to find or list runs, slots and tasks, except those of one run and those read once at the start.
QUERIES: dict[str, Query] = {
    **{
        f"{'/'.join(states or ['all'])} runs of {name}": partial(runs.list_runs, states=states, limit=50, **scope)
        for name, scope in SCOPES.items()
        for states in STATES
    },
    "latest run of a task": lambda c: latest.list_latest(c, [TASK]),
    "end of the latest run": lambda c: latest.find_end(c, TASK),
    "numbered tasks of an owner": lambda c: (numbered.page_numbered(c, OWNER, 50, 0), numbered.count_numbered(c, OWNER)),
    "occurrences of an owner": lambda c: occurrences.list_occurrences(c, Wanted(owner_id=OWNER), Order(), 50),
    "occurrences of a task": lambda c: occurrences.list_occurrences(c, Wanted(task_ids=(TASK,)), Order(), 50),
    "an occurrence": lambda c: occurrences.find_occurrence(c, RUN),
    "keys of occurrences": lambda c: occurrences.find_keys(c, [RUN]),
    "hiding": lambda c: deletion.hide(c, [make_id(0)], NOON),
    "purgeable": lambda c: deletion.list_purgeable(c, NOON, 50),
    "first deleted": deletion.first_deleted,
    "live runs by task": statistics.count_live_by_task,
    "counts": runs.count_by_state,
    "live instances": lambda c: runs.list_live(c, [TASK]),
    "new runs": lambda c: admission.list_new(c, NOON, 50),
    "next due": admission.next_due,
    "occupancy": lambda c: admission.occupancy(c, [TASK]),
    "busy keys": lambda c: admission.busy_keys(c, ["k"]),
    "latest by dedupe": lambda c: admission.latest_by_dedupe(c, ["k"], []),
    "signs": lambda c: admission.look(c, "node", NOON),
    "endings": lambda c: settlement.list_endings(c, [RUN]),
    "heads of queues": lambda c: admission.list_held(c, [TASK], ["k"], 50),
    "tasks with held runs": admission.list_tasks_with_held,
    "claim": lambda c: admission.claim(c, 50, "node", NOON, [RUN]),
    "direct claim": lambda c: admission.claim_direct(c, [RUN], "node", NOON),
    "set held": lambda c: admission.set_held(c, [RUN]),
    "set ready": lambda c: admission.set_ready(c, [RUN]),
    "refuse": lambda c: admission.refuse(c, [(RUN, "skipped", None, NOON)]),
    "release": lambda c: admission.release(c, [(RUN, 1)], NOON, NOON),
    "oldest active": lambda c: admission.oldest_active(c, TASK),
    "set offered": lambda c: admission.set_offered(c, [RUN]),
    "offer": lambda c: leases.offer(c, RUN),
    "take": lambda c: leases.take(c, RUN, "w", NOON),
    "due leases": lambda c: leases.list_due(c, NOON, 50),
    "first lease to end": leases.next_end,
    "latest runs of projects": lambda c: projectruns.list_latest_runs(c, [TASK]),
    "live runs of a project": lambda c: projectruns.count_live(c, 1),
    "stops": lambda c: admission.list_stops(c, "node"),
    "is stopping": lambda c: admission.is_stopping(c, TASK),
    "settle": lambda c: settlement.settle(c, [Settlement(RUN, 1, "failed", NOON)]),
    "settle for a retry": lambda c: settlement.settle_retry(c, [RetrySettlement(RUN, 1, "failed", NOON, NOON, make_id())]),
    "resume": lambda c: settlement.resume(c, [(RUN, 1)], NOON, NOON),
    "running": settlement.list_running,
    "running of a holder": lambda c: settlement.list_running(c, "node"),
    "delivered": lambda c: runs.mark_delivered(c, [RUN], NOON),
    "oldest ended": lambda c: retention.oldest_ended(c, 50),
    "prunable": lambda c: retention.prunable(c, TASK, 50, NOON, 50),
    "deletion": lambda c: retention.delete_runs(c, [make_id(0)]),
    "causes": lambda c: events.causes(c, RUN),
    "slots": lambda c: slots.list_slots(c, TASK, limit=50),
    "slot": lambda c: slots.find_slot(c, TASK, NOON),
    "tasks of an owner": lambda c: tasks.list_tasks(c, owner_id=OWNER, limit=50),
    "all tasks": lambda c: tasks.list_tasks(c, everyone=True, limit=50),
    "due tasks": lambda c: tasks.list_due(c, NOON, 50),
    "next due task": tasks.next_due,
    "tasks by topic": lambda c: tasks.list_by_topic(c, ["t"]),
    "task by name": lambda c: tasks.find_task_by_name(c, OWNER, "x"),
    "shared task": lambda c: tasks.find_shared(c, "x"),
    "runs of a task and an owner": lambda c: runs.list_runs(c, task_id=TASK, owner_id=OWNER, limit=50),
    "live runs of a task and an owner": lambda c: runs.list_runs(
        c, task_id=TASK, owner_id=OWNER, states=["pending", "running"], limit=50
    ),
    "kept documents": lambda c: revisions.as_started(c, [(make_run(TASK, task_version=1), make_task(id=TASK, version=2))]),
    "documents nobody needs": revisions.prune_revisions,
    "callbacks of a run": lambda c: outbox.find_addresses(c, [RUN]),
    "logs to be moved into the bucket": lambda c: sharedlogs.list_unkept(c, "", 50),
    "deliveries that were dropped": lambda c: outbox.list_dropped(c, [make_id(0)]),
}
# Indexes that hold live runs alone: few, and read as a whole where all of them are asked for.
LIVE = "runs_(ready|held|offered|running|pending|stopping)"
HARMLESS = re.compile(rf"SCAN (?!runs|slots|tasks|latest)|SCAN runs USING (COVERING )?INDEX {LIVE}$")
# Ended runs: some in every ended state, each with its slot.
HISTORY = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    INSERT INTO runs (id, task_id, owner_id, state, trigger_kind, created_at, due_at, started_at, ended_at, attempt, dedupe_key)
    SELECT printf('019505d1-0000-7000-8000-%012x', i), ?, ?,
        CASE i % 5 WHEN 0 THEN 'failed' WHEN 1 THEN 'skipped' ELSE 'succeeded' END, 'schedule', i, i, i, i, 1, 'k' FROM n"""
HISTORY_SLOTS = (
    "INSERT INTO slots (task_id, nominal_at, run_id) SELECT task_id, created_at, id FROM runs WHERE trigger_kind = 'schedule'"
)
# They said nothing.
HISTORY_LOGS = """
    INSERT INTO run_logs (run_id, writer, base, seq, mark, is_whole)
    SELECT id, 'w', 0, 0, '[]', 1 FROM runs WHERE trigger_kind = 'schedule'"""


@contextmanager
def a_database_with(ended: int) -> Iterator[SqliteConnection]:
    """One task with a few live runs, and so many ended ones."""
    with closing(SqliteDriver(":memory:").connect()) as c:
        migrate(c)
        users.insert_user(c, id=OWNER, name="ann", created_at=NOON)
        add_task(c, id=TASK, owner_id=OWNER, name="x")
        add_run(c, TASK, id=RUN)
        for kind in ("ready", "held", "new"):
            add_run(c, TASK, admission=kind, concurrency_key="k")
        c.run(HISTORY, (ended, TASK, OWNER))
        c.run(HISTORY_SLOTS)
        c.run(HISTORY_LOGS)
        yield c


@pytest.fixture(scope="module")
def short() -> Iterator[SqliteConnection]:
    with a_database_with(200) as c:
        yield c


@pytest.fixture(scope="module")
def long() -> Iterator[SqliteConnection]:
    with a_database_with(100_000) as c:
        yield c


def statements_of(c: SqliteConnection, query: Query) -> list[str]:
    """What the query says to SQLite, with its values."""
    said: list[str] = []
    c.raw.set_trace_callback(said.append)
    with undone(c):
        query(c)
    c.raw.set_trace_callback(None)
    return [statement for statement in said if not statement.startswith("--")]


def effort_of(c: SqliteConnection, query: Query) -> int:
    """Steps of SQLite's machine, in tens: it grows with every row that is read."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    c.raw.set_progress_handler(count, 10)
    with undone(c):
        query(c)
    c.raw.set_progress_handler(None, 0)
    return steps


@contextmanager
def undone(c: SqliteConnection) -> Iterator[None]:
    c.begin()
    yield
    c.rollback()


@pytest.mark.parametrize("name", QUERIES)
def test_it_finds_what_it_wants_through_an_index(short: SqliteConnection, name: str) -> None:
    for statement in statements_of(short, QUERIES[name]):
        if statement.lstrip().startswith(("BEGIN", "ROLLBACK")):
            continue
        plan = [str(row[3]) for row in short.rows(f"EXPLAIN QUERY PLAN {statement}")]
        assert [step for step in plan if step.startswith("SCAN") and not HARMLESS.match(step)] == [], statement


@pytest.mark.parametrize("name", QUERIES)
def test_it_costs_the_same_after_a_hundred_thousand_runs(short: SqliteConnection, long: SqliteConnection, name: str) -> None:
    assert effort_of(long, QUERIES[name]) <= effort_of(short, QUERIES[name]) * 1.5 + 5


@pytest.mark.parametrize("state", ["pending", "running", "failed", "succeeded", "skipped"])
def test_an_owner_with_few_runs_does_not_pay_for_those_of_others(long: SqliteConnection, state: State) -> None:
    with undone(long):
        owner_id = add_user(long, "bob")
        task = add_task(long, owner_id=owner_id)
        for kind in ("pending", "running", "failed", "succeeded", "skipped"):
            add_run(long, task, state=kind, ended_at=None if kind in ("pending", "running") else at(1))
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        long.raw.set_progress_handler(count, 10)
        found = runs.list_runs(long, owner_id=owner_id, states=[state], limit=50)
        long.raw.set_progress_handler(None, 0)
        assert len(found) == 1
        assert steps < 50
