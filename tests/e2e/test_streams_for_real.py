"""Streams over TCP with a key: logs and notices, also across a restart of the server; and the numbers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.server_process import ServerProcess

from rota.cli.client import Notice, notices

pytestmark = pytest.mark.e2e

TALK = """
[tasks.talk]
run = 'for n in 1 2 3 4 5 6; do echo "line $n"; done; while [ ! -e "$WITNESS/go" ]; do sleep 0.02; done; echo last'
"""


@contextmanager
def stream(server: ServerProcess, key: str, path: str, last_id: str | None = None) -> Iterator[Iterator[Notice]]:
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last_id} if last_id else {})
    with httpx.stream("GET", server.url + path, headers=headers, timeout=20) as reply:
        assert reply.status_code == 200, reply.read()
        yield notices(reply.iter_lines())


def test_a_log_stream_is_resumed_across_a_restart_without_gap_or_repeat(make_server: MakeServer) -> None:
    server = make_server(TALK)
    server.start()
    key = server.new_key("ada", "system.root")
    run_id = server.run("talk")
    path = f"/v1/runs/{run_id}/log/stream"
    with stream(server, key, path) as lines:
        first = [next(lines) for _ in range(3)]
        server.kill_with_worker()
    assert [line.data["text"] for line in first] == ["line 1", "line 2", "line 3"]
    server.start()
    with stream(server, key, path, first[-1].id) as lines:
        rest = list(lines)
    assert [line.data["text"] for line in rest[:-1] if line.data["stream"] == "stdout"] == ["line 4", "line 5", "line 6"]
    assert (rest[-1].kind, rest[-1].data["state"]) == ("done", "crashed")


def test_what_happens_is_streamed_and_a_restart_is_told(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'")
    server.start()
    key = server.new_key("ada", "system.root")
    with stream(server, key, "/v1/stream") as happenings:
        # The first heartbeat tells that the server listens for us.
        run_id = server.run("quick")
        told = [next(happenings) for _ in range(3)]
    assert [(each.kind, each.data["run"]["id"]) for each in told] == [
        (kind, run_id) for kind in ("run.created", "run.started", "run.succeeded")
    ]
    with stream(server, key, "/v1/stream", told[0].id) as happenings:
        assert [next(happenings).id for _ in range(2)] == [told[1].id, told[2].id]
    server.kill()
    server.start()
    with stream(server, key, "/v1/stream", told[0].id) as happenings:
        assert next(happenings).kind == "reset"


def test_a_stop_of_the_server_ends_open_streams(make_server: MakeServer) -> None:
    server = make_server("")
    server.start()
    key = server.new_key("ada", "system.root")
    with stream(server, key, "/v1/stream") as happenings:
        assert server.stop() == 0
        assert list(happenings) == []


def test_a_key_that_is_taken_back_ends_what_was_opened_with_it(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'")
    server.start()
    taken, kept = server.new_key("ada", "system.root"), server.new_key("ben", "system.root")
    with stream(server, taken, "/v1/stream") as lost, stream(server, kept, "/v1/stream") as other:
        assert server.cli("key", "revoke", "--secret-stdin", stdin=taken).returncode == 0
        revoked_at = time.monotonic()
        assert list(lost) == []
        assert time.monotonic() - revoked_at < 2
        server.run("quick")
        assert next(other).kind == "run.created"


def test_over_tcp_nobody_is_let_in_without_a_key(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'")
    server.start()
    assert httpx.get(server.url + "/v1/tasks").status_code == 401
    assert httpx.get(server.url + "/v1/tasks", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    stranger = {"Authorization": f"Bearer {server.new_key('stranger')}"}
    assert httpx.get(server.url + "/v1/tasks", headers=stranger).json()["items"] == []
    assert httpx.post(server.url + "/v1/tasks/quick/run", headers=stranger, json={}).status_code == 404
    assert httpx.get(server.url + "/livez").json() == {"status": "ok"}


def test_the_numbers_are_openmetrics(make_server: MakeServer) -> None:
    server = make_server("[tasks.quick]\nrun = 'true'\n[tasks.bad]\nrun = 'exit 1'")
    server.start()
    for run_id in (server.run("quick"), server.run("bad")):
        server.until_state(run_id)
    reply = httpx.get(server.url + "/metrics")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    samples = parse_openmetrics(reply.text)
    assert samples['rota_runs_total{state="succeeded"}'] == samples['rota_runs_total{state="failed"}'] == 1
    assert samples["rota_running_runs"] == 0
    assert samples["rota_run_duration_seconds_count"] == samples['rota_run_duration_seconds_bucket{le="+Inf"}'] == 2


def parse_openmetrics(text: str) -> dict[str, float]:
    """Samples by name and labels, held to the rules of OpenMetrics 1.0: families in one piece, suffixes by type, an end."""
    suffixes = {"counter": ["_total"], "gauge": [""], "info": ["_info"], "histogram": ["_bucket", "_sum", "_count"]}
    samples: dict[str, float] = {}
    families: dict[str, str] = {}
    family = ""
    *lines, end, last = text.split("\n")
    assert (end, last) == ("# EOF", "")
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families
            families[family] = kind
        elif line.startswith("# "):
            assert line.split(" ")[1] in ("HELP", "UNIT")
            assert line.split(" ")[2] == family
        else:
            name, value = line.rsplit(" ", 1)
            assert name.split("{")[0] in [family + suffix for suffix in suffixes[families[family]]]
            assert name not in samples
            samples[name] = float(value)
    return samples
