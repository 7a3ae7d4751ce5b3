"""The door of the installation: who knows its one password comes in."""

import asyncio
import hashlib
import hmac
import secrets

from rota.clock import Clock
from rota.core.errors import Unauthorized
from rota.ops.limiter import Limiter
from rota.ops.onetime import OneTime, Words

ROUNDS = 600_000
KEY_BYTES = 32
NONCE_S = 300
TICKET_S = 60
PASSWORD_BYTES = 18
# Per address in five minutes.
MOST_FAILURES, MOST_CHALLENGES, WINDOW_S = 5, 30, 300
# Each takes a core for a good part of a second.
MOST_HASHES = 2


class Door:
    """One for a server's life: the password, what was asked of whom, and the key that sessions are signed by.

    password  what the operator set; None for a random one, which only the control socket shows
    is_open   whoever reaches the server comes in
    """

    def __init__(self, clock: Clock, password: str | None = None, *, is_open: bool = False) -> None:
        self.is_open = is_open
        self.is_ephemeral = password is None
        self.password = secrets.token_urlsafe(PASSWORD_BYTES) if password is None else password
        self.nonces: Words = OneTime(clock, NONCE_S)
        self.tickets: Words = OneTime(clock, TICKET_S)
        self._failures = Limiter(clock, MOST_FAILURES, WINDOW_S)
        self._challenges = Limiter(clock, MOST_CHALLENGES, WINDOW_S)
        self._hashing = asyncio.Semaphore(MOST_HASHES)
        self._key: bytes | None = None

    async def challenge(self, address: str | None) -> str:
        """A nonce to answer. Raises Throttled."""
        self._challenges.take(address)
        return await self.nonces.issue()

    async def answer(self, nonce: str, answer: str, address: str | None) -> None:
        """Lets in who knows the password: `answer` is PBKDF2-HMAC-SHA256 of it in lower-case hex, salted by the nonce's text
        (RunWisp §13). A nonce is used up by any answer.

        Raises Unauthorized, without telling what was wrong, and Throttled after too many of those.
        """
        self._failures.take(address)
        await self._check(nonce, answer)
        self._failures.give_back(address)

    async def use_ticket(self, ticket: str, address: str | None) -> None:
        """Raises Unauthorized, and Throttled after too many of those."""
        self._failures.take(address)
        if not await self.tickets.use(ticket):
            raise Unauthorized("this ticket was used, or is too old", hint="ask for a new one")
        self._failures.give_back(address)

    async def _check(self, nonce: str, answer: str) -> None:
        is_known = await self.nonces.use(nonce)
        expected = (await self._derive(nonce.encode())).hex() if is_known else ""
        if not (is_known and hmac.compare_digest(expected.encode(), answer.encode("utf-8", "replace"))):
            raise Unauthorized("wrong password, or a challenge that was used or is too old", hint="ask for a new challenge")

    async def session_key(self, fingerprint: str) -> bytes:
        """Another password, or another installation, has another key: sessions of the one are nothing to the other."""
        if self._key is None:
            self._key = await self._derive(f"rota sessions of {fingerprint}".encode())
        return self._key

    async def _derive(self, salt: bytes) -> bytes:
        password = self.password.encode("utf-8", "surrogateescape")
        async with self._hashing:
            return await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", password, salt, ROUNDS, KEY_BYTES)
