"""Delays between attempts, and when there is another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.outcome import Outcome
from rota.core.policy import Retry
from rota.core.retry import delay_s, will_retry


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        ("constant", [10, 10, 10, 10, 10, 10, 10]),
        ("linear", [10, 20, 30, 40, 50, 60, 70]),
        ("exponential", [10, 20, 40, 80, 160, 300, 300]),
    ],
)
def test_delays_follow_their_curve_up_to_the_cap(backoff, delays):
    retry = Retry(attempts=9, backoff=backoff, delay_s=10)
    assert [delay_s(retry, failed) for failed in range(1, 8)] == delays


def test_a_constant_delay_is_meant_literally_beyond_the_cap():
    assert delay_s(Retry(delay_s=900, cap_s=300), 3) == 900


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True), st.floats(0, 1e6), st.floats(0, 1e6))
def test_jitter_stays_in_the_upper_half_of_the_curve(failed, draw, delay, cap):
    curve = delay_s(Retry(backoff="exponential", delay_s=delay, cap_s=cap), failed)
    waited = delay_s(Retry(backoff="exponential_jitter", delay_s=delay, cap_s=cap), failed, draw)
    assert curve / 2 <= waited <= curve <= cap


@given(st.integers(0, 20), st.integers(1, 30))
def test_a_failure_is_tried_again_as_often_as_asked(attempts, attempt):
    assert will_retry(Retry(attempts=attempts), attempt, Outcome(state="failed")) == (attempt <= attempts)


@pytest.mark.parametrize("state", ["succeeded", "stopped", "canceled", "crashed"])
def test_only_failures_whose_doing_is_known_are_tried_again(state):
    assert not will_retry(Retry(attempts=5), 1, Outcome(state=state))


def test_a_final_failure_is_not_tried_again():
    assert not will_retry(Retry(attempts=5), 1, Outcome(state="failed", final=True))
