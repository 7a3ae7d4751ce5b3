"""Answers that are read while they come."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.receivers import Receiver, answer, babble, hang, receiving, reset, trickle

from rota.outgoing import Failed, Guard, Outgoing, Refused


def ask(question: Callable[[Outgoing, Receiver], Awaitable[None]], act: object, guard: Guard | None = None) -> None:
    async def run() -> None:
        outgoing = Outgoing(guard or Guard("allow"))
        async with receiving(act) as receiver:  # type: ignore[arg-type]
            try:
                await question(outgoing, receiver)
            finally:
                await outgoing.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_parts_are_there_before_the_whole_is() -> None:
    async def question(outgoing: Outgoing, receiver: Receiver) -> None:
        async with outgoing.stream("GET", receiver.url) as got:
            assert got.status == 200
            async for chunk in got.chunks():
                assert chunk == b"x"
                break

    ask(question, trickle)


def test_the_whole_may_be_read_up_to_a_limit() -> None:
    async def question(outgoing: Outgoing, receiver: Receiver) -> None:
        async with outgoing.stream("POST", receiver.url, {"x-in": "1"}, b"body") as got:
            assert (await got.read(5), got.headers["x-y"]) == (b"hello", "z")
        assert (receiver.received[0].body, receiver.received[0].headers["x-in"]) == (b"body", "1")

    ask(question, answer(200, b"hello and more", X_Y="z"))


@pytest.mark.parametrize("act", [hang, reset, babble])
def test_what_goes_wrong_is_a_failure(act: object) -> None:
    async def question(outgoing: Outgoing, receiver: Receiver) -> None:
        with pytest.raises(Failed):
            async with outgoing.stream("GET", receiver.url, idle_s=0.05) as got:
                await got.read(10)

    ask(question, act)


def test_a_forbidden_target_is_not_called() -> None:
    async def question(outgoing: Outgoing, receiver: Receiver) -> None:
        with pytest.raises(Refused):
            async with outgoing.stream("GET", receiver.url):
                pass
        assert receiver.received == []
        async with outgoing.stream("GET", receiver.url, trusted=True) as got:
            assert got.status == 204

    ask(question, answer(204), Guard("deny"))
