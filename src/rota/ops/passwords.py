"""Passwords: how they are kept and compared. None of them is ever written down in clear."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from rota.ops.context import Rota
from rota.store import users
from rota.store.users import User

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")
LONGEST_PASSWORD = 1024
# The password of nobody.
NO_SALT, NO_HASH = "A" * 22, "A" * 43
# Each takes a core, and 19 MiB, for a twentieth of a second: more of them wait, and hold nobody up who asks something else.
_threads = ThreadPoolExecutor(2, "password")


class Cost(Struct, frozen=True):
    """What it takes to hash a password once.

    OWASP's least for Argon2id. About as slow as the scrypt of older versions, so that the time of an answer tells neither apart.
    """

    rounds: int = 2
    memory_kib: int = 19_456
    lanes: int = 1


COST = Cost()


async def hash_in_thread(password: str) -> str:
    return await _in_thread(lambda: hash_password(password))


async def has_password(rota: Rota, user: User | None, password: str) -> bool:
    """Whether it is the user's; for nobody, and for one without a password, it takes as long to say no.

    One that was kept in an older form is kept anew, unless it was changed meanwhile.
    """
    stored = user.password_hash if user and user.password_hash else hash_of_nobody()
    given = password[:LONGEST_PASSWORD]
    is_right = await _in_thread(lambda: verify_password(given, stored))
    if user is None or not is_right:
        return False
    if is_outdated(stored):
        hashed = await hash_in_thread(given)
        await rota.database.write(lambda c: users.replace_password(c, user.id, stored, hashed))
    return True


def hash_password(password: str) -> str:
    """`$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`. Takes some 40 ms, so never call it on an event loop."""
    return _hasher().hash(_bytes_of(password))


def hash_of_nobody() -> str:
    """What an unknown name is checked against, so that it takes as long as a known one."""
    return f"$argon2id$v=19$m={COST.memory_kib},t={COST.rounds},p={COST.lanes}${NO_SALT}${NO_HASH}"


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the stored one, in a time that does not tell how nearly. False also for a form we do not know."""
    return _is_scrypt(password, stored) if stored.startswith("$scrypt$") else _is_argon2(password, stored)


def is_outdated(stored: str) -> bool:
    """Whether it is not kept as this version would keep it."""
    return stored.startswith("$scrypt$") or _hasher().check_needs_rehash(stored)


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=COST.rounds, memory_cost=COST.memory_kib, parallelism=COST.lanes)


def _is_argon2(password: str, stored: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, _bytes_of(password))
    except (InvalidHashError, VerificationError):
        return False


def _is_scrypt(password: str, stored: str) -> bool:
    """As passwords were kept by version 0.1: `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`."""
    try:
        _, _, costs, salt, derived = stored.split("$")
        log2_n, block, parallel = (int(part.partition("=")[2]) for part in costs.split(","))
        expected = hashlib.scrypt(
            _bytes_of(password), salt=_decoded(salt), n=1 << log2_n, r=block, p=parallel, maxmem=256 * 1024 * 1024, dklen=32
        )
        return hmac.compare_digest(expected, _decoded(derived))
    except ValueError:
        return False


def _bytes_of(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
