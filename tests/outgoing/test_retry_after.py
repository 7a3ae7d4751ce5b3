"""When somebody who was called wants to be called again (RFC 9110)."""

from datetime import UTC, datetime

import pytest

from rota.outgoing import retry_after_s

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
DATE = "Wed, 21 Oct 2026 07:28:10 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("1e9", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_s({} if text is None else {"retry-after": text}, NOW) == seconds


def test_a_date_counts_from_when_the_answer_was_made_by_the_clock_that_made_it() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}
    assert retry_after_s(headers, NOW) == retry_after_s(headers) == 20


def test_a_date_alone_says_nothing_to_who_has_no_clock() -> None:
    assert retry_after_s({"retry-after": DATE}) is None
