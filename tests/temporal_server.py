"""Temporal's development server, from the wheel, with its state in a file so that it survives a restart."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.free_port import free_port

PROGRAM = Path(sys.executable).with_name("temporal")
PATIENCE_S = 20.0


class TemporalServer:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "temporal.db"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns when it listens."""
        words = [
            str(PROGRAM), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self._port),
            "--log-level", "never", "--db-filename", str(self._file),
        ]  # fmt: skip
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen([*leash, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert time.monotonic() < give_up and self._process.poll() is None, "Temporal did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Start with nothing next time, as one whose disk was lost. It must not be running."""
        for file in self._file.parent.glob(f"{self._file.name}*"):
            file.unlink()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def run_temporal(folder: Path) -> Iterator[TemporalServer]:
    server = TemporalServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
