"""What room there is among workers, by what is known of who has what."""

from datetime import timedelta

from tests.factories import NOON

from rota.runners.fleet.crew import BELIEVED, Crew
from rota.store.nodes import Node, Seen

ANY, GPU = frozenset[str](), frozenset({"gpu"})


def seen(name: str, *labels: str, capacity: int = 1, silence: timedelta = timedelta(0), kind: str = "worker") -> Seen:
    return Seen(Node(id=name, name=name, kind=kind, labels=list(labels), capacity=capacity), NOON, NOON, silence)


def test_only_workers_that_were_heard_of_count() -> None:
    crew = Crew()
    assert crew.find_obstacles([ANY]) == ["there is no worker"]
    assert crew.see([seen("ann", capacity=3), seen("bob", silence=timedelta(seconds=9)), seen("server", kind="server")])
    assert crew.capacity == 3
    assert not crew.see([seen("ann", capacity=3)])


def test_what_is_out_and_not_known_to_be_anywhere_takes_the_place_that_others_need_least() -> None:
    crew = Crew()
    crew.see([seen("ann", "gpu"), seen("bob")])
    crew.hand_out("run", ANY)
    assert crew.find_obstacles([GPU]) == [None]
    assert crew.unknown == ["run"]


def test_what_is_known_to_be_somewhere_takes_a_place_there() -> None:
    crew = Crew()
    crew.see([seen("ann", "gpu"), seen("bob")])
    crew.hand_out("run", ANY)
    crew.learn({"run": "ann", "gone": "bob"})
    assert crew.find_obstacles([GPU]) == ["every worker that offers gpu is busy"]
    assert crew.find_obstacles([ANY]) == [None]
    crew.take_back("run")
    assert crew.find_obstacles([GPU]) == [None]


def test_a_worker_that_said_it_was_full_is_believed_until_something_of_it_ends_or_for_some_looks() -> None:
    crew = Crew()
    everybody = [seen("ann", capacity=2)]
    crew.see(everybody)
    crew.hand_out("run", ANY)
    crew.learn({"run": "ann"})
    crew.hear_full("ann")
    assert crew.find_obstacles([ANY]) == ["every worker is busy"]
    crew.take_back("run")
    assert crew.find_obstacles([ANY]) == [None]
    crew.hear_full("ann")
    news = [crew.see(everybody) for _ in range(BELIEVED)]
    assert news[-1]
    assert crew.find_obstacles([ANY]) == [None]


def test_work_of_a_worker_that_is_gone_takes_no_place_of_others() -> None:
    crew = Crew()
    crew.see([seen("ann"), seen("bob")])
    crew.hand_out("run", ANY)
    crew.learn({"run": "ann"})
    crew.see([seen("bob")])
    assert crew.find_obstacles([ANY, ANY]) == [None, "every worker is busy"]
