"""Words for one use that any of several servers issues and takes."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.asking import HandClock, make_rota
from tests.databases import open_memory

from rota.ops.context import Rota
from rota.ops.sharedwords import SharedWords


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Rota, Rota]]:
    """Two servers on one database."""
    with closing(open_memory()) as database:
        a, b = (make_rota(database, tmp_path / name) for name in "ab")
        a.clock = b.clock = HandClock()
        yield a, b


def test_a_word_of_one_server_is_good_once_at_any(pair: tuple[Rota, Rota]) -> None:
    a, b = (SharedWords(rota, 60, "ticket") for rota in pair)

    async def ask() -> None:
        word, other = await a.issue(), await b.issue()
        assert (len(word), word == other) == (64, False)
        assert await b.use(word)
        assert not await a.use(word)
        assert await a.use(other)

    asyncio.run(ask())


def test_a_word_is_good_for_its_time_and_its_use_alone(pair: tuple[Rota, Rota]) -> None:
    words, others = SharedWords(pair[0], 60, "ticket"), SharedWords(pair[1], 60, "nonce")

    async def ask() -> None:
        word, late = await words.issue(), await words.issue()
        assert not await others.use(word)
        assert not await words.use("f" * 64)
        assert not await words.use("ticket")
        assert await words.use(word)
        pair[0].clock.advance(60)  # type: ignore[attr-defined]
        assert not await words.use(late)

    asyncio.run(ask())
