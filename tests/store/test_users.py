import pytest
from tests.factories import NOON, make_id

from rota.core.errors import Conflict
from rota.store import users
from rota.store.connection import Connection


def test_a_user_comes_back_by_id_and_by_name(c: Connection) -> None:
    user = users.insert_user(
        c, id=make_id(), name="ann", created_at=NOON, email="a@b", password_hash="x", rights=["system.root", "staff"]
    )
    assert users.find_user(c, user.id) == user
    assert users.find_user_by_name(c, "ann") == user
    assert user.rights == {"system.root", "staff"}
    assert users.find_user(c, make_id()) is None
    assert users.find_user_by_name(c, "bob") is None


def test_numbers_rise_and_are_never_shared(c: Connection) -> None:
    first, second = [users.insert_user(c, id=make_id(), name=name, created_at=NOON) for name in ("b", "a")]
    assert second.number > first.number
    assert users.list_users(c) == [first, second]


def test_a_name_is_given_once(c: Connection) -> None:
    users.insert_user(c, id=make_id(), name="ann", created_at=NOON)
    with pytest.raises(Conflict, match="ann"):
        users.insert_user(c, id=make_id(), name="ann", created_at=NOON)


def test_a_user_is_an_actor_with_the_same_rights(c: Connection) -> None:
    user = users.insert_user(c, id=make_id(), name="bot", created_at=NOON, kind="agent", rights=["system.task"])
    actor = user.actor
    assert (actor.id, actor.name, actor.kind, actor.scopes) == (user.id, "bot", "agent", None)
    assert actor.has("system.task")
    assert not actor.is_root
