"""What happens to a new run of a task that runs already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.overlap import Occupancy, admit
from rota.core.policy import Policy


@pytest.mark.parametrize(
    ("overlap", "active", "held", "verdict"),
    [
        ("queue", 0, 0, "start"),
        ("queue", 1, 0, "hold"),
        ("queue", 1, 2, "queue_full"),
        ("queue", 0, 1, "hold"),
        ("skip", 0, 0, "start"),
        ("skip", 1, 0, "skipped"),
        ("terminate", 0, 0, "start"),
        ("terminate", 1, 0, "replace"),
        ("terminate", 1, 1, "replace"),
    ],
)
def test_the_policy_decides(overlap, active, held, verdict):
    assert admit(Policy(overlap=overlap, queue_max=2), Occupancy(active, held)) == verdict


def test_a_queue_of_no_length_lets_nobody_wait():
    assert admit(Policy(queue_max=0), Occupancy(1, 0)) == "queue_full"


POLICIES = st.builds(
    Policy, overlap=st.sampled_from(["queue", "skip", "terminate"]), max_concurrent=st.integers(1, 4), queue_max=st.integers(0, 4)
)


@given(POLICIES, st.integers(0, 6), st.integers(0, 6))
def test_nothing_starts_beyond_the_limit(policy, active, held):
    if active >= policy.max_concurrent:
        assert admit(policy, Occupancy(active, held)) != "start"


@given(POLICIES, st.integers(0, 6))
def test_a_free_place_without_a_queue_is_always_taken(policy, active):
    if active < policy.max_concurrent:
        assert admit(policy, Occupancy(active, 0)) == "start"
