"""What agents own, did and changed, on both databases."""

from datetime import timedelta

import pytest
from tests.factories import NOON, at, make_id, spec
from tests.store.storing import add_ended, add_running, add_task, add_user

from rota.core.errors import Conflict
from rota.core.event import Event
from rota.core.policy import Policy
from rota.core.schedule import CronSchedule, EventSchedule
from rota.store import audit, credentials, deletion, events, occurrences, runs, settlement, statistics, tasklist, tasks, users
from rota.store.audit import Entry
from rota.store.connection import Connection
from rota.store.occurrences import Order, Wanted
from rota.store.settlement import RetrySettlement, Settlement
from rota.store.tasklist import Asked


def add_agent(c: Connection, name: str = "bot") -> str:
    agent = users.insert_user(c, id=make_id(), name=name, created_at=NOON, kind="agent", scopes=["tasks:read"])
    return agent.id


def test_lists_hold_what_agents_own_newest_first_and_count_it(c: Connection) -> None:
    bot, other, ann = add_agent(c), add_agent(c, "other"), add_user(c)
    cron = add_task(c, owner_id=bot, spec=spec(name="a", schedule=CronSchedule("0 9 * * *")))
    event = add_task(c, owner_id=bot, spec=spec(name="b", schedule=EventSchedule("orders")), status="paused")
    theirs = add_task(c, owner_id=other, spec=spec(name="c", schedule=EventSchedule("orders")))
    add_task(c, owner_id=ann, spec=spec(name="d"))
    add_task(c, spec=spec(name="e"))
    everything = tasklist.page_tasks(c, Asked(), 10, 0)
    assert ([task.id for task in everything.items], everything.total) == ([theirs.id, event.id, cron.id], 3)
    page = tasklist.page_tasks(c, Asked(owner_id=bot), 1, 1)
    assert ([task.id for task in page.items], page.total) == ([cron.id], 2)
    assert tasklist.page_tasks(c, Asked(owner_id=bot, status="paused"), 5, 0).items == [event]
    assert tasklist.page_tasks(c, Asked(schedule_kinds=("cron", "rrule")), 5, 0).items == [cron]
    assert tasklist.list_topics(c, None) == {"orders": [theirs.id]}
    assert tasklist.list_topics(c, bot) == {}
    assert sorted(tasklist.count_kinds(c)) == sorted([("cron", bot, 1), ("event", bot, 1), ("event", other, 1)])


def test_the_attempts_of_all_agents_are_told_and_counted(c: Connection) -> None:
    bot, ann = add_agent(c), add_user(c)
    task = add_task(c, owner_id=bot, spec=spec(name="a"))
    run = add_running(c, task)
    settlement.settle_retry(c, [RetrySettlement(run.id, 1, "failed", at(10), at(10), make_id(), 1, "no", output={"part": 1})])
    add_ended(c, add_task(c, owner_id=ann, spec=spec(name="b")))
    shown = occurrences.list_occurrences(c, Wanted(by_agents=True), Order(), 10)
    assert [(each.state, each.output) for each in shown] == [("pending", None), ("failed", {"part": 1})]
    assert occurrences.count_occurrences(c, Wanted(by_agents=True)) == 2
    went = statistics.count_attempts(c, NOON - timedelta(days=1))
    assert (went.total, went.failed, went.tasks, went.average_s, went.last_failure_at) == (1, 1, 1, 10.0, NOON)
    assert statistics.count_attempts(c, NOON - timedelta(days=1), owner_id=ann).succeeded == 1
    assert statistics.count_attempts(c, NOON + timedelta(days=1), task_id=task.id).total == 0


def test_a_twin_is_another_active_task_of_the_owner_with_the_key(c: Connection) -> None:
    bot, other = add_agent(c), add_agent(c, "other")
    keyed = Policy(dedupe_key="daily")
    first = add_task(c, owner_id=bot, spec=spec(name="a", policy=keyed))
    assert tasks.find_active_twin(c, bot, "daily", make_id()) == first
    assert tasks.find_active_twin(c, bot, "daily", first.id) is None
    assert tasks.find_active_twin(c, other, "daily", make_id()) is None
    tasks.update_owner(c, first.id, other, NOON)
    assert tasks.find_active_twin(c, other, "daily", make_id()) is not None
    tasks.update_status(c, first.id, "paused", from_=["active"], now=NOON)
    assert tasks.find_active_twin(c, other, "daily", make_id()) is None


