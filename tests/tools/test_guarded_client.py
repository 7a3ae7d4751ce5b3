"""How MCP servers that somebody gave over an API are called: within limits."""

import asyncio
import gzip

import httpx2
import pytest
from tests.receivers import answer, receiving

from rota.outgoing import Guard, Outgoing
from rota.tools import guarded

ALLOWING = Guard("allow")


def asked(status: int, body: bytes, **headers: str) -> bytes:
    """What comes of an answer."""

    async def ask() -> bytes:
        outgoing = Outgoing(ALLOWING)
        async with receiving(answer(status, body, **headers)) as receiver, guarded.guarded_client(outgoing, {}) as client:
            try:
                return (await client.post(receiver.url)).content
            finally:
                await outgoing.close()

    return asyncio.run(asyncio.wait_for(ask(), 10))


def test_an_answer_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "MOST_BYTES", 1000)
    assert asked(200, b"x" * 1000) == b"x" * 1000
    with pytest.raises(httpx2.ReadError, match="larger than 1000 bytes"):
        asked(200, b"x" * 1001)


def test_an_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b"x" * 1_000_000)
    assert asked(200, packed, Content_Encoding="gzip") == packed
