"""Calls to real receivers on this machine."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from tests.receivers import answer, babble, flood, hang, receiving, reset, trickle

from rota.outgoing import Answer, Failed, Guard, Outgoing, Refused

T = TypeVar("T")


def ask(question: Callable[[Outgoing], Awaitable[T]], guard: Guard | None = None, resolve: object = None) -> T:
    async def run() -> T:
        outgoing = Outgoing(guard or Guard("allow"), resolve)  # type: ignore[arg-type]
        try:
            return await question(outgoing)
        finally:
            await outgoing.close()

    return asyncio.run(run())


def test_an_answer_comes_back_whole() -> None:
    async def question(outgoing: Outgoing) -> None:
        async with receiving(answer(201, b"hello", X_Y="z")) as receiver:
            got = await outgoing.request("POST", f"{receiver.url}/a b/ü?q=1".replace(" ", "%20"), {"x-in": "1"}, b"body")
            assert (got.status, got.body, got.headers["x-y"], got.is_cut) == (201, b"hello", "z", False)
            (received,) = receiver.received
            assert (received.path, received.body, received.headers["x-in"]) == ("/a%20b/%C3%BC?q=1", b"body", "1")
            assert received.headers["host"] == f"127.0.0.1:{receiver.port}"

    ask(question)


def test_redirects_are_answers_like_any_other() -> None:
    async def question(outgoing: Outgoing) -> Answer:
        async with receiving() as target, receiving(answer(302, Location=target.url)) as receiver:
            got = await outgoing.request("GET", receiver.url)
            assert target.received == []
            return got

    assert ask(question).status == 302


@pytest.mark.parametrize("act", [hang, reset, trickle, babble])
def test_whatever_a_receiver_does_it_takes_no_longer_than_the_limit(act: Callable[..., Awaitable[None]]) -> None:
    async def question(outgoing: Outgoing) -> None:
        async with receiving(act) as receiver:
            with pytest.raises(Failed) as failure:
                await outgoing.request("GET", receiver.url, timeout_s=0.05)
            assert "127.0.0.1" not in str(failure.value)

    ask(question)


def test_no_more_is_read_than_is_wanted() -> None:
    async def question(outgoing: Outgoing) -> Answer:
        async with receiving(flood) as receiver:
            return await outgoing.request("GET", receiver.url, max_bytes=1000, timeout_s=5)

    got = ask(question)
    assert (len(got.body), got.is_cut) == (1000, True)


def test_a_closed_port_and_an_unknown_host_are_failures() -> None:
    async def closed(outgoing: Outgoing) -> None:
        async with receiving() as receiver:
            url = receiver.url
        with pytest.raises(Failed, match="cannot connect"):
            await outgoing.request("GET", url)

    async def unknown(outgoing: Outgoing) -> None:
        with pytest.raises(Failed, match="not known"):
            await outgoing.request("GET", "http://nowhere.invalid/")

    async def nothing(host: str, port: int) -> list[str]:
        return []

    ask(closed)
    ask(unknown, resolve=nothing)


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """A name that is harmless when it is checked and our own machine a moment later."""
    answers = [["192.0.2.1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    async def question(outgoing: Outgoing) -> None:
        async with receiving() as receiver:
            with pytest.raises(Failed):
                await outgoing.request("GET", f"http://rebind.test:{receiver.port}/", timeout_s=0.3)
            assert receiver.received == []

    ask(question, Guard("deny", ("192.0.2.0/24",)), rebinding)
    assert asked == ["rebind.test"]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::1"], ["fe80::1%eth0"]])
def test_one_forbidden_address_of_a_name_spoils_the_others(addresses: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    async def question(outgoing: Outgoing) -> None:
        with pytest.raises(Refused):
            await outgoing.request("GET", "http://mixed.test/")

    ask(question, Guard("deny"), resolve)


def test_targets_of_the_settings_are_trusted() -> None:
    async def question(outgoing: Outgoing) -> Answer:
        async with receiving() as receiver:
            return await outgoing.request("POST", receiver.url, trusted=True)

    assert ask(question, Guard("deny")).status == 204


def test_trust_is_not_passed_on_by_a_connection_that_is_kept() -> None:
    async def question(outgoing: Outgoing) -> None:
        async with receiving() as receiver:
            await outgoing.request("POST", receiver.url, trusted=True)
            with pytest.raises(Refused):
                await outgoing.request("POST", receiver.url)

    ask(question, Guard("deny"))


def test_connections_are_kept_for_the_next_call() -> None:
    async def question(outgoing: Outgoing) -> int:
        async with receiving() as receiver:
            for _ in range(3):
                await outgoing.request("POST", receiver.url, body=b"x")
            return receiver.most_open

    assert ask(question) == 1


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/plain", "grün"),
        ("text/plain; charset=UTF-8", "grün"),
        ('text/plain; charset="latin-1"', "grÃ¼n"),
        ("text/plain; charset=no-such", "grün"),
        ("text/plain; charset=zlib", "grün"),
        ("text/plain; charset=idna", "grün"),
        ("text/plain; charset=undefined", "grün"),
    ],
)
def test_a_body_is_read_in_the_charset_that_it_names_if_that_can_be(content_type: str, text: str) -> None:
    assert Answer(200, {"content-type": content_type}, "grün".encode()).text == text


def test_what_is_no_character_is_replaced() -> None:
    assert Answer(200, {}, b"gr\xff").text == "gr\ufffd"
