"""Server-sent events, wherever their bytes are cut."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.providers.base import ProviderFault
from rota.providers.events import Event, read_events


def read(chunks: Sequence[bytes], most: int = 10_000) -> list[Event]:
    async def come() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[Event]:
        return [event async for event in read_events(come(), most)]

    return asyncio.run(collect())


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
EVENTS = st.lists(st.tuples(st.sampled_from(["", "ping", "delta"]), st.lists(WORDS, min_size=1, max_size=3)), max_size=4)


@given(EVENTS, st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(0, 400), max_size=6))
def test_what_comes_does_not_depend_on_where_it_is_cut(events, end, cuts):
    lines = [
        line
        for kind, data in events
        for line in ([f"event: {kind}"] if kind else []) + [f"data: {word}" for word in data] + [": a comment", ""]
    ]
    whole = "".join(line + end for line in lines).encode()
    places = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
    chunks = [whole[start:stop] for start, stop in pairwise(places)]
    assert read(chunks) == [Event(kind, "\n".join(data)) for kind, data in events]


def test_an_event_that_is_not_whole_is_none():
    assert read([b"data: a\n\ndata: b\n"]) == [Event("", "a")]


def test_lines_may_end_as_of_old():
    assert read([b"data: a\r\rdata: b\r", b"\r", b"x"]) == [Event("", "a"), Event("", "b")]


def test_a_line_without_an_end_is_given_up():
    with pytest.raises(ProviderFault):
        read([b"data: " + b"x" * 1000] * 20)
