"""Any order of what can be done to runs keeps the promises of the store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.depth import examples
from tests.factories import NOON, at, make_id
from tests.store.storing import add_run, add_task

from rota.core.outcome import STOP_OUTCOMES, StopCause
from rota.core.run import Run
from rota.core.states import ENDED, FAILURES, LIVE, NEXT, State
from rota.store import admission, runs, settlement
from rota.store.connection import Connection
from rota.store.database import open_sqlite
from rota.store.settlement import RetrySettlement, Settlement

RUNS = 4
which = st.integers(0, RUNS - 1)
batches = st.lists(which, min_size=1, max_size=RUNS, unique=True)
ends = st.sampled_from(["succeeded", "failed", "timed_out", "stopped", "canceled", "crashed"])
staleness = st.sampled_from([0, 0, 0, 1])
states = st.sampled_from(["skipped", "queue_full", "missed"])


class Life(RuleBasedStateMachine):
    """A few runs of one task, and a model: what each run was at the last look."""

    def __init__(self) -> None:
        super().__init__()
        self.database = open_sqlite(":memory:", threads=False)
        self.seen: list[Run] = []

    def do(self, step: Callable[[Connection], object]) -> None:
        self.database.run(step)

    @initialize()
    def begin(self) -> None:
        def store(c: Connection) -> list[Run]:
            task = add_task(c)
            return [add_run(c, task) for _ in range(RUNS)]

        self.seen = self.database.run(store)

    def ids(self, picked: list[int]) -> list[str]:
        return [self.seen[i].id for i in picked]

    def held(self, picked: list[int], stale_by: int) -> Iterator[tuple[Run, int]]:
        return ((self.seen[i], self.seen[i].fence - stale_by) for i in picked)

    @contextmanager
    def only_holders_write(self, picked: list[int], stale_by: int) -> Iterator[Callable[[list[str]], None]]:
        """What a write with these fences answers is exactly the runs that were running, if the fence is the latest."""
        holders = {self.seen[i].id for i in picked if self.seen[i].state == "running" and not stale_by}
        yield lambda won: self.check_won(set(won), holders)

    def check_won(self, won: set[str], holders: set[str]) -> None:
        changed = {run.id for run in self.look() if run not in self.seen}
        assert won <= holders
        assert changed == holders

    def look(self) -> list[Run]:
        return self.database.run(lambda c: [runs.get_run(c, run.id) for run in self.seen])

    @rule(picked=batches)
    def claim_directly(self, picked: list[int]) -> None:
        self.do(lambda c: admission.claim_direct(c, self.ids(picked), "node", NOON))

    @rule(picked=batches)
    def make_ready(self, picked: list[int]) -> None:
        self.do(lambda c: admission.set_ready(c, self.ids(picked)))

    @rule(picked=batches)
    def hold(self, picked: list[int]) -> None:
        self.do(lambda c: admission.set_held(c, self.ids(picked)))

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        self.do(lambda c: admission.claim(c, limit, "node", NOON))

    @rule(picked=batches, state=ends, stale_by=staleness)
    def settle(self, picked: list[int], state: str, stale_by: int) -> None:
        rows = [Settlement(run.id, fence, state, at(5)) for run, fence in self.held(picked, stale_by)]  # type: ignore[arg-type]
        with self.only_holders_write(picked, stale_by) as check:
            check(self.database.run(lambda c: settlement.settle(c, rows)))

    @rule(picked=batches, stale_by=staleness)
    def settle_retry(self, picked: list[int], stale_by: int) -> None:
        rows = [RetrySettlement(run.id, fence, "failed", at(5), NOON, make_id()) for run, fence in self.held(picked, stale_by)]
        with self.only_holders_write(picked, stale_by) as check:
            check(self.database.run(lambda c: settlement.settle_retry(c, rows)))

    @rule(picked=batches, stale_by=staleness)
    def release(self, picked: list[int], stale_by: int) -> None:
        rows = [(run.id, fence) for run, fence in self.held(picked, stale_by)]
        with self.only_holders_write(picked, stale_by) as check:
            check(self.database.run(lambda c: admission.release(c, rows, at(5), NOON)))

    @rule(picked=batches, stale_by=staleness)
    def resume(self, picked: list[int], stale_by: int) -> None:
        rows = [(run.id, fence) for run, fence in self.held(picked, stale_by)]
        with self.only_holders_write(picked, stale_by) as check:
            check(self.database.run(lambda c: settlement.resume(c, rows, at(5), NOON)))

    @rule(one=which, cause=st.sampled_from(list(STOP_OUTCOMES)))
    def request_stop(self, one: int, cause: StopCause) -> None:
        before = self.seen[one]
        after = self.database.run(lambda c: runs.request_stop(c, before.id, cause, at(5)))
        assert (after is None) == (before.state in ENDED)

    @rule(picked=batches, state=states)
    def refuse(self, picked: list[int], state: State) -> None:
        rows = [(run_id, state, None, at(5)) for run_id in self.ids(picked)]
        refused = self.database.run(lambda c: admission.refuse(c, rows))
        assert set(refused) == {self.seen[i].id for i in picked if self.seen[i].state == "pending"}

    @invariant()
    def every_step_is_one_the_table_lists(self) -> None:
        now = self.look()
        for before, after in zip(self.seen, now, strict=True):
            self.check_step(before, after)
        self.seen = now

    def check_step(self, before: Run, after: Run) -> None:
        assert after.state == before.state or after.state in NEXT[before.state]
        assert after.fence == before.fence + (before.state == "pending" and after.state == "running")
        if before.state in ENDED:
            assert after == before
        assert (after.ended_at is None) == (after.state in LIVE)
        assert (after.holder is None) == (after.state != "running")

    @invariant()
    def attempts_are_numbered_without_gaps(self) -> None:
        for run in self.seen:
            attempts = self.database.run(partial(runs.list_attempts, run_id=run.id))
            assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))
            assert run.attempt - len(attempts) in (0, 1)
            if run.reason == "retry_refused":
                assert run.state in FAILURES

    @invariant()
    def what_waits_can_be_found_and_nothing_else(self) -> None:
        waiting = self.database.run(lambda c: c.rows("SELECT id FROM runs WHERE admission IS NOT NULL"))
        assert {row[0] for row in waiting} == {run.id for run in self.seen if run.state == "pending"}

    def teardown(self) -> None:
        self.database.close()


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=examples(40), stateful_step_count=20)
