"""Passwords: how they are kept, compared, and kept anew."""

import asyncio
from pathlib import Path

import pytest
from tests.asking import make_rota
from tests.databases import open_memory

from rota.core.actor import OPERATOR
from rota.core.errors import Unauthorized
from rota.ops import passwords, users
from rota.ops.context import Rota
from rota.ops.passwords import Cost, hash_of_nobody, hash_password, is_outdated, verify_password
from rota.store import users as stored_users

# "correct horse", as version 0.1 kept it.
SCRYPT = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA${derived}"
UNKNOWN_FORMS = [
    "", "x", "$scrypt$", "$bcrypt$ln=1,r=1,p=1$AA$AA", "$scrypt$ln=14,r=8,p=1$%%%$AAAA", "$scrypt$a,b,c$AAAA$AAAA",
    "$argon2id$v=19$x",
]  # fmt: skip


@pytest.fixture(autouse=True)
def as_dear_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", Cost())


def old_hash(password: str) -> str:
    import base64
    import hashlib

    derived = hashlib.scrypt(password.encode(), salt=b"saltsaltsaltsalt", n=1 << 14, r=8, p=1, maxmem=1 << 28, dklen=32)
    return SCRYPT.format(derived=base64.b64encode(derived).decode().rstrip("="))


def test_a_password_is_kept_salted_and_recognised() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "horse" not in first
    assert verify_password("correct horse", first)
    assert not verify_password("correct horsf", first)
    assert not is_outdated(first)


@pytest.mark.parametrize("stored", UNKNOWN_FORMS)
def test_a_form_we_do_not_know_recognises_nothing(stored: str) -> None:
    assert not verify_password("", stored)


def test_nobody_has_a_password_of_a_known_form() -> None:
    assert not verify_password("", hash_of_nobody())
    assert not is_outdated(hash_of_nobody())


def test_a_password_of_version_0_1_is_recognised_and_kept_anew_at_the_next_login(tmp_path: Path) -> None:
    async def talk(rota: Rota) -> None:
        ana = await users.add_user(rota, OPERATOR, "ana", password="correct horse")
        before = old_hash("correct horse")
        await rota.database.write(lambda c: stored_users.update_password(c, ana.id, before))
        with pytest.raises(Unauthorized):
            await users.log_in(rota, "ana", "correct horsf")
        assert await hash_of(rota, ana.id) == before
        assert (await users.log_in(rota, "ana", "correct horse")).id == ana.id
        after = await hash_of(rota, ana.id)
        assert after is not None
        assert after.startswith("$argon2id$")
        assert (await users.log_in(rota, "ana", "correct horse")).id == ana.id
        assert await hash_of(rota, ana.id) == after

    rota = make_rota(open_memory(), tmp_path)
    asyncio.run(talk(rota))
    rota.database.close()


async def hash_of(rota: Rota, user_id: str) -> str | None:
    user = await rota.database.read(lambda c: stored_users.find_user(c, user_id))
    assert user is not None
    return user.password_hash
