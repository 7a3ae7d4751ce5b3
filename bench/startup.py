"""From exec to the first answer."""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Figure, figure, in_turns
from bench.idle import settings
from bench.scratch import new_folder
from bench.server import CLEAN

TASKS = 200
BARE = """
import msgspec, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def live(request): return Response(b"{}")
app = Starlette(routes=[Route("/livez", live)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


def measure(quick: bool) -> list[Figure]:
    """Seconds until `GET /livez` is answered, on a data directory that has been used before, and on a new one."""
    folder = new_folder("startup")
    config = folder / "rota.toml"
    config.write_text(settings(TASKS))
    numbers = iter(range(1000))
    start(rota(config, folder / "used"))
    used, fresh, bare = in_turns(
        2 if quick else 9,
        lambda: start(rota(config, folder / "used")),
        lambda: start(rota(config, folder / f"new-{next(numbers)}")),
        lambda: start([sys.executable, "-c", BARE]),
    )
    reference = "a Starlette app with one route on uvicorn"
    return [
        figure(f"from exec to the first answer, {TASKS} tasks", used, "s", reference=bare, reference_name=reference,
               floor=1.0, goal=0.6, less_is_better=True),
        figure("the same with a new data directory", fresh, "s", reference=bare, reference_name=reference, floor=1.0, goal=0.6,
               less_is_better=True),
    ]  # fmt: skip


def rota(config: Path, data: Path) -> list[str]:
    """The port comes last."""
    return [sys.executable, "-m", "rota", "serve", "--config", str(config), "--data", str(data), "--listen"]


def start(command: Sequence[str]) -> float:
    port = free_port()
    where = f"127.0.0.1:{port}" if command[-1] == "--listen" else str(port)
    begin = time.perf_counter()
    process = subprocess.Popen([*command, where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN)
    try:
        while not is_answering(port):
            if process.poll() is not None:
                raise RuntimeError(f"the server did not start: exit {process.returncode}")
            time.sleep(0.002)
        return time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_answering(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asking:
            asking.sendall(b"GET /livez HTTP/1.1\r\nHost: rota\r\nConnection: close\r\n\r\n")
            return asking.recv(100).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False
