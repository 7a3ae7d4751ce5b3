"""Limits over several tasks, and who an event may start."""

from datetime import UTC, datetime, timedelta

import pytest

from rota.core.event import MAX_DEPTH, end_topics, refusal
from rota.core.limit import is_duplicate, queue_order

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window_s", "age_s", "is_live", "duplicate"),
    [(60, 59, False, True), (60, 60, False, False), (0, 0, False, False), (0, 9000, True, True)],
)
def test_a_run_repeats_a_live_one_or_one_within_the_window(window_s, age_s, is_live, duplicate):
    assert is_duplicate(window_s, NOW - timedelta(seconds=age_s), is_live, NOW) == duplicate


def test_nothing_is_repeated_where_nothing_was():
    assert not is_duplicate(60, None, False, NOW)


def test_priority_goes_before_time_and_time_before_age():
    urgent, early, late = queue_order(1, NOW, "9"), queue_order(5, NOW, "8"), queue_order(5, NOW + timedelta(seconds=1), "1")
    assert sorted([late, early, urgent]) == [urgent, early, late]


def test_an_event_does_not_start_a_task_that_caused_it():
    assert refusal("a", 2, ["b", "a"]) == "event_loop"


def test_a_chain_goes_no_deeper_than_its_limit():
    assert refusal("a", MAX_DEPTH, []) is None
    assert refusal("a", MAX_DEPTH + 1, []) == "event_depth"


def test_an_end_is_told_for_all_and_for_one():
    assert end_topics("failed", "nightly") == ("run.failed", "run.failed.nightly")
