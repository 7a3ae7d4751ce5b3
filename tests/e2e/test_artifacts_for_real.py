"""Artifacts through kill -9: between every two steps of their way, and in the middle of an upload."""

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.server_process import PATIENCE_S, ServerProcess

pytestmark = pytest.mark.e2e

SETTINGS = """
[[listen]]
address = "127.0.0.1:{port}"
surface = "posthog"
"""
SIZE = 3_000_000


def log_in(server: ServerProcess, port: int) -> httpx.Client:
    for words in (["user", "add", "ana"], ["project", "add", "P"], ["project", "join", "1", "--user", "ana"]):
        assert server.cli(*words).returncode == 0
    key = server.cli("key", "add", "--user", "ana", "--for", "posthog").stdout.strip()
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}/api/projects/1", timeout=PATIENCE_S, headers={"Authorization": f"Bearer {key}"}
    )


def answer(reply: httpx.Response, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()


def upload(prepared: dict[str, Any], content: bytes) -> int:
    form = prepared["presigned_post"]
    return httpx.post(form["url"], data=form["fields"], files={"file": ("x", content)}, timeout=PATIENCE_S).status_code


def begin_upload(prepared: dict[str, Any]) -> socket.socket:
    """Half of an upload, sent."""
    form = prepared["presigned_post"]
    whole = httpx.Request("POST", form["url"], data=form["fields"], files={"file": ("x", b"x" * SIZE)})
    place = urlsplit(form["url"])
    head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n".encode()
    for name in ("content-type", "content-length"):
        head += f"{name}: {whole.headers[name]}\r\n".encode()
    line = socket.create_connection((str(place.hostname), int(place.port or 80)))
    line.sendall(head + b"\r\n" + whole.read()[: SIZE // 2])
    return line


def test_a_file_gets_to_its_run_whenever_the_server_is_killed(make_server: MakeServer, shared_blobs: dict[str, str]) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port), environ=shared_blobs)
    server.start()
    with log_in(server, port) as client:
        task_id = answer(client.post("/tasks", json={"title": "t"}), 201)["id"]
        item = {"name": "a.bin", "type": "user_attachment", "size": SIZE}
        staged = f"/tasks/{task_id}/staged_artifacts"
        prepared = answer(client.post(f"{staged}/prepare_upload", json={"artifacts": [item]}))["artifacts"][0]
        named = {name: prepared[name] for name in ("id", "name", "type", "storage_path")}

        def kill() -> None:
            server.kill()
            server.start()

        kill()
        with begin_upload(prepared):
            if not shared_blobs:  # else it is not the server that gets it
                server.until(lambda: any((server.data / "blobs" / "incoming").glob("*")))
            kill()
        absent = answer(client.post(f"{staged}/finalize_upload", json={"artifacts": [named]}), 400)
        assert absent == {"error": "Artifact upload not found in object storage"}
        assert upload(prepared, b"y" * SIZE) == 204
        kill()
        assert answer(client.post(f"{staged}/finalize_upload", json={"artifacts": [named]}))["artifacts"][0]["size"] == SIZE
        kill()
        run = answer(client.post(f"/tasks/{task_id}/run", json={"pending_user_artifact_ids": [named["id"]]}))["latest_run"]
        kill()
        assert [each["id"] for each in answer(client.get(f"/tasks/{task_id}/runs/{run['id']}"))["artifacts"]] == [named["id"]]
        path = {"storage_path": named["storage_path"]}
        link = answer(client.post(f"/tasks/{task_id}/runs/{run['id']}/artifacts/presign", json=path))["url"]
        assert httpx.get(link).content == b"y" * SIZE
    main = server.http.get(f"/v1/runs/{run['id']}/artifacts").json()["items"]
    assert [each["name"] for each in main] == ["a.bin"]


def test_what_a_script_leaves_is_an_artifact_of_its_run(make_server: MakeServer, shared_blobs: dict[str, str]) -> None:
    script = 'mkdir "$ROTA_ARTIFACTS" && echo 1,2 > "$ROTA_ARTIFACTS/numbers.csv"; exit 3'
    server = make_server(f"[tasks.leaves]\nrun = '''{script}'''\n", environ=shared_blobs)
    server.start()
    run_id = server.run("leaves")
    assert server.until_state(run_id)["state"] == "failed"
    [item] = server.get(f"/v1/runs/{run_id}/artifacts")["items"]
    assert (item["name"], item["size"]) == ("numbers.csv", 4)
    assert server.http.get(f"/v1/runs/{run_id}/artifacts/{item['id']}").content == b"1,2\n"
    assert list((server.work_data / "left").iterdir()) == []
