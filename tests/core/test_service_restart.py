"""How an instance of a service is kept alive."""

from datetime import UTC, datetime, timedelta

import pytest

from rota.core.outcome import Outcome
from rota.core.service import Dependency, Instance, ServicePolicy, after_exit, check_dependencies, ready_at

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
FAILED = Outcome(state="failed", exit_code=1)
CLEAN = Outcome(state="succeeded", exit_code=0)


def exits(policy, *ends):
    instance, delays = Instance(task_id="t", number=0), []
    for outcome, uptime_s in ends:
        instance = after_exit(policy, instance, outcome, uptime_s, NOW)
        delays.append(None if instance.start_at is None else (instance.start_at - NOW).total_seconds())
    return instance, delays


def test_fast_failures_wait_longer_each_time_and_the_fourth_gives_up():
    instance, delays = exits(ServicePolicy(), *[(FAILED, 0.1)] * 4)
    assert delays == [1, 2, 4, None]
    assert instance.fatal


def test_delays_are_capped_at_a_minute():
    _, delays = exits(ServicePolicy(start_retries=100), *[(FAILED, 0.1)] * 8)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_healthy_run_forgives_everything():
    instance, delays = exits(ServicePolicy(), (FAILED, 0.1), (FAILED, 0.1), (FAILED, 60.0))
    assert (delays[-1], instance.fast_failures, instance.restarts) == (1, 0, 1)


def test_a_clean_exit_forgives_the_failures_but_not_the_pace():
    instance, delays = exits(ServicePolicy(), (FAILED, 0.1), (CLEAN, 0.1))
    assert (delays, instance.fast_failures) == ([1, 2], 0)


def test_on_failure_lets_a_success_rest():
    instance, _ = exits(ServicePolicy(restart="on_failure"), (CLEAN, 5.0))
    assert instance.done


def dependency(**changes):
    return Dependency(**{"is_wanted": True, "healthy_after_s": 10.0, "up_since": [], **changes})


def test_a_service_waits_until_what_it_needs_is_healthy():
    up_since = NOW + timedelta(seconds=2)
    assert ready_at([dependency(up_since=[up_since])], NOW) == NOW + timedelta(seconds=12)


def test_it_starts_anyway_when_that_takes_too_long():
    assert ready_at([dependency()], NOW) == NOW + timedelta(seconds=15)


@pytest.mark.parametrize("gone", [{"is_wanted": False}, {"is_fatal": True}])
def test_it_does_not_wait_for_what_is_stopped_or_gave_up(gone):
    assert ready_at([dependency(**gone)], NOW) == NOW


def test_names_that_do_not_exist_and_cycles_are_named():
    problems = check_dependencies({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["nobody"], "e": ["e"]})
    texts = [problem.message for problem in problems]
    assert "no service is named 'nobody'" in texts
    assert "a service cannot wait for itself" in texts
    assert any("a -> b -> c -> a" in text for text in texts)
