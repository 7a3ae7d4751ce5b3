"""Services are kept alive."""

from typing import TypeVar

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import at

from rota.core.actor import OPERATOR
from rota.core.errors import Unavailable
from rota.core.service import ServicePolicy
from rota.core.task import Task
from rota.engine.loop import REST_AFTER_FAULT
from rota.ops import runs as run_ops
from rota.ops import steering
from rota.store import tasks
from rota.store.database import Database
from rota.store.database import Work as StoreWork
from rota.store.documents import from_text, to_text

LASTING = Work(duration_s=1e9)
T = TypeVar("T")


class Unacknowledged(Database):
    """A database whose answer to a write is lost on its way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, fn: StoreWork[T]) -> T:
        await self._database.write(fn)
        raise Unavailable("the connection was lost before the commit was acknowledged")


def add(world: World, name: str = "web", work: Work = LASTING, **policy: object) -> Task:
    world.work[name] = work
    return world.add(name, service=ServicePolicy(**policy))  # type: ignore[arg-type]


def live(world: World, task: Task) -> list[int]:
    return sorted(run.instance or 0 for run in world.runs(task) if run.state == "running")


def change_instances(world: World, task: Task, count: int) -> None:
    document = from_text(to_text(task.spec)) | {"service": {"instances": count}}
    now = world.clock.now()
    world.write(lambda c: tasks.update_spec(c, task.id, document, version=task.version, updated_at=now))
    world.engine.bus.wake("supervisor")
    world.go(5)


def test_every_instance_gets_a_run(world: World) -> None:
    task = add(world, instances=3)
    world.go(1)
    assert live(world, task) == [0, 1, 2]
    assert {run.trigger for run in world.runs(task)} == {"service"}


def test_a_second_pass_starts_nothing_more(world: World) -> None:
    add(world, instances=3)
    assert world.tick(world.supervisor).counts["starts"] == 3
    assert world.tick(world.supervisor).counts["starts"] == 0


def test_an_instance_that_ends_is_started_again(world: World) -> None:
    task = add(world, work=Work(duration_s=100))
    world.go(250)
    assert [run.started_at for run in world.runs(task)] == [at(0), at(101), at(202)]


def test_an_instance_that_is_stopped_by_hand_is_started_again(world: World) -> None:
    task = add(world)
    world.go(1)
    world.ask(run_ops.cancel_run(world.rota, OPERATOR, world.runs(task)[0].id))
    world.go(60)
    assert world.states(task) == ["canceled", "running"]


def test_instances_beyond_the_number_are_stopped(world: World) -> None:
    task = add(world, instances=3)
    world.go(1)
    change_instances(world, task, 1)
    assert live(world, task) == [0]
    assert world.states(task) == ["running", "stopped", "stopped"]


def test_missing_instances_are_added(world: World) -> None:
    task = add(world, instances=1)
    world.go(1)
    change_instances(world, task, 3)
    assert live(world, task) == [0, 1, 2]


def test_a_service_waits_until_what_it_depends_on_is_healthy(world: World) -> None:
    add(world, "db", healthy_after_s=30)
    task = add(world, "web", depends_on=["db"])
    world.go(29)
    assert world.runs(task) == []
    world.go(31)
    assert world.runs(task)[0].started_at == at(30)


def test_a_service_waits_for_nothing_for_ever(world: World) -> None:
    add(world, "db", work=Work(duration_s=5), healthy_after_s=30, restart_delay_s=1000, restart_backoff="constant")
    task = add(world, "web", depends_on=["db"])
    world.go(100)
    assert world.runs(task)[0].started_at == at(35)


def test_a_service_does_not_wait_for_one_that_is_not_meant_to_run(world: World) -> None:
    database = add(world, "db", healthy_after_s=30)
    world.ask(steering.pause_task(world.rota, OPERATOR, database.name))
    task = add(world, "web", depends_on=["db"])
    world.go(1)
    assert world.states(task) == ["running"]


def test_a_service_does_not_wait_for_one_that_gave_up(world: World) -> None:
    add(world, "db", work=Work(duration_s=0.1, exit_code=1), healthy_after_s=1000, start_retries=0)
    task = add(world, "web", depends_on=["db"])
    world.go(5)
    assert world.states(task) == ["running"]


def test_a_restart_does_not_wait_for_dependencies_again(world: World) -> None:
    add(world, "db", work=Work(duration_s=50), healthy_after_s=30)
    task = add(world, "web", work=Work(duration_s=25), depends_on=["db"])
    world.go(60)
    assert [run.started_at for run in world.runs(task)] == [at(30), at(56)]


def test_services_start_in_their_order(world: World) -> None:
    late, early = add(world, "late", order=2), add(world, "early", order=1)
    world.go(1)
    assert world.runs(early)[0].id < world.runs(late)[0].id


def test_autostart_false_stays_down_until_it_is_resumed_and_goes_down_with_the_server(world: World) -> None:
    task = add(world, autostart=False)
    world.restart()
    world.go(10)
    assert live(world, task) == []
    world.ask(steering.resume_task(world.rota, OPERATOR, task.name))
    world.go(1)
    assert live(world, task) == [0]
    world.restart(10)
    world.go(10)
    assert live(world, task) == []


def test_a_paused_service_is_stopped_and_a_resumed_one_started(world: World) -> None:
    task = add(world, instances=2)
    world.go(1)
    world.ask(steering.pause_task(world.rota, OPERATOR, task.name))
    world.go(100)
    assert world.states(task) == ["stopped", "stopped"]
    world.ask(steering.resume_task(world.rota, OPERATOR, task.name))
    world.go(100)
    assert live(world, task) == [0, 1]


def test_one_that_restarts_on_failure_alone_is_done_when_it_succeeds(world: World) -> None:
    task = add(world, work=Work(duration_s=100, exit_code=1), restart="on_failure")
    world.go(150)
    world.work["web"] = Work(duration_s=10)
    world.go(10_000)
    assert world.states(task) == ["failed", "failed", "succeeded"]


def test_a_service_is_up_again_after_the_server_died(world: World) -> None:
    task = add(world, instances=2)
    world.go(100)
    world.restart(10)
    world.go(1)
    assert world.states(task) == ["crashed", "crashed", "running", "running"]
    assert len(world.machine.processes) == 2


def test_a_clock_that_was_far_ahead_for_a_while_holds_no_restart_up(world: World) -> None:
    task = add(world, work=Work(duration_s=100))
    world.go(50)
    world.clock.step(10 * 365 * 86_400.0)
    world.go(50)
    world.clock.step(-10 * 365 * 86_400.0)
    world.go(61)
    assert live(world, task) == [0]


def test_a_first_start_is_not_held_up_by_a_clock_that_was_far_ahead(world: World) -> None:
    world.clock.step(10 * 365 * 86_400.0)
    world.restart()
    task = add(world, depends_on=["nothing"])
    world.clock.step(-10 * 365 * 86_400.0)
    world.go(10)
    assert live(world, task) == [0]


def test_an_instance_whose_end_was_written_but_not_acknowledged_is_started_again(world: World) -> None:
    task = add(world, work=Work(duration_s=100))
    world.go(99)
    world.clock.advance(1)
    world.runner.poll()
    world.engine.database = Unacknowledged(world.database)
    with pytest.raises(Unavailable):
        world.tick(world.settler)
    world.engine.database = world.database
    world.rest_loop(world.settler, REST_AFTER_FAULT.total_seconds())
    world.go(60)
    assert world.states(task) == ["succeeded", "running"]
