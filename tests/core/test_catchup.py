"""What becomes of slots nobody was awake for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.catchup import due_slots, is_misfire, plan
from rota.core.policy import Dst, Policy
from rota.core.schedule import CronSchedule, Planned, compile_schedule

NOW = datetime(2027, 3, 1, 12, 0, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)


def slots(*minutes_ago, suppressed=False):
    moments = [NOW.replace(second=0) - timedelta(minutes=minutes) for minutes in minutes_ago]
    return [Planned(at=at, local=at, suppressed=suppressed) for at in moments]


@pytest.mark.parametrize(("catch_up", "made_up"), [("skip", 0), ("latest", 1), ("all", 3)])
def test_the_policy_says_how_many_are_made_up(catch_up, made_up):
    verdicts = plan(slots(5, 4, 3, 2, 1), Policy(catch_up=catch_up, max_catch_up=3), LONG_AGO, NOW, NOW)
    assert (len(verdicts.made_up), len(verdicts.missed), verdicts.slept_through) == (made_up, 5 - made_up, 5)


def test_the_newest_are_the_ones_made_up():
    due = slots(5, 4, 3)
    assert plan(due, Policy(catch_up="latest"), LONG_AGO, NOW, NOW).made_up == due[-1:]


def test_a_slot_that_came_while_awake_is_simply_due_however_late():
    verdicts = plan(slots(5), Policy(catch_up="skip"), LONG_AGO, NOW - timedelta(hours=1), NOW)
    assert len(verdicts.on_time) == 1


def test_a_slot_beyond_the_grace_is_not_made_up():
    policy = Policy(catch_up="all", misfire_grace_s=180)
    assert [slot.at for slot in plan(slots(5, 4, 2, 1), policy, LONG_AGO, NOW, NOW).made_up] == [slot.at for slot in slots(2, 1)]
    assert is_misfire(slots(5)[0].at, policy, NOW)


def test_a_suppressed_repeat_is_neither_run_nor_missed():
    verdicts = plan(slots(2, suppressed=True), Policy(), LONG_AGO, NOW, NOW)
    assert (len(verdicts.repeats), verdicts.slept_through, verdicts.on_time) == (1, 0, [])


@given(st.integers(0, 40), st.integers(0, 60), st.sampled_from(["latest", "all", "skip"]), st.integers(1, 50))
def test_every_slot_gets_exactly_one_verdict(count, awake_minutes_ago, catch_up, cap):
    due = slots(*range(count, 0, -1))
    awake_since = NOW - timedelta(minutes=awake_minutes_ago)
    verdicts = plan(due, Policy(catch_up=catch_up, max_catch_up=cap), LONG_AGO, awake_since, NOW)
    told = [*verdicts.on_time, *verdicts.made_up, *verdicts.missed, *verdicts.repeats]
    assert sorted(slot.at for slot in told) == [slot.at for slot in due]


def every_second():
    return compile_schedule(CronSchedule(expr="* * * * * *"), dst=Dst(), anchor_at=NOW, default_timezone="UTC")


def test_a_short_sleep_is_counted_in_full():
    due = due_slots(every_second(), NOW - timedelta(seconds=50), NOW)
    assert (len(due.slots), due.is_cut) == (50, False)


def test_a_long_sleep_is_looked_at_from_both_ends():
    due = due_slots(every_second(), NOW - timedelta(days=30), NOW, most=100)
    assert due.is_cut
    assert len(due.slots) <= 200
    assert due.slots[0].at == NOW - timedelta(days=30) + timedelta(seconds=1)
    assert due.slots[-1].at == NOW


def test_due_slots_are_told_once_and_in_order():
    moments = [slot.at for slot in due_slots(every_second(), NOW - timedelta(seconds=150), NOW, most=100).slots]
    assert moments == sorted(set(moments))
    assert len(moments) == 150


def test_a_moment_that_was_past_when_it_was_asked_for_is_due_and_not_missed():
    verdicts = plan(slots(5), Policy(catch_up="skip"), NOW - timedelta(seconds=1), NOW, NOW)
    assert len(verdicts.on_time) == 1


def test_under_idle_only_what_no_run_stood_in_the_way_of_is_made_up():
    due, policy = slots(5, 4, 3), Policy(catch_up="idle")
    ends = [None, due[0].at, due[1].at, due[2].at, NOW]
    made_up = [plan(due, policy, LONG_AGO, NOW, NOW, idle_since=end).made_up for end in ends]
    assert made_up == [due[-1:], due[-1:], due[-1:], [], []]
