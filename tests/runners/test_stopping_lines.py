"""Lines 5 of RunWisp's checklist, and the order of a shutdown, with real processes."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace
from tests.factories import make_run, make_task, spec
from tests.runners.test_local_runner import Place, make_claim, run
from tests.shell_workbench import IDS

from rota.core.policy import LogLimit, Policy, Restart, Stop
from rota.core.service import ServicePolicy
from rota.core.work import Shell
from rota.runners import Claim

OBEDIENT = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"


def service(name: str, script: str, *depends_on: str) -> Claim:
    rules = Policy(stop=Stop(grace_s=10), log=LogLimit())
    document = spec(name=name, executor=Shell(script=script), policy=rules, service=ServicePolicy(depends_on=list(depends_on)))
    task = make_task(spec=document)
    return Claim(task, make_run(task, id=IDS.new(), state="running", attempt=1, fence=1, instance=0))


def test_line_5_a_stop_reaches_grandchildren(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim("(setsid sleep 600 & sleep 600) & echo ready; wait", stop=Stop(grace_s=5))
        place.runner.start([claim])
        await place.line(claim)
        place.runner.ask_stop(claim.run.id, "stop")
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.error) == ("stopped", None)

    run(scenario())


def test_line_5_who_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        claim = make_claim("trap '' TERM; echo ready; while :; do sleep 0.01; done", stop=Stop(grace_s=0.1))
        place.runner.start([claim])
        await place.line(claim)
        place.runner.ask_stop(claim.run.id, "stop")
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.exit_code) == ("stopped", 137)

    run(scenario())


def test_line_5_a_timeout_outranks_the_exit_code(tmp_path: Path) -> None:
    async def scenario() -> None:
        place, claim = Place(tmp_path), make_claim(OBEDIENT, timeout_s=0.2)
        place.runner.start([claim])
        [finished] = await place.wait()
        assert (finished.outcome.state, finished.outcome.exit_code) == ("timed_out", 0)

    run(scenario())


def test_line_5_only_what_overruns_the_shutdown_is_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        polite, stubborn = (
            make_claim(OBEDIENT, stop=Stop(grace_s=60)),
            make_claim(OBEDIENT.replace("exit 0", ""), stop=Stop(grace_s=60)),
        )
        place.runner.start([polite, stubborn])
        await asyncio.gather(place.line(polite), place.line(stubborn))
        await place.runner.close(0.3)
        reasons = {finished.run_id: finished.outcome.reason for finished in place.runner.take_finished()}
        assert reasons == {polite.run.id: "shutdown", stubborn.run.id: "shutdown_overrun"}

    run(scenario())


def test_a_shutdown_stops_dependants_before_what_they_depend_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        slow = OBEDIENT.replace("exit 0", "sleep 0.1; exit 0")
        database, queue, web = (
            service("db", slow),
            service("queue", slow, "db"),
            service("web", slow, "queue"),
        )
        claims = [database, queue, web, make_claim(OBEDIENT)]
        place.runner.start(claims)
        await asyncio.gather(*map(place.line, claims))
        await place.runner.close(10)
        ended = {finished.run_id: finished.ended_at for finished in place.runner.take_finished()}
        order = sorted(claims, key=lambda claim: ended[claim.run.id])
        assert [claim.task.name for claim in order[1:]] == ["web", "queue", "db"]
        assert order[0] is claims[3]

    run(scenario())


def test_a_dependant_that_will_not_end_costs_no_more_than_the_time_for_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        stubborn = service("web", OBEDIENT.replace("exit 0", ""), "db")
        claims = [service("db", OBEDIENT), stubborn]
        place.runner.start(claims)
        await asyncio.gather(*map(place.line, claims))
        began_at = datetime.now(UTC)
        await place.runner.close(0.3)
        assert (datetime.now(UTC) - began_at).total_seconds() < 5
        assert len(place.runner.take_finished()) == 2

    run(scenario())


def test_the_log_of_a_task_that_restarts_stays_open_until_it_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        place = Place(tmp_path)
        claim = make_claim("exit 3", restart=Restart(start_retries=1))
        place.runner.start([claim])
        [first] = await place.wait()
        assert first.outcome.exit_code == 3
        again = Claim(claim.task, replace(claim.run, attempt=2, fence=4), [0.1])
        place.runner.start([again])
        await place.wait(2)
        assert "system: attempt 2" in place.texts(claim)

    run(scenario())
