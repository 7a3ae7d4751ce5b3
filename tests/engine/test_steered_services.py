"""Services that somebody starts, stops and restarts."""

from datetime import timedelta
from typing import Any

import pytest
from tests.engine.machine import Work
from tests.engine.world import World
from tests.factories import at, spec

from rota.core.actor import OPERATOR, Actor
from rota.core.errors import Conflict, Invalid, NotFound
from rota.core.rollup import ServiceStatus
from rota.core.service import ServicePolicy
from rota.core.task import Task, TaskSpec
from rota.core.work import Shell
from rota.ops import services, steering
from rota.ops.installation import apply_file_tasks

LASTING = Work(duration_s=1e9)
FAILING = Work(duration_s=0.1, exit_code=3)


def add(world: World, name: str = "web", work: Work = LASTING, **policy: object) -> Task:
    world.work[name] = work
    return world.add(name, service=ServicePolicy(**policy))  # type: ignore[arg-type]


def status(world: World, task: Task) -> ServiceStatus:
    return world.ask(services.get_service_status(world.rota, OPERATOR, task.id))


def start(world: World, task: Task) -> None:
    world.ask(services.start_service(world.rota, OPERATOR, task.id))


def stop(world: World, task: Task) -> None:
    world.ask(services.stop_service(world.rota, OPERATOR, task.id))


def restart(world: World, task: Task) -> None:
    world.ask(services.restart_service(world.rota, OPERATOR, task.id))


def test_a_stopped_service_stays_stopped_also_over_a_restart_of_the_server(world: World) -> None:
    task = add(world, instances=2)
    world.go(1)
    assert status(world, task).state == "running"
    stop(world, task)
    world.go(100)
    assert status(world, task).state == "stopped"
    world.restart(after_s=10)
    world.go(100)
    assert (status(world, task).state, world.states(task)) == ("stopped", ["stopped", "stopped"])


def test_a_stopped_service_that_is_started_has_an_operators_runs(world: World) -> None:
    task = add(world)
    world.go(1)
    stop(world, task)
    world.go(5)
    start(world, task)
    world.go(1)
    assert [run.trigger for run in world.runs(task)] == ["service", "api"]
    world.work["web"] = FAILING
    restart(world, task)
    world.go(3)
    assert {run.trigger for run in world.runs(task)[2:]} == {"service"}


def test_a_service_that_never_started_is_started(world: World) -> None:
    task = add(world, autostart=False)
    world.restart()
    world.go(5)
    assert (world.runs(task), status(world, task).state) == ([], "stopped")
    start(world, task)
    world.go(1)
    assert status(world, task).state == "running"


def test_starting_what_runs_changes_nothing(world: World) -> None:
    task = add(world)
    world.go(1)
    start(world, task)
    world.go(10)
    assert world.states(task) == ["running"]


def test_an_operators_restart_skips_the_delay_and_resets_both_counters(world: World) -> None:
    task = add(world, work=FAILING)
    world.go(2)
    slot = status(world, task).slots[0]
    assert (slot.state, slot.restarts, slot.fast_failures) == ("restarting", 2, 2)
    asked_at = world.clock.now()
    restart(world, task)
    world.go(0.05)
    newest = world.runs(task)[-1]
    assert newest.started_at == asked_at
    world.go(0.1)
    slot = status(world, task).slots[0]
    assert (slot.restarts, slot.fast_failures) == (1, 1)


def test_an_operators_restart_of_a_running_service_starts_it_at_once(world: World) -> None:
    task = add(world)
    world.go(10)
    restart(world, task)
    world.go(5)
    first, second = world.runs(task)
    assert (first.state, first.reason, second.started_at) == ("stopped", "replaced", first.ended_at)
    assert status(world, task).slots[0].restarts == 0


def test_line_4_a_service_failing_fast_gives_up_on_the_fourth_failure_and_a_restart_clears_it(world: World) -> None:
    """Checklist line 4: delays 1, 2, 4 s, then FATAL; the sibling lives; a healthy run resets both counters."""
    task = world.add("web", service=ServicePolicy(instances=2))
    world.plan_work = lambda claim: FAILING if claim.run.instance == 0 else LASTING
    world.go(60)
    failing = [run for run in world.runs(task) if run.instance == 0]
    ends = [run.ended_at for run in failing if run.ended_at]
    starts = [run.started_at for run in failing if run.started_at]
    assert [(later - earlier) for earlier, later in zip(ends, starts[1:], strict=False)] == [
        timedelta(seconds=s) for s in (1, 2, 4)
    ]
    assert [run.reason for run in failing] == [None, None, None, "start_failed"]
    assert failing[-1].exit_code == 3
    assert [slot.state for slot in status(world, task).slots] == ["fatal", "running"]
    assert status(world, task).state == "degraded"
    start(world, task)
    world.plan_work = lambda claim: Work(duration_s=60.0, exit_code=3)
    world.go(59)
    assert status(world, task).state == "running"
    world.go(2)
    slot = status(world, task).slots[0]
    assert (slot.restarts, slot.fast_failures) == (1, 0)


