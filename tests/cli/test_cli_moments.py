from datetime import UTC, datetime, timedelta

import pytest

from rota.cli.moments import amount, duration, utc


def test_a_moment_in_a_pipe_is_utc_to_the_second() -> None:
    assert utc("2026-03-29T02:30:00.123456+02:00") == "2026-03-29T00:30:00Z"
    assert utc("2026-03-01T02:00:00Z") == "2026-03-01T02:00:00Z"


def test_no_moment_is_an_empty_text() -> None:
    assert utc(None) == ""


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=90), "1 min"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=800), "800 d"),
    ],
)
def test_a_length_is_told_in_its_largest_whole_unit(length: timedelta, text: str) -> None:
    assert amount(length) == text


def test_short_work_is_told_to_the_hundredth_of_a_second() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    assert duration(start.isoformat(), (start + timedelta(seconds=0.4213)).isoformat()) == "0.42 s"
    assert duration(start.isoformat(), (start + timedelta(minutes=3)).isoformat()) == "3 min"


def test_work_that_goes_on_has_no_duration() -> None:
    assert duration("2026-03-01T00:00:00Z", None) == ""
