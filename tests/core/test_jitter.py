"""Places inside jitter windows."""

from hypothesis import given
from hypothesis import strategies as st

from rota.core.jitter import Window, offsets

THREE = 3 * 3600


def minutes(*windows):
    placed = offsets([Window(phase, length * 60, name) for name, phase, length in windows])
    return {name: seconds / 60 for name, seconds in placed.items()}


def test_a_lone_task_starts_at_its_tick():
    assert minutes(("a", THREE, 30)) == {"a": 0}


def test_three_with_one_window_are_spread_over_it():
    assert minutes(("a", THREE, 30), ("b", THREE, 30), ("c", THREE, 30)) == {"a": 0, "b": 15, "c": 30}


def test_four_with_one_window_are_spread_over_it():
    assert minutes(*((name, THREE, 30) for name in "abcd")) == {"a": 0, "b": 10, "c": 20, "d": 30}


def test_the_shorter_window_goes_first():
    assert minutes(("a", THREE, 30), ("b", THREE, 10)) == {"b": 0, "a": 30}


def test_a_longer_window_behind_them_goes_last():
    assert minutes(("a", THREE, 30), ("b", THREE, 10), ("c", THREE + 300, 60)) == {"b": 0, "a": 30, "c": 55}


WINDOWS = st.lists(st.tuples(st.integers(0, 86_399), st.integers(1, 86_400)), max_size=12)


@given(WINDOWS)
def test_nobody_leaves_their_window(pairs):
    windows = [Window(phase, length, str(number)) for number, (phase, length) in enumerate(pairs)]
    placed = offsets(windows)
    assert all(0 <= placed[window.name] <= window.length_s for window in windows)


@given(WINDOWS)
def test_the_same_tasks_always_get_the_same_places(pairs):
    windows = [Window(phase, length, str(number)) for number, (phase, length) in enumerate(pairs)]
    assert offsets(windows) == offsets(reversed(windows))
