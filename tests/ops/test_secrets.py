"""Passwords and keys."""

import pytest

from rota.ops.secrets import PREFIXES, hash_password, hash_secret, new_secret, verify_password
from rota.ops.users import NOBODY


def test_a_password_is_kept_salted_and_recognised() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert first.startswith("$scrypt$ln=14,r=8,p=1$")
    assert "horse" not in first
    assert verify_password("correct horse", first)
    assert not verify_password("correct horsf", first)


UNKNOWN_FORMS = ["", "x", "$scrypt$", "$bcrypt$ln=1,r=1,p=1$AA$AA", "$scrypt$ln=14,r=8,p=1$%%%$AAAA", "$scrypt$a,b,c$AAAA$AAAA"]


@pytest.mark.parametrize("stored", UNKNOWN_FORMS)
def test_a_form_we_do_not_know_recognises_nothing(stored: str) -> None:
    assert not verify_password("", stored)


def test_nobody_has_a_password_of_a_known_form() -> None:
    assert not verify_password("", NOBODY)


def test_secrets_say_what_they_are_for_and_are_kept_as_hashes() -> None:
    secret = new_secret(PREFIXES["native"])
    assert secret.startswith("rota_")
    assert len(secret) >= 48
    assert secret not in hash_secret(secret)
    assert hash_secret(secret) == hash_secret(secret) != hash_secret(secret + " ")
