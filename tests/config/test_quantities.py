"""Durations and sizes."""

from typing import Any

import pytest

from rota.config.kinds import BadValue
from rota.config.quantities import duration, seconds, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3),
        ("5s", 5),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("1w1d", 691_200),
        ("0s", 0),
        ("0", 0),
        ("250us", 0.00025),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert duration().parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, 'write "5s" for five seconds'),
        (1.5, 'write "5s" for five seconds'),
        ("5", 'write "5s" for seconds'),
        ("5 minutes", 'write "5m"'),
        ("10 sec", 'write "10s"'),
        ("2 hours", 'write "2h"'),
        ("-5s", "negative"),
        ("", "must be a duration"),
        ("soon", "must be a duration"),
        ("1h 30m", "must be a duration"),
        ("99999999w", "100 years"),
        (True, "not true or false"),
        (["5s"], "not a list"),
    ],
)
def test_it_refuses_what_is_no_duration(value: Any, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        duration().parse(value)
    assert message in str(caught.value)


def test_a_duration_may_have_bounds() -> None:
    with pytest.raises(BadValue, match="longer than 0"):
        duration(positive=True).parse("0s")
    with pytest.raises(BadValue, match="not be longer than 24h"):
        duration(most_s=86_400).parse("25h")
    with pytest.raises(BadValue, match="not be shorter than 4s"):
        duration(least_s=4).parse("3.9s")
    with pytest.raises(BadValue, match="not be longer than 10m"):
        duration(least_s=4, most_s=600).parse("601s")
    assert duration(least_s=4, most_s=600).name == "duration ≥ 4s ≤ 10m"


@pytest.mark.parametrize(
    ("value", "count"),
    [("500", 500), (500, 500), ("64KB", 65_536), ("1.5gb", 1_610_612_736), ("0", 0), ("1 mb", 1_048_576), ("2TB", 2 * 1024**4)],
)
def test_sizes_are_bytes(value: Any, count: int) -> None:
    assert size().parse(value) == count


@pytest.mark.parametrize("value", ["inf", "nan", "-1kb", -1, "1pb", "9999999999gb", "", "mb", 1.5, True])
def test_it_refuses_what_is_no_size(value: Any) -> None:
    with pytest.raises(BadValue):
        size().parse(value)


def test_some_sizes_must_not_be_zero() -> None:
    with pytest.raises(BadValue, match="larger than 0"):
        size(positive=True).parse("0mb")


def test_variables_of_other_systems_may_give_seconds_without_a_unit() -> None:
    assert (seconds().from_text("1.5"), seconds().from_text("90s")) == (1.5, 90.0)
    with pytest.raises(BadValue, match="no unit"):
        seconds().parse("1.5")
