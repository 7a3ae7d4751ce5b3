"""Runs that workers from outside take: they wait for one, and end without it when it is not heard from."""

from datetime import timedelta

import pytest
from tests.engine.world import World
from tests.factories import NOON

from rota.core.lease import Lease, holder_of
from rota.core.policy import Policy, Retry
from rota.core.run import Run
from rota.core.work import Outside
from rota.engine.expirer import Expirer
from rota.store import leases, runs

OUTSIDE = Outside(lease_s=60)


@pytest.fixture
def expirer(world: World) -> Expirer:
    made = Expirer(world.engine, world.settler)
    world.loops.append(made)
    world.next_at["expirer"] = None
    return made


def take(world: World, run: Run, *, silence_s: float = 60, is_idle: bool = False) -> Run:
    """What an operation does for a worker."""
    now = world.clock.now()

    def write(c):
        taken = leases.take(c, run.id, "w", now)
        if taken is not None:
            until_at = now + timedelta(seconds=silence_s)
            leases.put_lease(c, Lease(run_id=run.id, fence=taken.fence, until_at=until_at, silence_s=silence_s, is_idle=is_idle))
        return taken

    taken: Run = world.write(write)
    world.engine.bus.wake("expirer")
    return taken


def test_a_run_for_outside_waits_however_long_nobody_takes_it(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=OUTSIDE))
    world.go(100_000)
    assert world.run(run).state == "pending"


def test_a_worker_takes_a_run_and_a_second_one_comes_too_late(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=OUTSIDE))
    world.go()
    taken = take(world, run)
    assert (taken.state, taken.holder, taken.fence, taken.attempt, taken.started_at) == ("running", holder_of("w"), 1, 1, NOON)
    assert take(world, run) is None


def test_a_run_whose_worker_is_silent_fails_and_says_so(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=OUTSIDE))
    world.go()
    take(world, run)
    world.go(59)
    assert world.run(run).state == "running"
    world.go(1)
    ended = world.run(run)
    assert (ended.state, ended.reason, ended.error) == ("failed", "worker_lost", "its worker was not heard from for 60 s")


def test_a_worker_that_only_waits_for_a_person_has_done_its_work(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=OUTSIDE))
    world.go()
    take(world, run, is_idle=True)
    world.go(60)
    assert (world.run(run).state, world.run(run).reason) == ("succeeded", "inactive")


def test_a_run_goes_on_with_its_worker_when_the_server_dies(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=OUTSIDE))
    world.go()
    take(world, run)
    world.restart(after_s=30)
    world.go(1)
    assert (world.run(run).state, world.run(run).fence) == ("running", 1)


def test_a_run_that_is_lost_is_tried_again_as_its_policy_says(world: World, expirer: Expirer) -> None:
    task = world.add(executor=OUTSIDE, policy=Policy(retry=Retry(attempts=1, delay_s=5)))
    run = world.add_run(task)
    world.go()
    take(world, run)
    world.go(66)
    assert world.run(run).state == "pending"
    again = take(world, run)
    assert (again.attempt, again.fence) == (2, 2)


def test_a_worker_that_goes_on_after_a_stop_has_lost_its_run(world: World, expirer: Expirer) -> None:
    run = world.add_run(world.add(executor=Outside(lease_s=3600)))
    world.go()
    take(world, run, silence_s=3600)
    world.go()
    world.write(lambda c: runs.request_stop(c, run.id, "cancel", world.clock.now()))
    world.engine.bus.wake("dispatcher")
    world.go(59)
    assert world.run(run).state == "running"
    world.go(1)
    assert world.run(run).state == "canceled"


def test_a_run_takes_its_place_in_its_task_while_it_waits_for_a_worker(world: World, expirer: Expirer) -> None:
    task = world.add(executor=OUTSIDE)
    first, second = world.add_run(task), world.add_run(task)
    world.go()
    assert take(world, second) is None
    take(world, first)
    world.go(61)
    assert take(world, second) is not None


def test_a_newer_run_takes_the_place_of_one_that_nobody_took(world: World, expirer: Expirer) -> None:
    task = world.add(executor=OUTSIDE, policy=Policy(overlap="terminate"))
    first, second = world.add_run(task), None
    world.go()
    second = world.add_run(task)
    world.go(1)
    assert world.run(first).state == "stopped"
    assert take(world, second) is not None


def test_a_run_that_was_to_start_here_is_kept_for_outside_once_its_task_says_so(world: World, expirer: Expirer) -> None:
    task = world.add()
    run = world.add_run(task)
    world.dispatcher._is_outside = lambda _: True
    world.go()
    assert take(world, run) is not None
