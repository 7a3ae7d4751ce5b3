"""After a crash: nothing runs twice, nothing is lost, and every run tells the truth."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import pytest
from tests.databases import EMPTY, open_memory
from tests.engine.machine import Crash, Work
from tests.engine.world import World, drive

from rota.core.actor import OPERATOR
from rota.core.policy import Policy, Retry
from rota.core.run import Run
from rota.core.schedule import CronSchedule, EventSchedule
from rota.core.task import Task
from rota.engine.settler import MOST_RESUMES
from rota.ops import runs as run_ops
from rota.store.database import Database
from rota.store.database import Work as StoreWork
from rota.store.postgres import PostgresDriver

T = TypeVar("T")


@pytest.fixture(
    params=[pytest.param("sqlite", marks=pytest.mark.embedded("the other one is PostgreSQL in any case")), "postgres"]
)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Crashes are tested on both. Functions run at once, in this thread."""
    if request.param == "sqlite":
        with closing(open_memory()) as database:
            yield database
    else:
        driver = PostgresDriver(request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_schema"))
        with closing(Database(driver, driver.connect(), threads=False)) as database:
            yield database
            database.run(lambda c: c.run(EMPTY))


@contextmanager
def crash_at(world: World, point: str) -> Iterator[None]:
    """The server dies when it comes to that point, and starts again ten seconds later."""

    def die(at: str) -> None:
        if at == point:
            raise Crash(at)

    world.machine.on_point = die
    with pytest.raises(Crash):
        yield
    world.machine.on_point = lambda _point: None
    world.restart(10)


@contextmanager
def crash_after_commit(world: World) -> Iterator[None]:
    """The server dies when its next write is durable and its caller has not gone on."""
    database = world.engine.database

    class Dying(Database):
        def __init__(self) -> None: ...

        async def write(self, fn: StoreWork[T]) -> T:
            await database.write(fn)
            raise Crash("after the commit")

        async def read(self, fn: StoreWork[T]) -> T:
            return await database.read(fn)

    world.engine.database = Dying()
    with pytest.raises(Crash):
        yield
    world.restart(10)


def ask(world: World, task: Task) -> Run:
    run = world.add_run(task)
    world.go(0)
    return run


def test_what_was_running_has_crashed(world: World) -> None:
    task = world.add()
    run = ask(world, task)
    world.restart(10)
    world.go(0)
    lost = world.run(run)
    assert (lost.state, lost.reason, lost.holder) == ("crashed", "node_died", None)
    assert world.machine.processes == {}


def test_a_crash_is_not_retried_by_itself(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=3)))
    run = ask(world, task)
    world.restart(10)
    world.go(1000)
    assert (world.run(run).state, world.machine.starts[run.id]) == ("crashed", 1)


def test_a_claim_that_was_never_started_goes_back_to_the_queue(world: World) -> None:
    task = world.add()
    run = world.add_run(task)
    with crash_at(world, "before the journal"):
        world.go(0)
    world.go(0)
    again = world.run(run)
    assert (again.state, again.attempt, again.fence) == ("running", 1, 2)
    assert world.machine.starts[run.id] == 1


def test_a_claim_whose_commit_was_the_last_thing_goes_back_to_the_queue(world: World) -> None:
    task = world.add()
    run = world.add_run(task)
    with crash_after_commit(world):
        world.tick(world.dispatcher)
    world.go(0)
    assert (world.run(run).state, world.machine.starts[run.id]) == ("running", 1)


@pytest.mark.parametrize("point", ["before a process", "after a process"])
def test_an_attempt_that_may_have_started_has_crashed(world: World, point: str) -> None:
    task = world.add()
    run = world.add_run(task)
    with crash_at(world, point):
        world.go(0)
    world.go(0)
    assert (world.run(run).state, world.run(run).reason) == ("crashed", "node_died")
    assert world.machine.processes == {}


def test_a_process_that_goes_on_is_ended_before_anything_takes_its_place(world: World) -> None:
    task = world.add()
    ask(world, task)
    world.add_run(task)
    world.restart(1)
    assert world.machine.processes == {}
    world.go(0)
    assert world.states(task) == ["crashed", "running"]


def test_an_end_that_was_journaled_is_not_lost(world: World) -> None:
    task = world.add()
    world.work["backup"] = Work(duration_s=60, exit_code=4)
    run = ask(world, task)
    world.clock.advance(60)
    world.runner.poll()
    world.restart(10)
    ended = world.run(run)
    assert (ended.state, ended.exit_code) == ("failed", 4)


