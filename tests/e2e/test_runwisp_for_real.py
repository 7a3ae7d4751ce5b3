"""RunWisp's API on a listener of its own, through a login and a kill -9 (RunWisp §13, §17; checklist lines 6 and 13)."""

import hashlib
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port
from tests.e2e.server_process import PATIENCE_S, ServerProcess

from rota.core.ulid import to_ulid

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"
SETTINGS = """
[[listen]]
address = "127.0.0.1:{port}"
surface = "runwisp"
[tasks.job]
run = 'echo "begun $RUNWISP_RUN_ID"; sleep 60'
graceful_stop = "0s"
[services.web]
run = "exec sleep 60"
graceful_stop = "0s"
"""


def log_in(client: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    nonce = client.get("/api/auth/challenge").json()["nonce"]
    answer = hashlib.pbkdf2_hmac("sha256", password.encode(), nonce.encode(), 600_000, 32).hex()
    reply = client.post("/api/auth", json={"nonce": nonce, "response": answer})
    again = client.post("/api/auth", json={"nonce": nonce, "response": answer})
    assert again.status_code == 401  # a nonce is good for one answer
    return reply


def states(client: httpx.Client, task: str) -> list[str]:
    """Oldest first."""
    runs = client.get(f"/api/tasks/{task}/runs").json()["runs"]
    return [run.get("end_reason") or run["status"] for run in runs[::-1]]


def texts(client: httpx.Client, run: dict[str, Any]) -> list[str]:
    page = client.get(f"/api/tasks/job/runs/{run['id']}/log").json()
    return [line["text"] for line in page["lines"] if line["stream"] == "stdout"]


def test_line_6_a_session_and_the_queue_outlive_kill_9_and_what_ran_has_crashed(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server(SETTINGS.format(port=port), environ={"RUNWISP_PASSWORD": PASSWORD})
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        assert client.get("/api/tasks").status_code == 401
        assert log_in(client, "wrong").status_code == 401
        client.headers["Authorization"] = f"Bearer {log_in(client).json()['token']}"
        client.cookies.clear()
        first, second, _third = (client.post("/api/tasks/job/run").json() for _ in range(3))
        assert client.post("/api/tasks/web/stop").json() == {"message": "service web stopped"}
        server.until(lambda: texts(client, first) and states(client, "web") == ["stopped"])
        server.kill_with_worker()
        server.start()
        server.until(lambda: states(client, "job") == ["crashed", "running", "pending"])
        crashed = client.get(f"/api/runs/{first['id']}").json()
        assert (crashed["exit_code"], texts(client, crashed)) == (-2, [f"begun {first['id']}"])
        server.until(lambda: texts(client, second) == [f"begun {second['id']}"])
        assert only_run_of(server) == client.get(f"/api/runs/{second['id']}").json()["id"]
        assert states(client, "web") == ["stopped"]


def test_with_a_certificate_everything_is_https_and_a_cookie_says_so(make_server: MakeServer, tmp_path: Path) -> None:
    new_certificate(tmp_path)
    port = free_port()
    settings = f'[daemon]\ntls_cert = "{tmp_path}/cert.pem"\ntls_key = "{tmp_path}/key.pem"\n' + SETTINGS.format(port=port)
    server = make_server(settings, environ={"RUNWISP_PASSWORD": PASSWORD})
    server.start()
    assert server.url.startswith("https://")
    trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=PATIENCE_S) as client:
        reply = log_in(client)
        assert reply.headers["strict-transport-security"]
        assert reply.headers["set-cookie"].endswith("; Secure")
        assert client.get("/api/tasks").status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://localhost:{port}/health", timeout=PATIENCE_S)


def test_a_certificate_that_cannot_be_used_stops_the_start(make_server: MakeServer, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    server = make_server(f'[daemon]\ntls_cert = "{tmp_path}/cert.pem"\ntls_key = "{tmp_path}/cert.pem"\n')
    server.launch()
    assert server.wait() == 1
    assert "cannot use the certificate" in server.own_log()


def new_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


def only_run_of(server: ServerProcess) -> str:
    """The one run that has processes, as RunWisp's clients know it."""
    [run_id] = set(server.work_pids().values())
    return to_ulid(run_id)
