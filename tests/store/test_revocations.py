from tests.factories import at

from rota.store import revocations
from rota.store.connection import Connection


def test_a_revocation_is_kept_until_the_token_has_expired(c: Connection) -> None:
    revocations.insert_revocation(c, "a", at(10))
    revocations.insert_revocation(c, "b", at(20))
    assert revocations.prune_revocations(c, at(15)) == 1
    assert (revocations.is_revoked(c, "a"), revocations.is_revoked(c, "b")) == (False, True)
