"""What an exit comes to."""

from itertools import permutations

import pytest

from rota.core.outcome import STOP_OUTCOMES, StopCause, judge_exit, stronger

ORDER: list[StopCause] = ["shutdown", "log_overflow", "timeout", "replaced", "removed", "cancel", "stop"]


def test_an_exit_code_that_counts_as_success_succeeds():
    assert judge_exit(3, None, [0, 3]).state == "succeeded"


def test_any_other_exit_code_fails_and_says_so():
    outcome = judge_exit(4, None, [0, 3])
    assert (outcome.state, outcome.exit_code, outcome.error) == ("failed", 4, "exit code 4")


@pytest.mark.parametrize(
    ("cause", "state", "reason"),
    [
        ("shutdown", "stopped", "shutdown"),
        ("log_overflow", "failed", "log_overflow"),
        ("timeout", "timed_out", None),
        ("replaced", "stopped", "replaced"),
        ("removed", "stopped", "task_removed"),
        ("cancel", "canceled", None),
        ("stop", "stopped", None),
    ],
)
def test_a_stop_outranks_the_exit_code(cause, state, reason):
    outcome = judge_exit(0, cause, [0])
    assert (outcome.state, outcome.reason, outcome.exit_code) == (state, reason, 0)


def test_the_stronger_cause_counts_in_whatever_order_they_come():
    assert list(STOP_OUTCOMES) == ORDER
    for first, second in permutations(ORDER, 2):
        assert stronger(first, second) == min(first, second, key=ORDER.index)


def test_the_first_cause_counts_alone():
    assert stronger(None, "stop") == "stop"
