"""Servers and workers on one database and one task queue, for a test."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import psycopg
from tests.e2e.forker import Forker
from tests.e2e.separate_network import SeparateNetwork
from tests.e2e.server_process import ServerProcess
from tests.e2e.worker_process import WorkerProcess

# As short as it may be, so that nobody waits longer than is needed for what is lost.
LOST_AFTER_S = 4.0
SETTINGS = """
[server]
node = "{node}"
lost_after = "{lost_after}s"

[runner]
kind = "temporal"
address = "{address}"
task_queue = "{queue}"
{runner}
"""


class Fleet:
    """Everything that all of it does is counted in the folder of its first server."""

    def __init__(
        self, make_server: Callable[..., ServerProcess], forker: Forker, stack: ExitStack, database: str, address: str
    ) -> None:
        self._make_server = make_server
        self._forker = forker
        self._stack = stack
        self._queue = f"fleet-{uuid4().hex}"
        self._servers: list[ServerProcess] = []
        self.database = database
        self.address = address

    def settings(self, tasks: str, node: str = "a", *, address: str | None = None, runner: str = "") -> str:
        return SETTINGS.format(
            node=node, lost_after=f"{LOST_AFTER_S:g}", address=address or self.address, queue=self._queue, runner=runner
        ) + tasks  # fmt: skip

    def make(self, tasks: str, node: str = "a", **rest: str) -> ServerProcess:
        """A server that is not started yet."""
        environ = {"WITNESS": str(self._servers[0].folder)} if self._servers else {}
        server = self._make_server(self.settings(tasks, node, **rest), database=self.database, environ=environ)
        self._servers.append(server)
        return server

    def serve(self, tasks: str, node: str = "a", **rest: str) -> ServerProcess:
        server = self.make(tasks, node, **rest)
        server.start()
        return server

    def work(self, name: str, *words: str, settings: str | None = None, network: SeparateNetwork | None = None) -> WorkerProcess:
        """A worker that has started; with the settings of the first server or its own, in a network of its own or in ours."""
        worker = WorkerProcess(self._forker, self._servers[0], name, *words, network=network)
        if settings is not None:
            worker.config = worker.folder / "rota.toml"
            worker.config.write_text(settings)
        self._stack.callback(worker.end)
        worker.start()
        return worker

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as c:
            return c.execute(sql).fetchall()

    def note(self, name: str) -> None:
        """The work may wait for it."""
        (self._servers[0].folder / name).touch()

    def lines(self, name: str) -> list[str]:
        """What the work itself has written, line by line."""
        file = self._servers[0].folder / name
        return file.read_text().split("\n")[:-1] if file.exists() else []
