"""The outbox: order within a lane, limits by target, merging, and what a dead sender leaves."""

import pytest
from tests.factories import NOON, at, make_id
from tests.store.storing import add_run, add_task

from rota.core.delivery import Delivery, Sent
from rota.core.errors import Conflict, NotFound
from rota.store import outbox
from rota.store.connection import Connection
from rota.store.outbox import Callback


class Numbers:
    def new(self) -> str:
        return make_id()


def add(c: Connection, lane: str = "a", target: str = "ops", **fields: object) -> Delivery:
    delivery = Delivery(
        **{
            "id": make_id(),
            "lane": lane,
            "target": target,
            "address": {"notifier": target},
            "created_at": NOON,
            "due_at": NOON,
            "give_up_at": at(300),
            "body": {"n": 1},
            **fields,
        }  # type: ignore[arg-type]
    )
    outbox.insert_deliveries(c, [delivery])
    return delivery


def claim(
    c: Connection, seconds: float = 0, busy: dict[str, int] | None = None, per_target: int = 2, limit: int = 64
) -> list[str]:
    taken = outbox.claim_due(c, "node", at(seconds), busy or {}, per_target=per_target, limit=limit)
    return [delivery.id for delivery in taken]


def test_a_delivery_comes_back_as_it_was_written(c: Connection) -> None:
    written = add(c, form=None, run_id=make_id(), owner_id=make_id(), mergeable=True)
    assert outbox.get_delivery(c, written.id) == written


def test_what_is_not_due_is_left(c: Connection) -> None:
    add(c, due_at=at(5))
    assert claim(c, 4) == []
    assert outbox.next_due(c, {}, per_target=2) == at(5)
    assert len(claim(c, 5)) == 1
    assert outbox.next_due(c, {}, per_target=2) is None


def test_a_lane_gives_one_at_a_time_in_the_order_of_writing(c: Connection) -> None:
    first, second = add(c), add(c)
    other = add(c, lane="b")
    assert claim(c, per_target=9) == [first.id, other.id]
    assert claim(c, per_target=9) == []
    outbox.postpone(c, first.id, at(60), "answered 500")
    assert claim(c, 30, per_target=9) == []
    assert claim(c, 60, per_target=9) == [first.id]
    outbox.end_delivery(c, first.id, "delivered", at(60))
    assert claim(c, 60, per_target=9) == [second.id]


def test_a_target_that_is_busy_holds_up_only_itself(c: Connection) -> None:
    for lane in "abc":
        add(c, lane=lane, target="slow")
    quick = add(c, lane="d", target="quick")
    assert claim(c, busy={"slow": 2}) == [quick.id]
    assert outbox.next_due(c, {"slow": 2}, per_target=2) is None
    assert len(claim(c, busy={"slow": 1})) == 1


def test_a_pass_takes_no_more_than_its_limit(c: Connection) -> None:
    for number in range(5):
        add(c, lane=str(number), target=str(number))
    assert len(claim(c, limit=3)) == 3
    assert len(claim(c, limit=3)) == 2


def test_a_claim_counts_the_try_that_follows(c: Connection) -> None:
    add(c)
    (taken,) = outbox.claim_due(c, "node", NOON, {}, per_target=1, limit=1)
    assert taken.attempts == 1
    assert outbox.get_delivery(c, taken.id).attempts == 1


def test_what_a_dead_server_was_sending_is_sent_again(c: Connection) -> None:
    first, second = add(c, lane="a"), add(c, lane="b")
    claim(c)
    assert claim(c) == []
    assert outbox.release_held(c, [second.id]) == 1
    assert claim(c) == [first.id]


def test_a_later_word_takes_the_place_of_one_that_waits(c: Connection) -> None:
    sent = add(c, form="nla", mergeable=True)
    claim(c)
    merged, last = add(c, form="nla", mergeable=True), add(c, form="nla")
    assert outbox.get_delivery(c, merged.id).status == "merged"
    assert outbox.get_delivery(c, sent.id).status == outbox.get_delivery(c, last.id).status == "waiting"
    add(c, form="nla", mergeable=True)
    assert outbox.get_delivery(c, last.id).status == "waiting"


