"""Validated POSTs that store a task, by 32 clients at once, beside an app that validates as much and stores nothing."""

import subprocess
from pathlib import Path

from bench.c_program import compile_c
from bench.figure import Figure, figure, in_turns
from bench.scratch import new_folder
from bench.server import Server, serve

CLIENTS = 32
BODY = (
    b'{"name":"task-@@@@@@@@@","title":"Archive the notes","executor":{"kind":"shell","script":"tar -czf notes.tgz notes"},'
    b'"schedule":{"kind":"cron","expr":"15 3 * * 1-5","timezone":"Europe/Berlin"},'
    b'"policy":{"overlap":"skip","timeout_s":600,"retry":{"attempts":2,"delay_s":10}},"labels":["nightly"]}'
)
# A bare handler is this much faster than FastAPI's on a validated POST (11.9k against 5.0k/s, wrk with 32 connections).
OVER_FASTAPI = 2.4


def measure(quick: bool) -> list[Figure]:
    """Answers per second from one server process each, medians of rounds in turns."""
    rounds, count = (1, 3000) if quick else (5, 10_000)
    folder = new_folder("create")
    program = compile_c("post_loop", folder)
    first = iter(range(1000))
    with serve(folder / "data") as rota, serve(folder / "bare", module="bench.bare_app", with_key=False) as bare:
        ours, reference = in_turns(
            rounds,
            lambda: post(program, rota, "/v1/tasks", count, f"r{next(first)}"),
            lambda: post(program, bare, "/tasks", count, "b"),
        )
        stored = len(rota.ask("GET", "/v1/tasks?limit=1")["items"])
    assert stored
    return [
        figure(
            f"validated POST that stores a task, {CLIENTS} clients", ours, "requests/s", reference=reference,
            reference_name="bare Starlette + msgspec handler that stores nothing", judged="ratio",
            floor=round(0.5 / OVER_FASTAPI, 2), goal=round(1 / OVER_FASTAPI, 2),
            note=f"the targets are 0.5 x and 1 x of FastAPI, which is not here; the bare handler is {OVER_FASTAPI} x FastAPI",
        )
    ]  # fmt: skip


def post(program: Path, server: Server, path: str, count: int, prefix: str) -> float:
    body = BODY.replace(b"task-", f"{prefix}-".encode())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: rota\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    words = [str(program), str(server.port), str(CLIENTS), str(count), "201"]
    return float(subprocess.run(words, input=head.encode() + body, check=True, capture_output=True).stdout)
