"""Who sees and does what (contract §2, §3.1), and the order of checks (§3)."""

from typing import Any

import pytest
from tests.asking import new_actor
from tests.factories import spec
from tests.surfaces.fylr.users_asking import TASK, People, asked

from rota.core.actor import OPERATOR
from rota.core.work import Module
from rota.ops import keys, tasks, users
from rota.ops.context import Rota

UNKNOWN = 4711
ROUTES = [
    ("GET", ""), ("POST", ""), ("PUT", ""), ("GET", "/modules"), ("GET", "/1"), ("PATCH", "/1"), ("DELETE", "/1"),
    ("POST", "/1/cancel"), ("GET", "/1/log"),
]  # fmt: skip


def envelope(reply: dict[str, Any], status: int, code: str, **parameters: Any) -> None:
    """All six keys, and the status inside too."""
    assert set(reply) == {"code", "error", "package", "parameters", "realm", "statuscode"}
    assert (reply["code"], reply["realm"], reply["statuscode"]) == (code, "api", status)
    assert reply["error"].endswith(f"\n\nPackage: {reply['package']}\nCode: {code}")
    assert reply["parameters"] == {**parameters, "realm": "api", "statuscode": status}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_needs_a_token_and_then_the_right_before_anything_else(rota: Rota, method: str, path: str) -> None:
    async def talk(who: People) -> None:
        for at in (path, path.replace("1", "x"), path.replace("1", str(UNKNOWN))):
            reply = await who.nobody.request(method, TASK + at, content=b"{not json")
            assert reply.status_code == 401
            envelope(reply.json(), 401, "UserRequired")
            reply = await who.plain.client.request(method, TASK + at, content=b"{not json")
            assert reply.status_code == 403
            envelope(reply.json(), 403, "SystemRightRequired", rights="system.task, system.root")

    asked(rota, talk)


