"""Cursors, and queries as structs."""

from datetime import UTC, datetime
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from rota.core.errors import Invalid
from rota.http.paging import decode_cursor, encode_cursor, page_of
from rota.http.query import read_query


class Query(Struct):
    limit: Annotated[int, Meta(ge=1, le=9)] = 5
    start: int = field(name="from", default=0)
    at: datetime | None = None
    word: str | None = None


@given(st.from_regex(r"[0-9a-f-]*[0-9a-f][0-9a-f-]*", fullmatch=True))
def test_a_cursor_comes_back_as_it_was(place: str) -> None:
    cursor = encode_cursor("runs", place)
    assert decode_cursor("runs", cursor) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_cursor_by_accident(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_cursor("another list", text)
    assert refused.value.problems[0].location == "query.cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid):
        decode_cursor("tasks", encode_cursor("runs", "abc"))


def test_no_cursor_is_the_first_page() -> None:
    assert decode_cursor("runs", None) is None


def test_the_last_page_has_no_cursor() -> None:
    assert page_of("n", [1, 2, 3], 3, str) == ([1, 2, 3], None)
    assert page_of("n", [1, 2, 3, 4], 3, str) == ([1, 2, 3], encode_cursor("n", "3"))


def test_a_query_is_read_into_its_struct() -> None:
    query = read_query(Query, b"limit=7&from=-3&at=2026-01-01T00:00:00%2B02:00&word=")
    assert (query.limit, query.start, query.word) == (7, -3, "")
    assert query.at == datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert read_query(Query, b"") == Query()


@pytest.mark.parametrize(
    ("raw", "location"),
    [
        (b"limit=0", "query.limit"),
        (b"limit=many", "query.limit"),
        (b"limit=1&limit=2", "query.limit"),
        (b"lmit=1", "query.lmit"),
        (b"start=1", "query.start"),
        (b"at=2026-01-01T00:00:00", "query.at"),
        (b"at=0001-01-01T00:00:00%2B14:00", "query.at"),
        (b"at=9999-12-31T23:59:59-14:00", "query.at"),
        (b"word=%00", "query"),
        (b"&".join(b"a%d=1" % number for number in range(101)), "query"),
    ],
)
def test_a_wrong_query_is_refused_at_its_field(raw: bytes, location: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(Query, raw)
    assert refused.value.problems[0].location == location


@given(st.binary(max_size=80))
def test_no_query_is_more_than_refused(raw: bytes) -> None:
    try:
        read_query(Query, raw)
    except Invalid as refused:
        assert refused.problems[0].location.startswith("query")


def test_everything_that_is_wrong_with_a_query_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        read_query(Query, b"from=x&limit=0&word=good&at=never")
    assert [problem.location for problem in refused.value.problems] == ["query.limit", "query.from", "query.at"]
