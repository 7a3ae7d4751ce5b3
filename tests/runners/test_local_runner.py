"""Attempts in this process, from claim to finished."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.factories import make_run, make_task, spec
from tests.shell_workbench import CLOCK, IDS

from rota.bus import Bus
from rota.core.outcome import Outcome
from rota.core.policy import LogLimit, Policy, Retry, Stop
from rota.core.task import Task
from rota.core.work import Shell
from rota.executors import Context, Executor, build_executors
from rota.logs import LogName, RunLogs, follow
from rota.process import find_survivors
from rota.runners import Claim, Finished, LocalRunner, ProcessLedger, end_survivors, local

NO_SECRETS: Mapping[str, str] = {}


class Breaks:
    """An executor with a fault."""

    kind = "shell"
    is_durable = False

    async def execute(self, context: Context) -> Outcome:
        raise RuntimeError(f"lost the key {context.secrets['KEY']}")


class Answers:
    """An executor that comes to what it is told to."""

    kind = "shell"
    is_durable = False

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def execute(self, context: Context) -> Outcome:
        return self._outcome


class Place:
    """A runner with all it needs, in a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        secrets: Callable[[Task], Mapping[str, str]] = lambda _: NO_SECRETS,
        executors: Mapping[str, Executor] | None = None,
        free: int = 0,
    ) -> None:
        self.bus = Bus()
        self.logs = RunLogs(folder / "logs", free)
        self.ledger = ProcessLedger(folder / "processes.log")
        self.runner = LocalRunner(executors or build_executors(), self.logs, CLOCK, self.bus, self.ledger, secrets, capacity=8)
        self.finished: list[Finished] = []

    async def wait(self, count: int = 1) -> list[Finished]:
        """As the settler does: woken, it takes what there is."""
        while len(self.finished) < count:
            signal = self.bus.signal("settler")
            await signal.wait()
            signal.clear()
            self.finished += self.runner.take_finished()
        return self.finished

    async def line(self, claim: Claim) -> None:
        """Waits for the first line of output."""
        with self.runner.growth.following(claim.run.id) as growth:
            async for _ in follow(self.logs.reader(name_of(claim)), 0, growth.wait):
                return

    def texts(self, claim: Claim) -> list[str]:
        return [f"{line.stream}: {line.text}" for line in self.logs.reader(name_of(claim)).page(0, 1000).lines]


def name_of(claim: Claim) -> LogName:
    return LogName(claim.task.name, claim.run.created_at, claim.run.id)


def make_claim(script: str, *, run: dict[str, Any] | None = None, **policy: Any) -> Claim:
    rules = Policy(**{"stop": Stop(grace_s=0.1), "log": LogLimit(), **policy})
    task = make_task(spec=spec(executor=Shell(script=script), policy=rules))
    return Claim(task, make_run(task, **{"id": IDS.new(), "state": "running", "attempt": 1, "fence": 3, **(run or {})}))