def test_all_instances_gone_fatal_make_the_service_fatal_and_a_server_restart_clears_it(world: World) -> None:
    task = add(world, work=FAILING, start_retries=0, instances=2)
    world.go(1)
    assert status(world, task).state == "fatal"
    world.work["web"] = LASTING
    world.restart(after_s=1)
    world.go(1)
    assert status(world, task).state == "running"


def test_a_service_that_gives_up_is_told_to_watchers(world: World) -> None:
    task = add(world, work=FAILING, start_retries=0)
    with world.engine.bus.watch() as watcher:
        world.go(1)
        notice = world.ask(watcher.next())
        while notice.kind != "service.fatal":
            notice = world.ask(watcher.next())
    assert notice.data["task"] == task.name
    assert (notice.data["instance"], notice.data["attempts"], notice.data["exit_code"]) == (0, 1, 3)


def file_service(**fields: Any) -> TaskSpec:
    return spec(name="web", service=ServicePolicy(instances=2), **fields)


def apply(world: World, document: TaskSpec) -> None:
    world.ask(apply_file_tasks(world.rota, [document]))


def test_a_reload_recycles_what_runs_and_leaves_what_gave_up(world: World) -> None:
    world.plan_work = lambda claim: FAILING if claim.run.instance == 0 else LASTING
    apply(world, file_service())
    world.go(60)
    before = world.ask(services.list_service_states(world.rota, OPERATOR))
    apply(world, file_service(executor=Shell(script="other")))
    world.go(60)
    after = world.ask(services.list_service_states(world.rota, OPERATOR))
    [old], [new] = before.values(), after.values()
    assert [slot.state for slot in new.slots] == ["fatal", "running"]
    assert old.slots[1].run_id != new.slots[1].run_id


def test_a_reload_leaves_a_stopped_service_stopped(world: World) -> None:
    world.plan_work = lambda _claim: LASTING
    apply(world, file_service())
    world.go(1)
    world.ask(services.stop_service(world.rota, OPERATOR, "web"))
    world.go(5)
    apply(world, file_service(executor=Shell(script="other")))
    world.go(5)
    assert world.ask(services.get_service_status(world.rota, OPERATOR, "web")).state == "stopped"


def test_new_secrets_start_a_service_anew(world: World) -> None:
    world.plan_work = lambda _claim: LASTING
    apply(world, file_service())
    world.go(5)
    before = world.ask(services.get_service_status(world.rota, OPERATOR, "web")).slots
    world.ask(apply_file_tasks(world.rota, [file_service()], anew=["web"]))
    world.go(5)
    after = world.ask(services.get_service_status(world.rota, OPERATOR, "web")).slots
    assert {slot.state for slot in after} == {"running"}
    assert {slot.run_id for slot in before}.isdisjoint({slot.run_id for slot in after})


def test_only_services_are_steered_and_only_by_those_who_may_see_them(world: World) -> None:
    task, service = world.add("plain"), add(world)
    with pytest.raises(Invalid):
        restart(world, task)
    stranger = Actor(id="stranger", name="stranger", kind="user")
    for steer in (services.start_service, services.stop_service, services.restart_service, services.get_service_status):
        with pytest.raises(NotFound):
            world.ask(steer(world.rota, stranger, service.id))
    assert world.ask(services.list_service_states(world.rota, stranger)) == {}


def test_a_canceled_service_cannot_be_started(world: World) -> None:
    service = add(world)
    world.ask(steering.cancel_task(world.rota, OPERATOR, service.id))
    with pytest.raises(Conflict):
        start(world, service)


def test_one_that_starts_again_says_when(world: World) -> None:
    task = add(world, work=FAILING)
    world.go(0.5)
    slot = status(world, task).slots[0]
    assert (slot.state, slot.start_at, status(world, task).state) == ("restarting", at(1.1), "degraded")
