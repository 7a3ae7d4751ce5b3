from datetime import timedelta

from tests.factories import NOON
from tests.store.storing import add_run, add_running, add_task

from rota.core.lease import holder_of
from rota.store import admission, nodes
from rota.store.connection import Connection
from rota.store.nodes import Node

AGO = timedelta(seconds=-5)


def names(c: Connection) -> list[str]:
    return [seen.node.name for seen in nodes.list_nodes(c)]


def test_a_node_is_listed_as_it_says_of_itself(c: Connection) -> None:
    node = Node(
        id="1", name="b", place="here", address="10.0.0.1:7682", labels=["gpu"], capacity=8, busy=2, settings="abc",
        lost_after=timedelta(minutes=1), version="1.2", schema=13, clock_off=timedelta(seconds=-3), parts={"blobs": "12ab"},
    )  # fmt: skip
    nodes.insert_node(c, node)
    nodes.insert_node(c, Node(id="2", name="a"))
    first, second = nodes.list_nodes(c)
    assert (first.node.name, second.node) == ("a", node)
    assert abs(second.silence) < timedelta(seconds=5)


def test_what_a_node_does_now_comes_with_each_beat(c: Connection) -> None:
    nodes.insert_node(c, Node(id="1", name="a"))
    assert nodes.beat(c, "1", 3, "abc", clock_off=timedelta(seconds=9))
    [seen] = nodes.list_nodes(c)
    assert (seen.node.busy, seen.node.settings, seen.node.clock_off) == (3, "abc", timedelta(seconds=9))
    assert seen.node.lost_after == timedelta(seconds=8), "what it does not say anew stays"
    assert abs(nodes.read_moment(c) - seen.seen_at) < timedelta(seconds=5)


def test_a_node_that_is_silent_is_given_up_once(c: Connection) -> None:
    nodes.insert_node(c, Node(id="1", name="a"))
    assert not nodes.delete_silent(c, "1")
    assert nodes.hold_node(c, "1")
    assert nodes.beat(c, "1", 0, None, AGO)
    assert nodes.list_nodes(c)[0].is_lost
    assert nodes.delete_silent(c, "1")
    assert not nodes.delete_silent(c, "1")
    assert not nodes.beat(c, "1", 0, None)
    assert not nodes.hold_node(c, "1")


def test_who_has_a_data_directory_now_keeps_its_earlier_nodes_for_itself(c: Connection) -> None:
    for id_, place in (("1", "here"), ("2", "here"), ("3", "there")):
        nodes.insert_node(c, Node(id=id_, name=id_, place=place))
    assert sorted(nodes.refresh_place(c, "here")) == ["1", "2"]
    nodes.delete_nodes(c, ["1", "2"])
    assert names(c) == ["3"]


def test_runs_are_left_when_their_node_is_gone(c: Connection) -> None:
    task = add_task(c)
    run = add_running(c, task)  # claimed by `node`
    worker = add_run(c, task)
    admission.claim_direct(c, [worker.id], holder_of("worker"), NOON)
    nodes.insert_node(c, Node(id="node", name="a"))
    assert nodes.list_left_runs(c) == []
    nodes.delete_nodes(c, ["node"])
    assert [left.id for left in nodes.list_left_runs(c)] == [run.id]


def test_a_run_remembers_the_name_of_the_node_that_had_it(c: Connection) -> None:
    run = add_run(c, add_task(c))
    admission.claim_direct(c, [run.id], "1", NOON, node="machine")
    alone = add_running(c, add_task(c, name="alone"))
    assert nodes.find_nodes_of(c, [run.id, alone.id]) == {run.id: "machine"}


def test_what_is_another_on_another_node_has_a_name() -> None:
    own = Node(id="1", name="a", place="here", settings="x", version="1", schema=13, parts={"blobs": "1", "tools": "2"})
    other = Node(id="2", name="a", place="there", settings="y", version="1", schema=14, parts={"blobs": "3", "tools": "2"})
    assert nodes.find_differences(own, other) == ["node", "settings", "settings.blobs", "version"]
    assert nodes.find_differences(own, Node(id="3", name="a", place="here")) == [], "an earlier life of ours"
    assert nodes.find_differences(own, Node(id="4", name="a", kind="worker")) == []
