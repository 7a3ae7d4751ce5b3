"""Users, keys, projects, agents."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from tests.asking import new_actor

from rota.core.actor import OPERATOR
from rota.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from rota.ops import agents, keys, projects, users
from rota.ops.context import Rota
from rota.ops.secrets import hash_secret

T = TypeVar("T")


def run(answer: Awaitable[T]) -> T:
    async def wait() -> T:
        return await answer

    return asyncio.run(wait())


def test_only_root_makes_users_keys_projects_and_agents(rota: Rota) -> None:
    member = run(new_actor(rota, "mia", "task.shell"))
    attempts: list[Awaitable[Any]] = [
        users.add_user(rota, member, "x"),
        users.list_users(rota, member),
        keys.add_key(rota, member, "mia", "native"),
        keys.revoke_key(rota, member, "x"),
        projects.add_project(rota, member, "x"),
        projects.join_project(rota, member, 1, "mia"),
        agents.add_agent(rota, member, "x"),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden, match=r"system\.root"):
            run(attempt)


def test_a_key_stands_for_its_user_within_its_limits(rota: Rota) -> None:
    user = run(users.add_user(rota, OPERATOR, "mia", rights=["task.shell"]))
    project = run(projects.add_project(rota, OPERATOR, "web"))
    key = run(keys.add_key(rota, OPERATOR, user.id, "posthog", scopes=["task:read"], project_ids=[project.id]))
    actor = run(keys.find_actor(rota, "posthog", hash_secret(key.secret)))
    assert (actor.id, actor.name, actor.rights) == (user.id, "mia", frozenset({"task.shell"}))
    assert (actor.scopes, actor.project_ids) == (frozenset({"task:read"}), frozenset({project.id}))
    with pytest.raises(Unauthorized):
        run(keys.find_actor(rota, "native", hash_secret(key.secret)))


def test_no_secret_is_in_the_store(rota: Rota) -> None:
    run(users.add_user(rota, OPERATOR, "mia", password="open sesame"))
    key = run(keys.add_key(rota, OPERATOR, "mia", "native"))
    agent = run(agents.add_agent(rota, OPERATOR, "bot", scopes=["tasks:read"]))
    tables = ("users", "credentials")
    stored = repr([rota.database.run(lambda c, table=table: c.rows(f"SELECT * FROM {table}")) for table in tables])  # type: ignore[misc]
    for secret in ("open sesame", key.secret, agent.agent_secret):
        assert secret not in stored


def test_a_password_opens_and_nothing_tells_which_part_was_wrong(rota: Rota) -> None:
    user = run(users.add_user(rota, OPERATOR, "mia", password="open sesame"))
    run(users.add_user(rota, OPERATOR, "max"))
    assert run(users.log_in(rota, "mia", "open sesame")).id == user.id
    refusals = set()
    for name, password in (("mia", "open"), ("mio", "open sesame"), ("max", ""), ("m\x00", "x")):
        with pytest.raises(Unauthorized) as refused:
            run(users.log_in(rota, name, password))
        refusals.add(refused.value.message)
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"name": ""}, "body.name"),
        ({"name": " mia"}, "body.name"),
        ({"name": "m\nia"}, "body.name"),
        ({"email": "nowhere"}, "body.email"),
        ({"rights": ["task.shel"]}, "body.rights"),
        ({"password": ""}, "body.password"),
    ],
)
def test_a_wrong_user_is_refused_at_the_field(rota: Rota, fields: dict[str, Any], location: str) -> None:
    with pytest.raises(Invalid) as refused:
        run(users.add_user(rota, OPERATOR, **{"name": "mia", **fields}))
    assert [problem.location for problem in refused.value.problems] == [location]
    assert run(users.list_users(rota, OPERATOR)) == []


def test_what_a_key_refers_to_must_be_there(rota: Rota) -> None:
    run(users.add_user(rota, OPERATOR, "mia"))
    with pytest.raises(NotFound):
        run(keys.add_key(rota, OPERATOR, "mio", "native"))
    for wrong in ({"kind": "nativ"}, {"kind": "native", "scopes": ["a b"]}, {"kind": "posthog", "project_ids": [7]}):
        with pytest.raises(Invalid):
            run(keys.add_key(rota, OPERATOR, "mia", **wrong))
    with pytest.raises(Conflict):
        run(agents.add_agent(rota, OPERATOR, "mia"))
    with pytest.raises(NotFound):
        run(projects.join_project(rota, OPERATOR, 2**70, "mia"))


@pytest.mark.parametrize(
    ("kind", "limit", "location"),
    [
        ("fylr", {"scopes": ["tasks:read"]}, "body.scopes"),
        ("nla", {"scopes": ["tasks:read"]}, "body.scopes"),
        ("native", {"project_ids": [1]}, "body.project_ids"),
    ],
)
def test_a_limit_that_an_api_does_not_know_is_refused(rota: Rota, kind: str, limit: dict[str, Any], location: str) -> None:
    run(users.add_user(rota, OPERATOR, "mia"))
    with pytest.raises(Invalid) as refused:
        run(keys.add_key(rota, OPERATOR, "mia", kind, **limit))
    assert [problem.location for problem in refused.value.problems] == [location]


def test_members_see_their_projects(rota: Rota) -> None:
    member = run(new_actor(rota, "mia"))
    web = run(projects.add_project(rota, OPERATOR, "web"))
    run(projects.add_project(rota, OPERATOR, "app"))
    for _ in range(2):
        run(projects.join_project(rota, OPERATOR, web.id, "mia"))
    assert [project.name for project in run(projects.list_projects(rota, member))] == ["web"]
    assert len(run(projects.list_projects(rota, OPERATOR))) == 2
