import pytest
from tests.factories import NOON, at, make_id

from rota.core.errors import Conflict
from rota.store import idempotency
from rota.store.connection import Connection


def test_the_first_request_with_a_key_gets_it_and_the_next_its_run(c: Connection) -> None:
    run_id = make_id()
    assert idempotency.claim_key(c, "ann", "k", "hash", run_id, NOON) is None
    assert idempotency.claim_key(c, "ann", "k", "hash", make_id(), at(1)) == run_id


def test_another_request_may_not_use_the_key(c: Connection) -> None:
    idempotency.claim_key(c, "ann", "k", "hash", make_id(), NOON)
    with pytest.raises(Conflict, match="'k'"):
        idempotency.claim_key(c, "ann", "k", "other", make_id(), NOON)


def test_each_actor_has_keys_of_its_own(c: Connection) -> None:
    idempotency.claim_key(c, "ann", "k", "hash", make_id(), NOON)
    assert idempotency.claim_key(c, "bob", "k", "other", make_id(), NOON) is None


def test_old_keys_are_free_again(c: Connection) -> None:
    idempotency.claim_key(c, "ann", "k", "hash", make_id(), at(-1))
    idempotency.claim_key(c, "ann", "new", "hash", make_id(), at(1))
    assert idempotency.prune_keys(c, NOON) == 1
    assert idempotency.claim_key(c, "ann", "k", "other", make_id(), NOON) is None
