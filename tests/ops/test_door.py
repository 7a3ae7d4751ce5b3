"""The installation's password, and how often it may be guessed."""

import asyncio
import hashlib

import pytest
from tests.asking import HandClock

from rota.core.errors import Throttled, Unauthorized
from rota.ops.context import Rota
from rota.ops.door import MOST_CHALLENGES, MOST_FAILURES, NONCE_S, WINDOW_S, Door
from rota.ops.identity import get_fingerprint
from rota.ops.limiter import MOST_CLIENTS, Limiter, limit_key
from rota.ops.onetime import MOST, OneTime
from rota.ops.revocations import is_revoked, revoke_token

PASSWORD = "correct horse"
HERE, THERE = "192.0.2.1", "192.0.2.2"
ROUNDS = 10


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash less often than is safe. That it is as often as clients do it, logging in over RunWisp's API shows."""
    monkeypatch.setattr("rota.ops.door.ROUNDS", ROUNDS)


def answer_to(nonce: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), nonce.encode(), ROUNDS, 32).hex()


def door(clock: HandClock) -> Door:
    return Door(clock, PASSWORD)


def test_the_right_answer_comes_in_and_is_not_counted() -> None:
    ours = door(HandClock())

    async def ask() -> None:
        for _ in range(MOST_FAILURES - 1):
            with pytest.raises(Unauthorized):
                await ours.answer("never issued", "x", HERE)
        for _ in range(3):
            nonce = await ours.challenge(HERE)
            await ours.answer(nonce, answer_to(nonce), HERE)
        with pytest.raises(Unauthorized):
            await ours.answer("never issued", "x", HERE)
        with pytest.raises(Throttled) as refused:
            await ours.answer("never issued", "x", HERE)
        assert 0 < refused.value.retry_after_s <= WINDOW_S

    asyncio.run(ask())


def test_a_nonce_is_good_for_one_answer_and_five_minutes() -> None:
    clock = HandClock()
    ours = door(clock)

    async def ask() -> None:
        nonce = await ours.challenge(HERE)
        assert len(nonce) == 64
        await ours.answer(nonce, answer_to(nonce), HERE)
        with pytest.raises(Unauthorized):
            await ours.answer(nonce, answer_to(nonce), HERE)
        late = await ours.challenge(HERE)
        clock.advance(NONCE_S)
        with pytest.raises(Unauthorized):
            await ours.answer(late, answer_to(late), HERE)
        wrong = await ours.challenge(HERE)
        with pytest.raises(Unauthorized):
            await ours.answer(wrong, answer_to(wrong).upper(), HERE)
        with pytest.raises(Unauthorized):
            await ours.answer(wrong, answer_to(wrong), HERE)

    asyncio.run(ask())


def test_guesses_at_one_time_all_count() -> None:
    ours = door(HandClock())

    async def ask() -> None:
        nonces = [await ours.nonces.issue() for _ in range(8)]
        guesses = (ours.answer(nonce, "x", HERE) for nonce in nonces)
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
        assert [type(each) for each in outcomes].count(Unauthorized) == MOST_FAILURES
        assert [type(each) for each in outcomes].count(Throttled) == 3

    asyncio.run(ask())


def test_challenges_have_a_count_of_their_own() -> None:
    clock = HandClock()
    ours = door(clock)

    async def ask() -> None:
        for _ in range(MOST_CHALLENGES):
            await ours.challenge(HERE)
            await ours.challenge(None)
        with pytest.raises(Throttled):
            await ours.challenge(HERE)
        await ours.challenge(THERE)
        await ours.challenge(None)
        clock.advance(WINDOW_S)
        await ours.challenge(HERE)

    asyncio.run(ask())


def test_a_ticket_opens_one_session_within_a_minute() -> None:
    clock = HandClock()
    ours = door(clock)

    async def ask() -> None:
        ticket, late = await ours.tickets.issue(), await ours.tickets.issue()
        await ours.use_ticket(ticket, HERE)
        for word in (ticket, "made up"):
            with pytest.raises(Unauthorized):
                await ours.use_ticket(word, HERE)
        clock.advance(60)
        with pytest.raises(Unauthorized):
            await ours.use_ticket(late, HERE)

    asyncio.run(ask())


def test_another_password_or_installation_has_another_session_key() -> None:
    clock = HandClock()

    async def key(password: str, fingerprint: str) -> bytes:
        return await Door(clock, password).session_key(fingerprint)

    async def ask() -> None:
        keys = [await key("a", "one"), await key("b", "one"), await key("a", "two"), await key("a", "one")]
        assert len(set(keys)) == 3
        assert keys[0] == keys[3]

    asyncio.run(ask())


def test_each_start_without_a_password_makes_up_another() -> None:
    first, second = Door(HandClock()), Door(HandClock())
    assert first.is_ephemeral
    assert len(first.password) >= 24
    assert first.password != second.password


def test_a_limit_slides_and_counts_ipv6_by_network() -> None:
    clock = HandClock()
    limiter = Limiter(clock, 2, 10)
    limiter.take("2001:db8::1")
    clock.advance(5)
    limiter.take("2001:db8::2")
    with pytest.raises(Throttled) as refused:
        limiter.take("2001:db8::3")
    assert refused.value.retry_after_s == 5
    limiter.take("2001:db8:0:1::1")
    clock.advance(5)
    limiter.take("2001:db8::4")
    assert limit_key("::ffff:192.0.2.1") == limit_key("192.0.2.1") == "192.0.2.1"


def test_memory_of_clients_and_words_is_bounded() -> None:
    clock = HandClock()
    limiter, words = Limiter(clock, 1, 10), OneTime(clock, 10)
    for n in range(MOST_CLIENTS + 10):
        limiter.take(f"client {n}")
    assert len(limiter._taken) == MOST_CLIENTS

    async def fill() -> None:
        first = await words.issue()
        for _ in range(MOST):
            await words.issue()
        assert len(words._until) == MOST
        assert not await words.use(first)

    asyncio.run(fill())


def test_an_installation_keeps_its_fingerprint(rota: Rota) -> None:
    async def ask() -> None:
        first = await get_fingerprint(rota)
        assert len(first) == 32
        assert await get_fingerprint(rota) == first

    asyncio.run(ask())


def test_a_token_that_was_taken_back_stays_so(rota: Rota) -> None:
    async def ask() -> None:
        assert not await is_revoked(rota, "t1")
        await revoke_token(rota, "t1", rota.clock.now(), "ada")
        await revoke_token(rota, "t1", rota.clock.now(), "ada")
        assert await is_revoked(rota, "t1")

    asyncio.run(ask())
