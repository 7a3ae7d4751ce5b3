from datetime import datetime, timedelta
from typing import Any

from tests.factories import NOON, at, make_id

from rota.store import credentials, users
from rota.store.connection import Connection


def add_credential(c: Connection, **fields: Any) -> str:
    user = users.insert_user(c, id=make_id(), name="ann", created_at=NOON, rights=["staff"])
    credential_id = make_id()
    defaults = {"id": credential_id, "user_id": user.id, "kind": "nla", "hash": "h", "created_at": NOON}
    credentials.insert_credential(c, **{**defaults, **fields})
    return credential_id


def test_a_credential_names_its_user_with_its_own_limits(c: Connection) -> None:
    add_credential(c, scopes=["task:read", "task:write"], project_ids=[2, 1])
    actor = credentials.find_by_hash(c, "nla", "h")
    assert actor is not None
    assert (actor.name, actor.kind, actor.rights) == ("ann", "user", frozenset({"staff"}))
    assert (actor.scopes, actor.project_ids) == (frozenset({"task:read", "task:write"}), frozenset({1, 2}))


def test_a_credential_without_limits_has_none(c: Connection) -> None:
    add_credential(c)
    actor = credentials.find_by_hash(c, "nla", "h")
    assert actor is not None
    assert actor.scopes is None
    assert actor.project_ids is None


def test_a_credential_is_good_for_its_kind_alone(c: Connection) -> None:
    add_credential(c)
    assert credentials.find_by_hash(c, "native", "h") is None
    assert credentials.find_by_hash(c, "nla", "other") is None


def test_a_revoked_credential_is_nobodys(c: Connection) -> None:
    credential_id = add_credential(c)
    assert credentials.revoke(c, credential_id, at(1))
    assert credentials.find_by_hash(c, "nla", "h") is None
    assert not credentials.revoke(c, credential_id, at(2))


def test_when_a_credential_was_shown_is_written_down_now_and_then(c: Connection) -> None:
    add_credential(c)

    def used_after(minute: int) -> datetime | None:
        moment = NOON + timedelta(minutes=minute)
        credentials.mark_used(c, "nla", "h", moment, moment - timedelta(minutes=10))
        return credentials.list_credentials(c, ["nla"])[0].used_at

    assert credentials.list_credentials(c, ["nla"])[0].used_at is None
    assert [used_after(0), used_after(9), used_after(11)] == [NOON, NOON, NOON + timedelta(minutes=11)]


def test_only_credentials_that_are_good_for_something_are_listed(c: Connection) -> None:
    credential_id = add_credential(c)
    assert [each.id for each in credentials.list_credentials(c, ["nla", "native"])] == [credential_id]
    assert credentials.list_credentials(c, ["native"]) == []
    credentials.revoke(c, credential_id, NOON)
    assert credentials.list_credentials(c, ["nla"]) == []