def test_a_given_task_takes_its_runs_along(c: Connection) -> None:
    bot, other = add_agent(c), add_agent(c, "other")
    run = add_ended(c, task := add_task(c, owner_id=bot, spec=spec(name="a")))
    tasks.update_owner(c, task.id, other, NOON)
    assert [each.id for each in runs.list_runs(c, owner_id=other, limit=5)] == [run.id]
    assert runs.list_runs(c, owner_id=bot, limit=5) == []


def test_all_runs_of_a_task_are_hidden_and_purged_once_they_are_over(c: Connection) -> None:
    task = add_task(c, owner_id=add_agent(c))
    ended, going = add_ended(c, task), add_running(c, task)
    deletion.hide_all(c, task.id, NOON)
    assert occurrences.list_occurrences(c, Wanted(by_agents=True), Order(), 5) == []
    assert [each.id for each in deletion.list_purgeable(c, NOON, 5)] == [ended.id]
    settlement.settle(c, [Settlement(going.id, 1, "succeeded", at(1))])
    assert len(deletion.list_purgeable(c, NOON, 5)) == 2


def test_an_agent_is_changed_and_its_name_is_free_once_it_is_removed(c: Connection) -> None:
    bot, other = add_agent(c), add_agent(c, "other")
    agent = users.find_user(c, bot)
    assert agent is not None and agent.actor.scopes == frozenset({"tasks:read"})
    with pytest.raises(Conflict):
        users.update_agent(c, users.User(id=bot, number=1, name="other", created_at=NOON))
    users.update_agent(c, users.User(id=bot, number=1, name="bot", created_at=NOON, scopes=("admin",), webhook_url="https://x"))
    changed = users.find_user(c, bot)
    assert changed is not None and changed.actor.is_root and changed.webhook_url == "https://x"
    credentials.insert_credential(c, id=make_id(), user_id=bot, kind="agent", hash="h", created_at=NOON)
    assert credentials.revoke_all(c, bot, "agent", NOON) == 1
    assert credentials.find_by_hash(c, "agent", "h") is None
    assert users.remove_user(c, bot, NOON)
    assert not users.remove_user(c, bot, NOON)
    assert [each.id for each in users.list_agents(c)] == [other]
    add_agent(c, "bot")


def test_the_audit_log_is_read_newest_first_and_narrowed(c: Connection) -> None:
    for number in range(3):
        entry = Entry(
            id=make_id(), actor_id=f"a{number % 2}", action="task.created", subject_id=None, details={"n": number}, at=at(number)
        )
        audit.insert_entries(c, [entry])
    page = audit.list_entries(c, action=None, actor_id="a0", since=None, limit=1, offset=0)
    assert ([each.details for each in page.items], page.total) == ([{"n": 2}], 2)
    assert audit.list_entries(c, action="x", actor_id=None, since=None, limit=5, offset=0).total == 0
    assert audit.list_entries(c, action=None, actor_id=None, since=at(1), limit=5, offset=1).items[0].details == {"n": 1}
    assert audit.prune_entries(c, at(2)) == 2


def test_events_of_agents_are_told_without_the_ends_of_runs(c: Connection) -> None:
    bot, run_id = add_agent(c), make_id()
    for topic, actor, cause in (("orders", bot, None), ("run.failed", bot, run_id), ("orders", "operator", None)):
        events.insert_event(c, Event(id=make_id(), topic=topic, payload={}, at=NOON, actor_id=actor, cause_run_id=cause))
    assert [event.topic for event in events.list_recent(c, 5, everyone=False)] == ["orders"]
    assert [event.topic for event in events.list_recent(c, 2, everyone=True)] == ["orders", "run.failed"]
    assert users.list_names(c, [bot, "operator"]) == {bot: "bot"}