def test_callbacks_are_told_of_runs_that_have_one(c: Connection) -> None:
    task = add_task(c)
    told, other = add_run(c, task), add_run(c, task)
    assert outbox.tell_callbacks(c, [told.id], NOON, Numbers(), final=True) == 0
    outbox.set_callback(c, Callback(run_id=told.id, url="http://Example.com:8080/x", form="nla"))
    assert outbox.tell_callbacks(c, [told.id, other.id], NOON, Numbers(), final=True) == 1
    (delivery,) = outbox.list_deliveries(c, limit=9)
    assert (delivery.target, delivery.form, delivery.run_id) == ("example.com:8080", "nla", told.id)
    assert (delivery.give_up_at, delivery.mergeable) == (None, False)


def test_after_a_drop_nothing_more_is_told_of_a_run(c: Connection) -> None:
    run = add_run(c, add_task(c))
    outbox.set_callback(c, Callback(run_id=run.id, url="http://x", form="nla", is_retried=True))
    outbox.tell_callbacks(c, [run.id], NOON, Numbers(), final=False)
    outbox.drop_callbacks(c, [run.id], NOON)
    assert [delivery.status for delivery in outbox.list_deliveries(c, limit=9)] == ["dropped"]
    assert outbox.tell_callbacks(c, [run.id], NOON, Numbers(), final=True) == 0


def test_after_a_drop_nothing_more_is_told_of_any_run_of_a_task(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    runs = [add_run(c, each) for each in (task, task, other)]
    for run in runs:
        outbox.set_callback(c, Callback(run_id=run.id, url=f"http://{run.id}", form="nla"))
    outbox.tell_callbacks(c, [run.id for run in runs], NOON, Numbers(), final=True)
    outbox.drop_callbacks_of(c, task.id, NOON)
    dropped = {delivery.run_id: delivery.status == "dropped" for delivery in outbox.list_deliveries(c, limit=9)}
    assert [dropped[run.id] for run in runs] == [True, True, False]
    assert outbox.find_addresses(c, [run.id for run in runs]) == {runs[2].id: f"http://{runs[2].id}"}
    ids = [delivery.id for delivery in outbox.list_deliveries(c, limit=9)]
    assert len(outbox.list_dropped(c, ids)) == 2


def test_the_log_holds_each_try(c: Connection) -> None:
    add(c)
    (taken,) = outbox.claim_due(c, "node", NOON, {}, per_target=1, limit=1)
    for _ in range(2):  # a pass that is repeated writes it once
        outbox.record_try(c, taken, Sent(code=503, error="answered 503\x00"), at(1), 0.25)
    (one,) = outbox.list_tries(c, taken.id)
    assert (one.number, one.at, one.duration_s, one.code) == (1, at(1), 0.25, 503)


def test_a_replay_sends_it_once_more(c: Connection) -> None:
    delivery = add(c)
    with pytest.raises(Conflict):
        outbox.replay(c, delivery.id, NOON)
    outbox.end_delivery(c, delivery.id, "failed", at(1), "answered 500")
    again = outbox.replay(c, delivery.id, at(9))
    assert (again.status, again.due_at, again.ended_at) == ("waiting", at(9), None)
    assert claim(c, 9) == [delivery.id]
    with pytest.raises(NotFound):
        outbox.replay(c, "none", NOON)


def test_what_is_over_is_forgotten_in_time(c: Connection) -> None:
    over, waiting = add(c), add(c)
    outbox.end_delivery(c, over.id, "delivered", at(1))
    assert outbox.prune_deliveries(c, at(2)) == 1
    assert [delivery.id for delivery in outbox.list_deliveries(c, limit=9)] == [waiting.id]


@pytest.mark.parametrize("url", ["http://[x", "http://a]b/", "", "nowhere"])
def test_whoever_is_to_hear_of_a_run_never_keeps_it_from_ending(c: Connection, url: str) -> None:
    told = outbox.told(Callback(run_id=make_id(), url=url, form="f"), make_id(), NOON, final=True)
    outbox.insert_deliveries(c, [told])
    assert outbox.get_delivery(c, told.id).target == "nowhere"
