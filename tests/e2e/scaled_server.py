"""The same server on PostgreSQL, with a worker beside it that carries everything out."""

import signal
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
from tests import under
from tests.e2e.forker import Forker
from tests.e2e.server_process import ServerProcess, until
from tests.e2e.worker_process import WorkerProcess

# Until what a worker has lost is given up, and gone on with.
LOSS_S = 60.0
# One that could not say for a while that it lives is listed no more, and works all the same.
WORKERS = "SELECT id FROM nodes WHERE kind = 'worker' UNION SELECT worker FROM placements WHERE worker IS NOT NULL"
# What a worker had that is no more, and nobody has given up yet.
HELD = """
SELECT run_id FROM placements JOIN runs ON runs.id = run_id AND runs.fence = placements.fence
WHERE runs.state = 'running' AND worker = ANY(%s)
"""


class ScaledServer(ServerProcess):
    """`kill` is the end of the server alone: its worker goes on. A `stop` is one of the machine on which both are."""

    def __init__(
        self, forker: Forker, folder: Path, settings: str, *, database: str, environ: dict[str, str] | None = None
    ) -> None:
        super().__init__(forker, folder, settings, database=database, environ=_fleet() | (environ or {}))
        self._url = database
        self._lost: set[str] = set()
        self.worker = WorkerProcess(forker, self, "worker")

    def start(self, crash_at: str | None = None, nth: int = 1) -> None:
        """Returns when it serves, and what an earlier worker had is given up."""
        super().start(crash_at, nth)
        self._until_given_up()

    def launch(self, crash_at: str | None = None, nth: int = 1) -> None:
        """What is not alive; the worker first, so that there is room for work from the beginning. Either may have the moment."""
        if not self.worker.is_alive:
            self.worker.launch(crash_at, nth)
            until(lambda: not self.worker.is_alive or (self.worker.has_greeted and self._workers() - self._lost), self.own_log)
        if not self.is_alive:
            super().launch(crash_at, nth)

    def wait(self) -> int:
        """Who waits for a crash waits for that of either; where it is the worker's the server dies with it."""
        until(lambda: not self.is_alive or self.worker.code == -signal.SIGKILL, self.own_log, LOSS_S)
        if self.worker.code == -signal.SIGKILL:
            self._note_lost()
            self.signal(signal.SIGKILL)
        return super().wait()

    def kill_something(self, chance: Random) -> None:
        chance.choice([self.kill, self._kill_worker, self.kill_with_worker])()

    def kill_with_worker(self) -> None:
        self.kill()
        self._note_lost()
        self.worker.kill_with_keeper()

    def _kill_worker(self) -> None:
        self._note_lost()
        self.worker.kill()

    def stop(self) -> int:
        if self.worker.is_alive:
            self._note_lost()
            assert self.worker.end() == 0, self.own_log()
            self._until_given_up()
        return super().stop()

    def end(self) -> list[str]:
        has_worked, code = self.worker.has_greeted, self.worker.end()
        wrong = super().end()
        return [*wrong, f"its worker ended with exit code {code}"] if has_worked and code else wrong

    @property
    def keeps_last_words(self) -> bool:
        return False

    @property
    def work_data(self) -> Path:
        return self.worker.data

    def own_log(self) -> str:
        return super().own_log() + self.worker.own_log()

    def _note_lost(self) -> None:
        self._lost |= self._workers()

    def _until_given_up(self) -> None:
        until(lambda: not self._ask(HELD, list(self._lost)), self.own_log, LOSS_S)

    def _workers(self) -> set[str]:
        return {worker for (worker,) in self._ask(WORKERS)}

    def _ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url, autocommit=True) as c:
            return c.execute(sql, values).fetchall()


def _fleet() -> dict[str, str]:
    """What tells a server and its worker to work through Temporal, by a queue of their own."""
    return {
        "ROTA_RUNNER": "temporal",
        "ROTA_TEMPORAL_ADDRESS": under.temporal().address,
        "ROTA_TEMPORAL_TASK_QUEUE": uuid4().hex,
        "ROTA_LOST_AFTER": "5s",
    }
