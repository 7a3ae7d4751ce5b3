"""Work that asks for labels waits until somebody who offers them has room, and says so."""

from datetime import timedelta

from tests.engine.world import World

from rota.core.placement import Place
from rota.core.policy import Policy
from rota.core.service import ServicePolicy
from rota.engine.seat import Seat
from rota.store import admission, leadership, nodes
from rota.store.nodes import Node


def offer(world: World, *labels: str, room: int = 100) -> None:
    world.runner.places = [Place(frozenset(labels), room)]
    world.engine.bus.wake("dispatcher")


def test_a_run_waits_for_labels_that_nobody_offers_and_says_which(world: World) -> None:
    task = world.add("train", runs_on=["gpu", "eu"])
    run = world.add_run(task)
    world.go(3)
    waiting = world.run(run)
    assert (waiting.state, waiting.reason, waiting.error, waiting.fence) == ("pending", "no_place", "no node offers eu, gpu", 0)
    offer(world, "gpu", "eu", "ssd")
    world.go(2)
    started = world.run(run)
    assert (started.state, started.reason, started.error) == ("running", None, None)


def test_others_are_not_held_up_by_it(world: World) -> None:
    world.add_run(world.add("train", runs_on=["gpu"]))
    other = world.add_run(world.add("plain"))
    world.go(0)
    assert world.run(other).state == "running"


def test_a_run_waits_while_all_that_offer_its_label_are_busy(world: World) -> None:
    task = world.add("train", runs_on=["gpu"], policy=Policy(max_concurrent=5))
    offer(world, "gpu", room=0)
    run = world.add_run(task)
    world.go(0)
    assert world.run(run).error == "every node that offers gpu is busy"


def test_a_task_that_skips_lets_one_run_wait_for_a_place(world: World) -> None:
    task = world.add("train", runs_on=["gpu"], policy=Policy(overlap="skip"))
    first, second = world.add_run(task), world.add_run(task)
    world.go(0)
    assert [world.run(run).state for run in (first, second)] == ["pending", "skipped"]


def test_an_instance_of_a_service_waits_for_its_place_too(world: World) -> None:
    task = world.add("proxy", runs_on=["edge"], service=ServicePolicy(instances=2))
    world.go(2)
    assert world.states(task) == ["pending", "pending"]
    offer(world, "edge")
    world.go(2)
    assert world.states(task) == ["running", "running"]


def test_a_run_whose_place_was_taken_meanwhile_goes_back_to_the_queue(world: World) -> None:
    task = world.add("train", runs_on=["gpu"], policy=Policy(max_concurrent=5))
    offer(world, "gpu", room=1)
    runs = [world.add_run(task) for _ in range(3)]
    world.tick(world.dispatcher)
    assert [world.run(run).state for run in runs] == ["running", "pending", "pending"]


def test_what_another_server_offers_is_left_for_it(world: World) -> None:
    node = Node(id=world.engine.node, name="a")
    world.write(lambda c: nodes.insert_node(c, node))
    lead = world.write(lambda c: leadership.take_lead(c, node.id, timedelta(hours=1)))
    assert lead is not None
    world.engine.seat = Seat(node=node, steady_s=world.clock.monotonic, term=lead.term, offers=[frozenset({"edge"})])
    run = world.add_run(world.add("proxy", runs_on=["edge"]))
    for _ in range(3):
        world.tick(world.dispatcher)
    left = world.run(run)
    assert (left.state, left.reason, left.fence) == ("pending", None, 1)
    taken = world.write(lambda c: admission.claim(c, 10, "b", world.clock.now()))
    assert [each.id for each in taken] == [run.id]


def test_a_run_that_was_claimed_without_a_place_keeps_its_own_in_a_full_queue(world: World) -> None:
    task = world.add("train", runs_on=["gpu"], policy=Policy(max_concurrent=2, queue_max=1))
    offer(world, "gpu", room=1)
    runs = [world.add_run(task) for _ in range(3)]
    world.tick(world.dispatcher)
    offer(world, "gpu", room=0)
    world.tick(world.dispatcher)
    told = [(world.run(run).state, world.run(run).error) for run in runs[:2]]
    assert told == [("running", None), ("pending", "every node that offers gpu is busy")]
    offer(world, "gpu", room=1)
    world.tick(world.dispatcher)
    assert [world.run(run).state for run in runs] == ["running", "running", "pending"]


def test_who_waits_for_a_place_longest_and_most_urgently_gets_it(world: World) -> None:
    offer(world, "gpu", room=0)
    late = world.add_run(world.add("late", runs_on=["gpu"], policy=Policy(priority=9)))
    world.go(0)
    soon = world.add_run(world.add("soon", runs_on=["gpu"], policy=Policy(priority=1)))
    world.go(0)
    offer(world, "gpu", room=1)
    world.dispatcher.free([late.task_id], [])
    world.tick(world.dispatcher)
    assert [world.run(run).state for run in (late, soon)] == ["pending", "running"]