def test_a_list_holds_the_users_own_tasks_alone_also_for_root(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.task()
        assert [each["task"]["_id"] for each in (await who.owner.ask("GET"))["objects"]] == [made["_id"]]
        for other in (who.stranger, who.root):
            found = await other.ask("GET")
            assert (found["count"], found["objects"]) == (0, [])

    asked(rota, talk)


def test_another_users_task_cannot_be_got_and_none_knows_whether_it_is_there(rota: Rota) -> None:
    async def talk(who: People) -> None:
        number = (await who.owner.task())["_id"]
        for other, asks in ((who.stranger, number), (who.stranger, UNKNOWN), (who.owner, UNKNOWN), (who.root, UNKNOWN)):
            envelope(await other.ask("GET", f"/{asks}", status=404), 404, "ResourceNotFound", resource=f"task {asks}")

    asked(rota, talk)


@pytest.mark.parametrize(("method", "path"), [("GET", "/log"), ("POST", "/cancel"), ("DELETE", "")])
def test_log_cancel_and_delete_are_the_owners_and_roots(rota: Rota, method: str, path: str) -> None:
    async def talk(who: People) -> None:
        number = (await who.owner.task())["_id"]
        refused = await who.stranger.ask(method, f"/{number}{path}", status=403)
        envelope(refused, 403, "InsufficientRights", taskid=number)
        for each in (who.owner, who.stranger, who.root):
            missing = await each.ask(method, f"/{UNKNOWN}{path}", status=404)
            envelope(missing, 404, "ObjectNotFound", object=f"task {UNKNOWN}")
        # Nothing runs, so that a cancel is refused for that reason alone.
        await who.root.ask(method, f"/{number}{path}", status=400 if path == "/cancel" else 200)

    asked(rota, talk)


def test_whoever_has_the_right_may_change_a_task_and_it_stays_its_creators(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.create(description="mine")
        for version, other in ((2, who.stranger), (3, who.root)):
            body = {"task": {"_version": version, "description": f"by {other.name}"}}
            changed = await other.ask("PATCH", f"/{made['task']['_id']}", body)
            assert changed["_user"] == made["_user"]
            assert (changed["task"]["_version"], changed["task"]["description"]) == (version, f"by {other.name}")
        assert (await who.owner.get(made["task"]))["description"] == "by ruth"
        await who.stranger.ask("PATCH", f"/{UNKNOWN}", {"task": {"_version": 2}}, 400)

    asked(rota, talk)


def test_who_may_change_a_task_and_not_read_it_is_not_shown_its_secrets(rota: Rota) -> None:
    async def talk(who: People) -> None:
        made = await who.owner.create(task_params={"secret": "s3cret", "input": "seen"})
        path = f"/{made['task']['_id']}"
        assert made["task"]["task_params"]["secret"] == "s3cret"
        changed = await who.stranger.ask("PATCH", path, {"task": {"_version": 2, "description": "x"}})
        assert changed["task"]["task_params"] == {"secret": "[redacted]", "input": "seen"}
        sent_back = {"_version": 3, "task_params": changed["task"]["task_params"] | {"input": "other"}}
        await who.stranger.ask("PATCH", path, {"task": sent_back})
        assert (await who.owner.get(made["task"]))["task_params"] == {"secret": "s3cret", "input": "other"}
        by_root = await who.root.ask("PATCH", path, {"task": {"_version": 4, "description": "y"}})
        assert by_root["task"]["task_params"]["secret"] == "s3cret"
        await who.stranger.ask("PATCH", path, {"task": {"_version": 5, "task_params": {"secret": "new"}}})
        assert (await who.owner.get(made["task"]))["task_params"]["secret"] == "new"

    asked(rota, talk)


@pytest.mark.parametrize(
    "bad", ["x", "0", "-1", "1.5", "+1", "1e3", " 1", "9223372036854775808", "\uff11", "99999999999999999999"]
)
def test_an_id_that_is_none_is_refused_before_anything_is_looked_for(rota: Rota, bad: str) -> None:
    async def talk(who: People) -> None:
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/log")):
            refused = await who.owner.ask(method, f"/{bad}{path}", status=400)
            assert refused["code"] == "ServerGeneric"

    asked(rota, talk)


def test_ownership_is_checked_before_limit_and_offset(rota: Rota) -> None:
    async def talk(who: People) -> None:
        number = (await who.owner.task())["_id"]
        await who.stranger.ask("GET", f"/{number}/log", status=403, limit="x")
        await who.owner.ask("GET", f"/{UNKNOWN}/log", status=404, limit="x")
        await who.owner.ask("GET", f"/{number}/log", status=400, limit="x")

    asked(rota, talk)


def test_unknown_routes_and_methods_are_told_in_the_same_envelope(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for method, path, status in (
            ("GET", "/api/v1/nothing", 404), ("GET", "/", 404), ("GET", f"{TASK}/1/nothing", 404), ("PUT", f"{TASK}/1", 405),
            ("POST", f"{TASK}/1", 405), ("DELETE", TASK, 405), ("GET", f"{TASK}/1/cancel", 405),
        ):  # fmt: skip
            reply = await who.owner.client.request(method, path)
            assert reply.status_code == status
            envelope(reply.json(), status, "UnknownEndpointMethod")

    asked(rota, talk)


def test_a_token_is_shown_in_three_ways_and_the_first_there_is_counts(rota: Rota) -> None:
    async def talk(who: People) -> None:
        good = (await keys.add_key(rota, OPERATOR, "olga", "fylr")).secret
        bearer, basic = f"Bearer {good}", "Basic b2xnYTpw"
        first, second = "Authorization", "X-Fylr-Authorization"
        for headers, parameter, status in (
            ({first: bearer}, None, 200),
            ({second: bearer}, None, 200),
            ({}, good, 200),
            ({first: basic, second: bearer}, None, 200),
            ({first: basic}, good, 200),
            ({first: f"bearer {good}"}, None, 200),
            ({first: "Bearer wrong", second: bearer}, None, 401),
            ({second: "Bearer wrong"}, good, 401),
            ({first: basic}, None, 401),
            ({}, "wrong", 401),
            ({first: "Bearer "}, None, 401),
        ):
            query = {"access_token": parameter} if parameter else {}
            assert (await who.nobody.get(TASK, headers=headers, params=query)).status_code == status

    asked(rota, talk)


def test_keys_of_other_kinds_and_keys_that_were_taken_back_are_no_tokens(rota: Rota) -> None:
    async def talk(who: People) -> None:
        native = (await keys.add_key(rota, OPERATOR, "olga", "native")).secret
        taken = await keys.add_key(rota, OPERATOR, "olga", "fylr")
        await keys.revoke_key(rota, OPERATOR, taken.id)
        for secret in (native, taken.secret, "fylr_x", ""):
            assert (await who.nobody.get(TASK, headers={"Authorization": f"Bearer {secret}"})).status_code == 401

    asked(rota, talk)


def test_a_task_of_a_module_that_was_made_elsewhere_is_here_and_others_are_not(rota: Rota) -> None:
    async def talk(who: People) -> None:
        (olga,) = [user.actor for user in await users.list_users(rota, OPERATOR) if user.name == "olga"]
        await tasks.create_task(rota, olga, spec(name="nap", executor=Module(module="sleep", params={"runtime": 3})))
        ruth = await new_actor(rota, "rob", "system.root")
        await tasks.create_task(rota, ruth, spec(name="script"))
        (found,) = (await who.owner.ask("GET"))["objects"]
        assert (found["task"]["task_module"], found["task"]["task_params"]) == ("sleep", {"runtime": 3})
        await tasks.delete_task(rota, olga, "nap")
        assert (await who.owner.ask("GET"))["count"] == 0

    asked(rota, talk)