def run(scenario: Awaitable[None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(15):
            await scenario

    asyncio.run(limited())


def test_an_attempt_goes_from_claim_to_finished(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("echo hello; exit 2")
        place.runner.start([claim])
        assert place.runner.busy == 1
        [finished] = await place.wait()
        assert (finished.run_id, finished.fence, finished.outcome.exit_code) == (claim.run.id, 3, 2)
        assert place.texts(claim) == ["stdout: hello"]
        assert place.runner.busy == 0
        assert place.runner.take_finished() == []
        assert place.logs.reader(name_of(claim)).page(0, 1).finalized

    run(scenario())


def test_the_journal_knows_an_attempt_until_it_is_settled(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("true")
        place.runner.start([claim])
        assert [(entry.run_id, entry.pid) for entry in place.ledger.open_entries()] == [(claim.run.id, 0)]
        finished = await place.wait()
        [entry] = place.ledger.open_entries()
        assert entry.pid > 0
        assert place.ledger.find_account(claim.run.id, 3) == finished[0]
        place.runner.acknowledge(finished)
        assert place.ledger.open_entries() == []

    run(scenario())


def test_a_timeout_outranks_the_exit_code(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        place.runner.start([make_claim("trap 'exit 0' TERM; while :; do sleep 0.01; done", timeout_s=0.2, stop=Stop(grace_s=5))])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.exit_code) == ("timed_out", 0)

    run(scenario())


def test_a_stop_is_delivered_and_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("echo ready; sleep 30")
        place.runner.start([claim])
        await place.line(claim)
        assert place.runner.ask_stop(claim.run.id, "cancel")
        [finished] = await place.wait()
        assert finished.outcome.state == "canceled"
        [delivered] = place.runner.take_delivered()
        assert delivered.run_id == claim.run.id
        assert delivered.at <= finished.ended_at
        assert place.runner.take_delivered() == []
        assert not place.runner.ask_stop(claim.run.id, "cancel")

    run(scenario())


def test_a_stop_before_the_first_step_starts_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("echo never")
        place.runner.start([claim])
        place.runner.ask_stop(claim.run.id, "stop")
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.exit_code) == ("stopped", None)
        assert place.texts(claim) == []

    run(scenario())


def test_a_later_attempt_goes_on_in_the_same_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        first = make_claim("printf 'try %s' $ROTA_ATTEMPT; exit 1", retry=Retry(attempts=1))
        place.runner.start([first])
        await place.wait()
        assert not place.logs.reader(name_of(first)).page(0, 1).finalized
        second = make_claim("", run={"id": first.run.id, "attempt": 2}).run
        place.runner.start([Claim(first.task, second)])
        finished = await place.wait(2)
        assert [each.next_line for each in finished] == [1, 3]
        assert place.texts(first) == ["stdout: try 1", "system: attempt 2 of 2", "stdout: try 2"]
        assert place.logs.reader(name_of(first)).page(0, 1).finalized

    run(scenario())


def test_a_faulty_executor_fails_the_attempt_without_telling_secrets(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path, secrets=lambda _: {"KEY": "hush-hush"}, executors={"shell": Breaks()})
        claim = make_claim("true")
        place.runner.start([claim])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.error) == ("failed", "RuntimeError: lost the key [redacted]")
        assert place.texts(claim) == ["system: internal error: RuntimeError: lost the key [redacted]"]

    run(scenario())


def test_secrets_that_cannot_be_had_fail_the_attempt(tmp_path: Path) -> None:
    def secrets(_: Task) -> Mapping[str, str]:
        raise FileNotFoundError(2, "No such file or directory", "dump.secret")

    async def scenario() -> None:
        place = Place(tmp_path, secrets=secrets)
        place.runner.start([make_claim("true")])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.reason) == ("failed", "spawn")
        assert "dump.secret" in str(finished.outcome.error)
        assert place.runner.busy == 0

    run(scenario())


def test_secrets_do_not_appear_in_logs(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path, secrets=lambda _: {"KEY": "hush-hush"}), make_claim("echo $KEY; echo $KEY >&2")
        place.runner.start([claim])
        await place.wait()
        assert sorted(place.texts(claim)) == ["stderr: [redacted]", "stdout: [redacted]"]

    run(scenario())


def test_a_disk_that_is_too_full_starts_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path, free=1 << 60), make_claim("echo never")
        place.runner.start([claim])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.reason) == ("failed", "disk_full")
        assert f"below min_free_space of {1 << 60} bytes" in str(finished.outcome.error)

    run(scenario())


