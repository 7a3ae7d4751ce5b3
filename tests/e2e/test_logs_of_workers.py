"""The log of a run that a worker carries out, whatever is restarted meanwhile, and from where the run was before."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.forker import Forker
from tests.e2e.server_process import ServerProcess
from tests.e2e.worker_process import WorkerProcess
from tests.postgres_server import Server, run_server
from tests.temporal_server import TemporalServer

pytestmark = pytest.mark.e2e

LINES = 40
TASKS = f"""
[tasks.count]
run = 'for n in $(seq {LINES}); do echo $n; sleep 0.1; done'

[tasks.twice]
run = 'echo "attempt $ROTA_ATTEMPT"; test "$ROTA_ATTEMPT" = 2'
retry_attempts = 1
retry_delay = "4s"
"""
FLEET = """
[runner]
kind = "temporal"
address = "{address}"
task_queue = "{queue}"
"""


class Fleet:
    """A server, at first with no workers."""

    def __init__(self, server: ServerProcess, postgres: Server, address: str, forker: Forker) -> None:
        self.server, self.postgres = server, postgres
        self._forker = forker
        self._settings = FLEET.format(address=address, queue=uuid4().hex)
        self._worker: WorkerProcess | None = None

    def hand_out(self) -> None:
        """From now on a worker does all the work."""
        self.server.write_settings(TASKS + self._settings)
        self.server.start()
        self._worker = WorkerProcess(self._forker, self.server, "w1")
        self._worker.start()

    def close(self) -> None:
        if self._worker is not None:
            self._worker.end()


@pytest.fixture
def fleet(make_server: MakeServer, temporal: TemporalServer, forker: Forker) -> Iterator[Fleet]:
    with run_server() as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as admin:
            admin.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        server = make_server(TASKS, database=postgres.url)
        with closing(Fleet(server, postgres, temporal.address, forker)) as fleet:
            yield fleet
            server.stop()


def test_a_log_is_whole_though_server_and_database_were_restarted_while_a_worker_wrote_it(fleet: Fleet) -> None:
    fleet.hand_out()
    server = fleet.server
    run_id = server.run("count")
    server.until(lambda: server.log_texts(run_id))
    server.kill()
    server.start()
    server.until(lambda: len(server.log_texts(run_id)) > LINES // 4)
    fleet.postgres.stop()
    fleet.postgres.start()
    assert server.until_state(run_id)["state"] == "succeeded"
    assert server.log_texts(run_id) == [str(number) for number in range(1, LINES + 1)]


def test_a_run_that_began_on_the_server_goes_on_in_the_same_log_on_a_worker(fleet: Fleet) -> None:
    server = fleet.server
    server.start()
    run_id = server.run("twice")
    server.until(lambda: server.log_texts(run_id) == ["attempt 1"])
    server.until_state(run_id, "pending")
    server.stop()
    fleet.hand_out()
    assert server.until_state(run_id)["state"] == "succeeded"
    assert server.log_texts(run_id) == ["attempt 1", "attempt 2"]
    assert server.log_texts(run_id, "system") == ["attempt 2 of 2"]
