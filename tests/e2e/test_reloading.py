"""Reading the settings file again: whole or not at all."""

import signal
from pathlib import Path

import pytest
from tests.e2e.conftest import MakeServer

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("by", ["signal", "api"])
def test_a_reload_applies_the_whole_file_or_nothing(make_server: MakeServer, by: str) -> None:
    first = "[tasks.a]\nrun = 'echo old'\n[tasks.b]\nrun = 'true'\n"
    server = make_server(first)
    server.start()
    kept = server.get("/v1/tasks/a")["id"]

    def reload() -> None:
        if by == "signal":
            server.signal(signal.SIGHUP)
        else:
            server.http.post("/v1/reload")

    server.write_settings("[tasks.a]\nrun = 'echo new'\n[tasks.c]\nrun = 'true'\nretry_atempts = 3\n")
    reload()
    if by == "signal":
        server.until(lambda: "retry_attempts" in server.own_log())
    assert {task["name"] for task in server.get("/v1/tasks")["items"]} == {"a", "b"}
    assert server.get("/v1/tasks/a")["executor"]["script"] == "echo old"

    server.write_settings("[tasks.a]\nrun = 'echo new'\n[tasks.c]\nrun = 'true'\n")
    reload()
    server.until(lambda: {task["name"] for task in server.get("/v1/tasks")["items"]} == {"a", "c"})
    assert server.get("/v1/tasks/a")["id"] == kept
    run = server.until_state(server.run("a"))
    assert server.log_texts(run["id"]) == ["new"]


def test_a_reload_refused_by_the_api_names_the_place(make_server: MakeServer) -> None:
    server = make_server("[tasks.a]\nrun = 'true'\n")
    server.start()
    server.write_settings("[tasks.a]\nrun = 'true'\ntimeuot = '3s'\n")
    refused = server.http.post("/v1/reload")
    assert refused.status_code == 422
    assert "timeout" in refused.text
    assert server.cli("reload").returncode == 2
    server.write_settings("[server]\nmax_concurrent_runs = 3\n[tasks.a]\nrun = 'true'\n")
    assert server.http.post("/v1/reload").status_code == 409


def test_a_reload_asked_for_during_the_start_comes_after_it(make_server: MakeServer) -> None:
    server = make_server("[tasks.a]\nrun = 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\n")
    server.start()
    run_id = server.run("a")
    server.until(lambda: server.log_texts(run_id))
    server.kill()
    before = _made_at(server.data / "rota.sock")
    server.launch()
    # Its sockets are open, and for two seconds it waits for the end of what its predecessor left running.
    server.until(lambda: _made_at(server.data / "rota.sock") not in (before, None))
    server.write_settings("[tasks.b]\nrun = 'true'\n")
    server.signal(signal.SIGHUP)
    server.until(lambda: server.has_greeted)
    server.until(lambda: [task["name"] for task in server.get("/v1/tasks")["items"]] == ["b"])


def _made_at(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None