def test_an_end_that_was_journaled_is_retried_as_any_other(world: World) -> None:
    task = world.add(policy=Policy(retry=Retry(attempts=1, delay_s=5)))
    world.work["backup"] = Work(duration_s=60, exit_code=4)
    run = ask(world, task)
    world.clock.advance(60)
    world.runner.poll()
    world.restart(10)
    world.go(10)
    assert (world.run(run).state, world.run(run).attempt) == ("running", 2)


def test_an_end_that_was_settled_is_not_settled_again(world: World) -> None:
    task = world.add()
    listener = world.add("listener", schedule=EventSchedule("run.succeeded.backup"))
    run = ask(world, task)
    with crash_at(world, "before the acknowledgement"):
        world.go(60)
    settled = world.run(run)
    assert settled.state == "succeeded"
    world.go(100)
    assert world.run(run) == settled
    assert len(world.runs(listener)) == 1
    assert world.ledger.open_entries() == []


def test_work_that_resumes_goes_on_with_the_attempt_it_had(world: World) -> None:
    task = world.add(policy=Policy(resume_after_crash=True))
    run = ask(world, task)
    world.restart(10)
    world.go(0)
    again = world.run(run)
    assert (again.state, again.attempt, again.fence) == ("running", 1, 2)
    world.go(60)
    assert world.run(run).state == "succeeded"


def test_work_that_brings_the_server_down_again_and_again_is_given_up(world: World) -> None:
    run = ask(world, world.add(policy=Policy(resume_after_crash=True)))
    for _ in range(MOST_RESUMES + 1):
        world.restart(1)
        world.go(0)
    assert world.run(run).state == "crashed"


@pytest.mark.parametrize(("told", "state"), [(None, "running"), (True, "running"), (False, "crashed")])
def test_durable_work_resumes_unless_it_is_told_not_to(world: World, told: bool | None, state: str) -> None:
    run = ask(world, world.add(policy=Policy(resume_after_crash=told)))
    world.shut()
    world.build()
    world.settler._is_durable = lambda _: True
    drive(world.rescuer.tick())
    drive(world.scheduler.boot())
    world.go(0)
    assert world.run(run).state == state


def test_after_a_power_cut_what_was_running_has_crashed(world: World) -> None:
    task = world.add()
    run = ask(world, task)
    world.shut()
    world.cut_power()
    world.boot()
    assert world.run(run).state == "crashed"


def test_what_was_asked_to_stop_and_never_started_is_stopped(world: World) -> None:
    task = world.add()
    listener = world.add("listener", schedule=EventSchedule("run.canceled.backup"))
    run = world.add_run(task)
    with crash_at(world, "before the journal"):
        world.tick(world.dispatcher)
    world.shut()
    world.write(lambda c: c.run("UPDATE runs SET holder = 'gone', state = 'running', fence = 1, attempt = 1, admission = NULL"))
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, run.id))
    world.boot()
    world.go(0)
    assert world.run(run).state == "canceled"
    assert len(world.runs(listener)) == 1


def test_a_crash_is_an_event(world: World) -> None:
    task = world.add()
    alarm = world.add("alarm", schedule=EventSchedule("run.crashed"))
    run = ask(world, task)
    world.restart(10)
    world.go(1)
    assert [effect.cause_run_id for effect in world.runs(alarm)] == [run.id]


def test_slots_whose_pass_was_the_last_thing_have_their_runs(world: World) -> None:
    task = world.add(schedule=CronSchedule("0 * * * *"))
    world.clock.advance(3600)
    with crash_after_commit(world):
        world.tick(world.scheduler)
    world.go(100)
    assert world.outcomes(task) == ["succeeded"]


def test_repairing_twice_changes_nothing_more(world: World) -> None:
    task = world.add()
    run = ask(world, task)
    world.restart(10)
    before = world.run(run)
    assert world.tick(world.rescuer).counts == {"processes": 0, "crashed": 0, "requeued": 0}
    assert world.run(run) == before


def test_a_crash_in_the_middle_of_repairing_is_repaired(world: World) -> None:
    task = world.add()
    run = ask(world, task)
    world.shut()
    world.build()
    with crash_after_commit(world):
        world.ask(world.rescuer.tick())
    world.go(1)
    assert (world.run(run).state, world.ledger.open_entries()) == ("crashed", [])
