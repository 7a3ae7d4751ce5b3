"""Keys."""

from rota.ops.secrets import PREFIXES, hash_secret, new_secret


def test_secrets_say_what_they_are_for_and_are_kept_as_hashes() -> None:
    secret = new_secret(PREFIXES["native"])
    assert secret.startswith("rota_")
    assert len(secret) >= 48
    assert secret not in hash_secret(secret)
    assert hash_secret(secret) == hash_secret(secret) != hash_secret(secret + " ")
