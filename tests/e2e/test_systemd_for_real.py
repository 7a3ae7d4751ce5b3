"""What a real server tells systemd in its life; and what docker it finds."""

import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import until

pytestmark = pytest.mark.e2e
COMPOSE = "services:\n  web: {image: nginx}\n"


def test_ready_reloading_alive_and_stopping_are_told_in_order(make_server: MakeServer, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        address = str(tmp_path / "notify")
        systemd.bind(address)
        systemd.settimeout(20)
        server = make_server("", environ={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000"})
        server.start()
        heard: list[str] = []

        def wait_for(state: str) -> None:
            while not (heard and heard[-1].startswith(state)):
                heard.append(systemd.recv(4096).decode())

        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        server.signal(signal.SIGHUP)
        wait_for("RELOADING=1\nMONOTONIC_USEC=")
        wait_for("READY=1")
        server.signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        assert server.wait() == 0


def test_a_service_of_a_compose_file_is_there_and_its_run_says_what_is_missing(make_server: MakeServer) -> None:
    server = make_server("[compose.shop]\n[compose.shop.web]\nstart_retries = 0\n", environ={"PATH": "/nonexistent"})
    (server.folder / "compose.yaml").write_text(COMPOSE)
    server.start()

    def gave_up() -> list[dict[str, Any]]:
        with suppress(KeyError):
            return [run for run in server.runs() if run["reason"] == "start_failed"]
        return []

    [run] = until(gave_up, server.own_log)
    [task] = server.get("/v1/tasks")["items"]
    assert (task["name"], task["executor"]["kind"], run["exit_code"]) == ("shop.web", "compose", None)
    lines = server.get(f"/v1/runs/{run['id']}/log")["lines"]
    assert "compose is not available: there is no docker command on this machine" in lines[0]["text"]
