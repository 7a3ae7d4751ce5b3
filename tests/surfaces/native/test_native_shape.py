"""Every answer and every refusal has the same shape."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.asking import SHELL, People, asked

import rota.surfaces.native
from rota.ops.context import Rota
from rota.surfaces import native
from rota.surfaces.native.routes import describe

MEMBERS = {"type", "title", "status", "code", "detail", "hint", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status", "code"),
    [
        ("GET", "/v1/nothing", {}, b"", 404, "no_such_path"),
        ("GET", "/v1/tasks/", {}, b"", 404, "no_such_path"),
        ("GET", "/v1/tasks/%00", {}, b"", 404, "no_such_path"),
        ("PUT", "/v1/tasks", {}, b"", 405, "method_not_allowed"),
        ("DELETE", "/livez", {}, b"", 405, "method_not_allowed"),
        ("GET", "/v1/tasks/none", {}, b"", 404, "not_found"),
        ("GET", "/v1/runs?limit=x", {}, b"", 422, "invalid"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b"{", 400, "malformed"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b"", 400, "malformed"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b"\xff", 400, "malformed"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b'{"name": NaN}', 400, "malformed"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b'{"name": "\\ud800"}', 400, "malformed"),
        (
            "POST",
            "/v1/events",
            {"content-type": "application/json"},
            b'{"payload": ' + b'{"a":' * 9000,
            400,
            "malformed",
        ),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b"[]", 422, "invalid"),
        ("POST", "/v1/tasks", {"content-type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/v1/tasks", {}, b"{}", 415, "unsupported_media_type"),
        ("POST", "/v1/tasks", {"content-type": "application/json"}, b" " * (10 * 1024 * 1024 + 1), 413, "too_large"),
        ("POST", "/v1/reload", {}, b"", 503, "unavailable"),
    ],
)
def test_a_refusal_is_problem_json(
    rota: Rota, method: str, path: str, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    async def talk(who: People) -> None:
        reply = await who.root.request(method, path, headers=headers, content=content)
        problem = reply.json()
        assert (reply.status_code, problem["status"], problem["code"]) == (status, status, code)
        assert set(problem) == MEMBERS
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert ("allow" in reply.headers) == (status == 405)
        assert "access-control-allow-origin" not in reply.headers

    asked(rota, talk)


def test_a_chunked_body_is_limited_too(rota: Rota) -> None:
    async def chunks() -> Any:
        for _ in range(11):
            yield b" " * 1024 * 1024

    async def talk(who: People) -> None:
        reply = await who.owner.post("/v1/tasks", content=chunks(), headers={"Content-Type": "application/json"})
        assert reply.status_code == 413

    asked(rota, talk)


def test_a_mistake_of_ours_is_told_without_details(rota: Rota) -> None:
    async def broken() -> dict[str, Any]:
        raise RuntimeError("the secret is 1234")

    rota.reload = broken

    async def talk(who: People) -> None:
        reply = await who.root.post("/v1/reload")
        assert (reply.status_code, reply.json()["code"]) == (500, "internal")
        assert "1234" not in reply.text

    asked(rota, talk)


def test_a_secret_is_not_repeated_in_a_refusal(rota: Rota) -> None:
    async def talk(who: People) -> None:
        body = {"name": "b", "executor": {**SHELL, "env": {"TOKEN": "hunter2\x00"}}}
        reply = await who.owner.post("/v1/tasks", json=body)
        assert reply.status_code == 422
        assert "hunter2" not in reply.text

    asked(rota, talk)


def test_head_answers_as_get_does(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for path in ("/v1/tasks", "/livez", "/v1/stream"):
            assert (await who.owner.head(path)).status_code == 200

    asked(rota, talk)


def test_every_route_is_described_and_documented() -> None:
    described = describe()
    page = (Path(rota.surfaces.native.__file__).parent / "COVERAGE.md").read_text()
    for route in native.ROUTES:
        assert route.method.lower() in described["paths"][route.path]
        assert f"| {route.method} {route.path} |" in page
    assert len(re.findall(r"^\| (?:GET|POST|PATCH|DELETE) ", page, re.MULTILINE)) == len(native.ROUTES)


def test_the_description_refers_to_nothing_that_is_not_there() -> None:
    described = describe()
    schemas = described["components"]["schemas"]

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in schemas
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(described)
    assert described["openapi"] == "3.1.0"


def test_the_description_names_parameters_bodies_and_refusals() -> None:
    paths = describe()["paths"]
    listed = paths["/v1/runs"]["get"]
    assert [parameter["name"] for parameter in listed["parameters"]] == ["task", "state", "limit", "cursor"]
    logs = paths["/v1/runs/{id}/log"]["get"]["parameters"]
    assert [(parameter["name"], parameter["in"]) for parameter in logs] == [("id", "path"), ("from", "query"), ("limit", "query")]
    created = paths["/v1/tasks"]["post"]
    assert created["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/TaskBody"}
    assert {"201", "400", "401", "403", "409", "413", "415", "422", "503"} == set(created["responses"])
    operations = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(operations) == len(set(operations))


def test_the_description_is_served(rota: Rota) -> None:
    async def talk(who: People) -> None:
        reply = await who.plain.get("/v1/openapi.json")
        assert reply.json() == describe()

    asked(rota, talk)
