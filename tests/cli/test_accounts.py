"""Users, agents, keys and projects: made before a server ever ran, and beside one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from rota.core.errors import Unauthorized
from rota.ops.keys import find_actor, note_use
from rota.ops.secrets import hash_secret
from rota.ops.users import log_in
from rota.store import users

Call = Callable[..., Result]
Told = Callable[..., Any]


@pytest.fixture(params=["server up", "server down"], autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """Every test of this file runs both ways."""
    if request.param == "server up":
        request.getfixturevalue("server")
    return str(request.param)


def test_a_user_is_told_as_id_and_name(told: Told) -> None:
    user = told("user", "add", "ada", "--email", "ada@example.com", "--right", "system.root")
    assert set(user) == {"id", "name"}
    assert user["name"] == "ada"


def test_the_first_user_makes_a_data_directory_for_its_owner_alone(told: Told, home: Path) -> None:
    told("user", "add", "ada")
    assert (home / ".rota").stat().st_mode & 0o777 == 0o700


def test_a_password_comes_from_stdin(told: Told, home: Path, world: Any) -> None:
    user = told("user", "add", "ada", "--password-stdin", stdin="correct horse\n")
    actor = world.ask(lambda rota: log_in(rota, "ada", "correct horse"))
    assert actor.id == user["id"]


def test_an_empty_stdin_is_no_password(call: Call, home: Path) -> None:
    result = call("user", "add", "ada", "--password-stdin", stdin="")
    assert result.exit_code == 2
    assert "no password" in result.stderr


def test_a_taken_name_is_refused(call: Call) -> None:
    call("user", "add", "ada")
    result = call("user", "add", "ada")
    assert result.exit_code == 1
    assert "there is a user named ada already" in result.stderr
    assert result.stdout == ""


def test_an_unknown_right_is_a_usage_error_that_names_the_nearest(call: Call) -> None:
    result = call("user", "add", "ada", "--right", "system.rot")
    assert result.exit_code == 2
    assert "system.root" in result.stderr


def test_a_key_is_alone_on_stdout_and_works(call: Call, told: Told, world: Any) -> None:
    user = told("user", "add", "ada")
    result = call("key", "add", "--user", "ada", "--for", "native")
    secret = result.stdout.removesuffix("\n")
    assert secret.startswith("rota_")
    assert not set(secret) & set(" \n\t")
    assert world.ask(lambda rota: find_actor(rota, "native", hash_secret(secret))).id == user["id"]


def test_a_key_can_be_limited_to_scopes_and_a_project(told: Told, world: Any) -> None:
    told("user", "add", "ada")
    project = told("project", "add", "web")
    limits = ("--scope", "task:read", "--scope", "task:write", "--project", str(project["id"]))
    key = told("key", "add", "--user", "ada", "--for", "posthog", *limits, "--json")
    actor = world.ask(lambda rota: find_actor(rota, "posthog", hash_secret(key["secret"])))
    assert actor.scopes == frozenset({"task:read", "task:write"})
    assert actor.project_ids == frozenset({project["id"]})


@pytest.mark.parametrize("by", ["id", "secret"])
def test_a_key_that_was_taken_back_is_good_for_nothing(call: Call, told: Told, world: Any, by: str) -> None:
    told("user", "add", "ada")
    key = told("key", "add", "--user", "ada", "--for", "native", "--json")
    how: Any = {
        "id": lambda: call("key", "revoke", key["id"]),
        "secret": lambda: call("key", "revoke", "--secret-stdin", stdin=key["secret"]),
    }
    assert how[by]().exit_code == 0
    with pytest.raises(Unauthorized):
        world.ask(lambda rota: find_actor(rota, "native", hash_secret(key["secret"])))
    again = how[by]()
    assert (again.exit_code, "taken back before" in again.stderr) == (2, True)


def test_a_key_to_take_back_is_named_in_one_way(call: Call) -> None:
    assert call("key", "revoke").exit_code == 2
    assert call("key", "revoke", "x", "--secret-stdin", stdin="y").exit_code == 2
    assert call("key", "revoke", "--secret-stdin", stdin="").exit_code == 2


def test_a_secret_in_place_of_an_id_is_told_where_it_belongs(call: Call) -> None:
    result = call("key", "revoke", "rota_secret")
    assert (result.exit_code, "--secret-stdin" in result.stderr) == (2, True)


def test_a_key_for_an_unknown_user_is_refused(call: Call) -> None:
    result = call("key", "add", "--user", "nobody", "--for", "native")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "there is no user 'nobody'" in result.stderr


def test_a_key_is_for_one_of_the_apis_that_have_keys(call: Call) -> None:
    assert call("key", "add", "--user", "ada", "--for", "runwisp").exit_code == 2


def test_an_agent_gets_its_secret_once(told: Told, world: Any) -> None:
    agent = told("agent", "add", "planner", "--scope", "tasks:update")
    assert set(agent) == {"agent_id", "agent_secret"}
    actor = world.ask(lambda rota: find_actor(rota, "agent", hash_secret(agent["agent_secret"])))
    stored = world.ask(lambda rota: rota.database.read(lambda c: users.find_user(c, agent["agent_id"])))
    assert (actor.id, actor.kind, stored.scopes) == (agent["agent_id"], "agent", ("tasks:update",))


def test_a_scope_of_an_agent_that_nothing_asks_for_is_a_usage_error_that_names_the_nearest(call: Call) -> None:
    result = call("agent", "add", "planner", "--scope", "tasks:read", "--scope", "task:create")
    assert result.exit_code == 2
    assert "nothing asks for this scope; did you mean 'tasks:create'?" in result.stderr
    assert call("agent", "add", "planner").exit_code == 0


def test_a_scope_that_a_tool_asks_for_is_known(call: Call, home: Path) -> None:
    tool = {"address": "crm.find", "transport": "http", "endpoint": "http://x", "input_schema": {}, "output_schema": {}}
    (home / "tools.json").write_text(json.dumps([{**tool, "scopes": ["crm:read"]}]))
    (home / "rota.toml").write_text('[tools]\ncatalog = "tools.json"\n')
    assert call("agent", "add", "planner", "--scope", "crm:read").exit_code == 0
    assert "did you mean 'crm:read'?" in call("agent", "add", "other", "--scope", "crm:reed").stderr


def test_keys_are_listed_with_what_they_are_for_and_without_what_they_are(call: Call, told: Told, world: Any) -> None:
    told("user", "add", "ada")
    first = told("key", "add", "--user", "ada", "--for", "native", "--scope", "tasks:read", "--json")
    second = told("key", "add", "--user", "ada", "--for", "nla", "--json")
    gone = told("key", "add", "--user", "ada", "--for", "nla", "--json")
    told("agent", "add", "planner")
    assert call("key", "revoke", gone["id"]).exit_code == 0
    world.ask(lambda rota: note_use(rota, "nla", hash_secret(second["secret"])))
    listed = told("key", "list", "--json")
    assert [(each["id"], each["user"], each["for"], each["scopes"], each["used_at"] is None) for each in listed] == [
        (first["id"], "ada", "native", ["tasks:read"], True), (second["id"], "ada", "nla", None, False),
    ]  # fmt: skip
    shown = call("key", "list").stdout
    assert "tasks:read" in shown
    assert not any(each["secret"] in shown or each["secret"] in str(listed) for each in (first, second, gone))


def test_a_project_has_a_number(told: Told) -> None:
    assert told("project", "add", "web") == {"id": 1, "name": "web"}


def test_a_user_joins_a_project(call: Call, told: Told) -> None:
    told("user", "add", "ada")
    told("project", "add", "web")
    result = call("project", "join", "1", "--user", "ada")
    assert (result.exit_code, result.stdout) == (0, "ada belongs to web\n")


def test_joining_an_unknown_project_is_refused(call: Call, told: Told) -> None:
    told("user", "add", "ada")
    result = call("project", "join", "7", "--user", "ada")
    assert result.exit_code == 2
    assert "there is no project 7" in result.stderr


def test_an_error_is_json_when_asked_for(call: Call) -> None:
    result = call("key", "add", "--user", "nobody", "--for", "native", "--json")
    error = json.loads(result.stderr)["error"]
    assert (error["code"], error["exit_code"]) == ("not_found", 2)
    assert error["hint"] == "rota user add makes one"
    assert result.stdout == ""


def test_the_data_directory_is_taken_from_the_environment(told: Told, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ROTA_DATA", str(home / "elsewhere"))
    told("user", "add", "ada")
    assert (home / "elsewhere" / "rota.db").exists()


def test_a_flag_wins_over_the_environment(told: Told, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ROTA_DATA", str(home / "elsewhere"))
    told("user", "add", "ada", "--data", str(home / "here"))
    assert (home / "here" / "rota.db").exists()
