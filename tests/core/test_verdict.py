"""What follows an outcome."""

from datetime import UTC, datetime, timedelta

import pytest

from rota.core.outcome import Outcome
from rota.core.policy import Policy, Retry
from rota.core.verdict import judge

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
TWICE = Policy(retry=Retry(attempts=2, delay_s=30, backoff="linear"))


def test_a_failure_with_attempts_left_waits_for_the_next():
    verdict = judge(TWICE, 2, Outcome(state="failed"), NOW)
    assert (verdict.state, verdict.due_at, verdict.is_retry) == ("pending", NOW + timedelta(seconds=60), True)


def test_the_last_failure_ends_the_run():
    verdict = judge(TWICE, 3, Outcome(state="timed_out"), NOW)
    assert (verdict.state, verdict.is_retry) == ("timed_out", False)


@pytest.mark.parametrize("state", ["succeeded", "stopped", "canceled", "crashed"])
def test_other_ends_are_ends(state):
    assert judge(TWICE, 1, Outcome(state=state), NOW).state == state


def test_durable_work_goes_on_after_a_crash_at_once():
    verdict = judge(Policy(), 1, Outcome(state="crashed"), NOW, resumes=True)
    assert (verdict.state, verdict.due_at) == ("pending", NOW)