def test_without_a_journal_nothing_starts(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("touch started")
        place.ledger.close()
        place.runner.start([claim])
        [finished] = place.runner.take_finished()
        assert finished.outcome.reason == "spawn"
        assert place.runner.busy == 0

    run(scenario())


def test_closing_stops_everything_at_once_and_kills_what_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        polite = make_claim("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", stop=Stop(grace_s=60))
        stubborn = make_claim("trap '' TERM; echo ready; while :; do sleep 0.01; done", stop=Stop(grace_s=60))
        place.runner.start([polite, stubborn])
        await asyncio.gather(place.line(polite), place.line(stubborn))
        await place.runner.close(0.3)
        codes = {finished.run_id: finished.outcome for finished in place.runner.take_finished()}
        assert {outcome.state for outcome in codes.values()} == {"stopped"}
        assert (codes[polite.run.id].reason, codes[stubborn.run.id].reason) == ("shutdown", "shutdown_overrun")
        assert (codes[polite.run.id].exit_code, codes[stubborn.run.id].exit_code) == (0, 137)

    run(scenario())


def test_closing_an_idle_runner_is_immediate(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        async with asyncio.timeout(5):
            await place.runner.close(60)
        assert place.runner.take_finished() == []

    run(scenario())


def test_an_earlier_lifes_attempts_are_found_and_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("echo ready; sleep 30")
        place.runner.start([claim])
        await place.line(claim)
        entries = ProcessLedger(tmp_path / "processes.log").open_entries()
        assert len(find_survivors(entry.tree for entry in entries)) == 1
        assert await end_survivors(entries) == 1
        [finished] = await place.wait()
        assert finished.outcome.exit_code == 143
        assert await end_survivors(entries) == 0

    run(scenario())


@pytest.mark.parametrize("followers", [1, 3])
def test_followers_are_woken_and_forgotten(tmp_path: Path, followers: int) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("echo one; echo two")

        async def watch() -> list[str]:
            with place.runner.growth.following(claim.run.id) as growth:
                return [
                    line.text async for page in follow(place.logs.reader(name_of(claim)), 0, growth.wait) for line in page.lines
                ]

        watching = [asyncio.create_task(watch()) for _ in range(followers)]
        await asyncio.sleep(0)
        place.runner.start([claim])
        assert await asyncio.gather(*watching) == [["one", "two"]] * followers
        assert not place.runner.growth.is_followed

    run(scenario())


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(state="succeeded", output=object()), "what it came to cannot be written down"),
        (Outcome(state="failed", error="no file \udcff"), "no file ?"),
    ],
)
def test_an_attempt_ends_even_if_what_it_came_to_cannot_be_written_down(tmp_path: Path, outcome: Outcome, error: str) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path, executors={"shell": Answers(outcome)}), make_claim("true")
        place.runner.start([claim])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.output) == ("failed", None)
        assert (finished.outcome.error or "").startswith(error)
        assert place.ledger.find_account(claim.run.id, 3) == finished

    run(scenario())


def test_claims_that_come_when_no_descriptor_is_left_end_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("true")
        with monkeypatch.context() as patch:
            patch.setattr(local, "seal_descriptors", fail)
            place.runner.start([claim])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.reason) == ("failed", "spawn")
        place.runner.start([make_claim("true")])
        assert (await place.wait(2))[1].outcome.state == "succeeded"

    run(scenario())


def test_who_follows_a_run_that_says_nothing_is_woken_when_its_end_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("true")
        with place.runner.growth.following(claim.run.id) as growth:
            place.runner.start([claim])
            finished = await place.wait()
            await asyncio.sleep(0.05)  # what the end of the log itself has told is past
            woken = asyncio.create_task(growth.wait())
            await asyncio.sleep(0)
            place.runner.acknowledge(finished)
            await asyncio.wait_for(woken, 1)
        await place.runner.close(1)

    asyncio.run(scenario())


def test_the_ends_of_many_short_runs_are_told_together(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        executors = {"shell": Answers(Outcome(state="succeeded"))}
        place = Place(tmp_path, executors=executors)
        place.runner.start([make_claim("") for _ in range(3 * local.MANY)])
        told: list[int] = []
        signal = place.bus.signal("settler")
        while sum(told) < 3 * local.MANY:
            await asyncio.wait_for(signal.wait(), 1)
            signal.clear()
            told.append(len(place.runner.take_finished()))
        return told

    assert len(asyncio.run(scenario())) <= 2


def test_what_may_be_another_nodes_by_now_is_not_begun(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim(f"touch {tmp_path}/began")
        place.runner.is_ours = lambda: False
        place.runner.start([claim])
        await place.runner.close(5)
        assert not (tmp_path / "began").exists()
        assert (place.runner.take_finished(), place.ledger.open_entries()) == ([], [])

    run(scenario())
