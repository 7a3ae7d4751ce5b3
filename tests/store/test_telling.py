"""What a change writes for people: lines of the bell, deliveries, and what is held back."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from tests.factories import NOON, at, make_id, make_notification, make_run, spec
from tests.store.storing import add_task, add_user

from rota.core.errors import NotFound
from rota.core.notification import Alert, Route, Rules
from rota.core.run import Run
from rota.core.task import Notify, Recipient, Task
from rota.store import alerts, notifications, outbox, telling, users
from rota.store.connection import Connection

RULES = Rules(always=("inapp", "ops"), window_s=100, ring=3, budget_s=60)


class Numbers:
    def new(self) -> str:
        return make_id()


def failed(task: Task, **fields: object) -> Run:
    return make_run(
        task, **{"state": "failed", "exit_code": 4, "error": "exit code 4", "started_at": NOON, "ended_at": at(5), **fields}
    )


def tell(c: Connection, task: Task, now: datetime = NOON, rules: Rules = RULES, **fields: object) -> int:
    return telling.tell(c, rules, [(failed(task, **fields), task)], Numbers(), now)


def bell(c: Connection) -> list[tuple[str, int]]:
    return [(line.title, line.count) for line in notifications.list_notifications(c, everyone=True, limit=99)]


def sent(c: Connection) -> list[tuple[str, str, int]]:
    found = outbox.list_deliveries(c, limit=99)
    return [
        (delivery.target, delivery.body["note"].get("stage", "first"), delivery.body["note"].get("count", 1))
        for delivery in found[::-1]
    ]


def test_a_failure_rings_the_bell_and_goes_out(c: Connection) -> None:
    task = add_task(c, name="dump")
    assert tell(c, task) == 1
    (line,) = notifications.list_notifications(c, everyone=True, limit=9)
    assert (line.title, line.body, line.kind, line.severity) == ("dump failed", "exit code 4, after 5 s", "run.failed", "error")
    assert (line.task_name, line.occurrences, line.read_at) == ("dump", [NOON], None)
    (delivery,) = outbox.list_deliveries(c, limit=9)
    assert (delivery.target, delivery.address, delivery.give_up_at) == ("ops", {"notifier": "ops", "to": None}, at(60))


def test_what_failed_for_one_user_is_not_told_to_another(c: Connection) -> None:
    ann, bob = add_user(c, "ann"), add_user(c, "bob")
    task = add_task(c, owner_id=ann)
    for number, owner_id in enumerate((ann, bob, ann), start=1):
        tell(c, task, owner_id=owner_id, error=f"reason {number}")
    lines = [notifications.list_notifications(c, owner_id=owner_id, limit=9) for owner_id in (ann, bob)]
    assert [[(line.count, line.body[:8]) for line in found] for found in lines] == [[(2, "reason 3")], [(1, "reason 2")]]


def test_those_who_follow_a_shared_task_are_not_told_of_the_runs_of_others(c: Connection) -> None:
    ann, bob = (add_agent(c, name) for name in ("ann", "bob"))
    mail = Notify(mail=[Recipient(email="ann@example.com")])
    task = add_task(c, owner_id=ann, spec=spec(shared=True, notify=mail))
    for owner_id in (bob, ann):
        telling.tell_all(c, Rules(), [(failed(task, owner_id=owner_id, attempt=1), task)], Numbers(), NOON)
    told = [delivery.address for delivery in outbox.list_deliveries(c, limit=9)]
    assert told[::-1] == [{"url": "http://bob"}, {"url": "http://ann"}, {"mail": "ann@example.com"}]


def add_agent(c: Connection, name: str) -> str:
    agent = users.insert_user(c, id=make_id(), name=name, created_at=NOON, kind="agent", webhook_url=f"http://{name}")
    return agent.id


def test_nothing_is_written_where_nobody_is_to_be_told(c: Connection) -> None:
    task = add_task(c)
    assert tell(c, task, rules=Rules()) == 0
    assert (
        telling.tell(c, RULES, [(failed(task, state="succeeded"), task), (failed(task, state="skipped"), task)], Numbers(), NOON)
        == 0
    )
    assert (bell(c), sent(c)) == ([], [])


def test_a_recipient_of_a_route_is_part_of_the_address(c: Connection) -> None:
    tell(c, add_task(c), rules=Rules(routes=(Route(targets=("chat:#db", "chat")),)))
    assert [delivery.address for delivery in outbox.list_deliveries(c, limit=9)] == [
        {"notifier": "chat", "to": None},
        {"notifier": "chat", "to": "#db"},
    ]


def test_like_failures_are_one_line_and_are_held_back(c: Connection) -> None:
    task = add_task(c, name="dump")
    for seconds in range(6):
        tell(c, task, at(seconds))
    assert bell(c) == [("dump failed", 6)]
    assert sent(c) == [("ops", "first", 1), ("ops", "check_in", 3)]
    (line,) = notifications.list_notifications(c, everyone=True, limit=9)
    assert line.occurrences == [at(3), at(4), at(5)]


def test_what_happens_again_is_unread_again(c: Connection) -> None:
    task = add_task(c)
    tell(c, task)
    notifications.update_all_read(c, at(1), everyone=True)
    assert notifications.count_unread(c, everyone=True) == 0
    tell(c, task, at(2))
    assert notifications.count_unread(c, everyone=True) == 1


def test_other_tasks_and_other_ends_are_told_apart(c: Connection) -> None:
    one, other = add_task(c, name="a"), add_task(c, name="b")
    tell(c, one)
    tell(c, other)
    tell(c, one, reason="log_overflow")
    assert len(bell(c)) == len(sent(c)) == 3


def test_at_the_end_of_the_window_what_was_held_is_summed_up(c: Connection) -> None:
    task = add_task(c)
    for seconds in range(3):
        tell(c, task, at(seconds))
    assert telling.flush_over(c, RULES, Numbers(), at(99)) == 0
    assert alerts.next_end(c) == at(100)
    assert telling.flush_over(c, RULES, Numbers(), at(100)) == 1
    assert sent(c) == [("ops", "first", 1), ("ops", "summary", 2)]
    assert telling.flush_over(c, RULES, Numbers(), at(200)) == 0
    assert alerts.next_end(c) is None
    tell(c, task, at(201))
    assert len(bell(c)) == 2


def test_all_that_is_held_can_be_told_at_once(c: Connection) -> None:
    task = add_task(c)
    tell(c, task)
    tell(c, task, at(1))
    assert telling.flush_all(c, RULES, Numbers(), at(2)) == 1
    assert telling.flush_all(c, RULES, Numbers(), at(3)) == 0


def test_a_task_that_is_gone_is_not_summed_up(c: Connection) -> None:
    task = add_task(c)
    alert = replace(alerts_of(c, task), held=2)
    alerts.upsert_alert(c, replace(alert, note=replace(alert.note, task_id=make_id())))
    assert telling.flush_all(c, RULES, Numbers(), at(1)) == 1
    assert len(sent(c)) == 1


def alerts_of(c: Connection, task: Task) -> Alert:
    tell(c, task)
    (alert,) = alerts.list_over(c, at(1000), 9)
    return alert


def test_without_a_window_each_is_told_by_itself(c: Connection) -> None:
    task, rules = add_task(c), replace(RULES, window_s=0)
    for seconds in range(3):
        tell(c, task, at(seconds), rules)
    assert (len(bell(c)), len(sent(c))) == (3, 3)
    assert alerts.next_end(c) is None


def test_a_note_holds_no_output_of_the_run(c: Connection) -> None:
    tell(c, add_task(c), output={"large": "x" * 1000})
    assert "xxx" not in str(outbox.list_deliveries(c, limit=9))


def test_a_delivery_that_was_given_up_is_told_on_the_bell_alone(c: Connection) -> None:
    task = add_task(c, name="dump")
    tell(c, task)
    (delivery,) = outbox.list_deliveries(c, limit=9)
    telling.tell_failed_delivery(c, replace(delivery, attempts=3), "answered 500", Numbers(), at(9))
    line = notifications.list_notifications(c, everyone=True, limit=1)[0]
    assert (line.kind, line.title, line.task_name) == ("notify.delivery_failed", "ops could not be told", "dump")
    assert line.body == "ops: dump failed\nanswered 500, after 3 tries"
    assert len(sent(c)) == 1


def test_watchers_are_told_once_of_each_change(c: Connection) -> None:
    task = add_task(c)
    tell(c, task)
    assert [line.count for line in notifications.take_untold(c)] == [1]
    assert notifications.take_untold(c) == []
    tell(c, task, at(1))
    assert [line.count for line in notifications.take_untold(c)] == [2]


def test_the_bell_keeps_the_newest_and_the_young(c: Connection) -> None:
    old = make_notification(last_occurred_at=at(-1000))
    lines = [old, *(make_notification() for _ in range(4))]
    for line in lines:
        notifications.insert_notification(c, line)
    assert notifications.prune_notifications(c, 99, at(-500)) == 1
    assert notifications.prune_notifications(c, 2, at(-500)) == 2
    assert [line.id for line in notifications.list_notifications(c, everyone=True, limit=9)] == [lines[4].id, lines[3].id]


def test_each_owner_has_a_bell_of_its_own(c: Connection) -> None:
    owner = make_id()
    mine, common = make_notification(owner_id=owner), make_notification()
    for line in (mine, common):
        notifications.insert_notification(c, line)
    assert notifications.list_notifications(c, owner_id=owner, limit=9) == [mine]
    assert notifications.list_notifications(c, limit=9) == [common]
    assert notifications.count_unread(c, owner_id=owner) == 1
    assert notifications.update_all_read(c, at(1), owner_id=owner) == 1
    assert notifications.count_unread(c, everyone=True) == 1


def test_a_line_keeps_the_moment_it_was_first_read(c: Connection) -> None:
    line = make_notification()
    notifications.insert_notification(c, line)
    assert notifications.update_read(c, line.id, at(1)).read_at == at(1)
    assert notifications.update_read(c, line.id, at(2)).read_at == at(1)
    assert notifications.update_read(c, line.id, None).read_at is None
    with pytest.raises(NotFound):
        notifications.update_read(c, "none", at(1))
