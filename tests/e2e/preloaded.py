"""A process that has loaded the server once and forks servers off: `python preloaded.py`, its orders come in by stdin's socket.

A server forked so is a process like any other, that can be asked, stopped and killed; only that loading is not paid for again.
An order is a message of JSON. It is answered by {"began": pid} and, at the end of that server, {"ended": pid, "code": …}.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
from typing import Any

from tests import under
from tests.e2e.crash_points import POINTS

import rota.main
from rota.cli import root

# What servers load only when they need it, and all of these do.
LATER = ["httptools", "psycopg", "rota.store.postgres", "uvicorn.protocols.http.httptools_impl", "uvloop"]
FOR_SCALE = ["rota.server.cluster", "rota.server.fleet", "rota.worker.worker", "temporalio.client", "temporalio.worker"]
PR_SET_PDEATHSIG = 1
MOST_BYTES = 100_000

Order = dict[str, Any]


def next_server(channel: socket.socket) -> Order | None:
    """Forks for each order and returns it in the new process; None in this one, once nobody orders any more."""
    going: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([channel.fileno(), *going], [], [])
        for descriptor in ready:
            if descriptor in going:
                _tell_end(channel, going.pop(descriptor), descriptor)
            elif not (message := channel.recv(MOST_BYTES)):
                return None
            elif pid := os.fork():
                going[os.pidfd_open(pid)] = pid
                _tell(channel, began=pid)
            else:
                for each in going:
                    os.close(each)
                order: Order = json.loads(message)
                return order


def _tell_end(channel: socket.socket, pid: int, descriptor: int) -> None:
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    _tell(channel, ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(channel: socket.socket, **told: int) -> None:
    channel.send(json.dumps(told).encode())


def become(order: Order) -> None:
    """Take on what a process of its own would have been started with. It ends with the process it is forked from."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    for descriptor, path in enumerate((os.devnull, order["out"], order["err"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)


def serve() -> None:
    channel = socket.socket(fileno=os.dup(0))
    order = next_server(channel)
    channel.close()
    if order is None:
        return
    become(order)
    if order["crash_at"]:
        POINTS[order["crash_at"]](order["nth"])
    root.main(order["words"], prog_name="rota")


if __name__ == "__main__":
    for name in [*LATER, *(FOR_SCALE if under.scale else [])]:
        importlib.import_module(name)
    assert rota.main
    gc.collect()
    gc.freeze()
    serve()
