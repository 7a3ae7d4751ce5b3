"""`rota worker` as a process, which can be killed and frozen."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.forker import ForkedServer, Forker
from tests.e2e.separate_network import SeparateNetwork
from tests.e2e.server_process import PATIENCE_S, ServerProcess, until


class WorkerProcess:
    """Of the fleet of a server, whose settings file, database and environment it has; with a data directory of its own."""

    def __init__(
        self, forker: Forker, server: ServerProcess, name: str, *words: str, network: SeparateNetwork | None = None
    ) -> None:
        self._forker = forker
        self._server = server
        self._words = words
        self.folder = server.folder / name
        self.folder.mkdir()
        self._out, self._err = self.folder / "out", self.folder / "err"
        self._process: ForkedServer | subprocess.Popen[bytes] | None = None
        self._network = network
        # Of its own, where it has not the server's.
        self.config: Path | None = None

    def start(self) -> None:
        """Returns when it takes work."""
        self.launch()
        until(lambda: self.has_greeted or not self.is_alive, self.own_log)
        assert self.is_alive, self.own_log()

    def launch(self, crash_at: str | None = None, nth: int = 1) -> None:
        """Start it, whatever becomes of it. With `crash_at` it dies at the nth moment of that name."""
        assert not self.is_alive
        self._out.write_bytes(b"")
        own = {str(self._server.data): str(self.data), str(self._server.config): str(self.config or self._server.config)}
        place = [own.get(word, word) for word in self._server.place]
        environ = self._server.environ | {"WORKER": self.folder.name}
        words = ["worker", *place, *self._words]
        if self._network is not None:
            self._process = self._start_apart(self._network, words, environ)
            return
        self._process = self._forker.fork(
            words=words, environ=environ, folder=str(self._server.folder), out=str(self._out),
            err=str(self._err), crash_at=crash_at, nth=nth,
        )  # fmt: skip

    def _start_apart(self, network: SeparateNetwork, words: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        """Who was loaded before is in our network, and cannot leave it."""
        command = network.inside([sys.executable, "-m", "rota", *words])
        with self._out.open("wb") as out, self._err.open("ab") as err:
            return subprocess.Popen(command, env=environ, cwd=self._server.folder, stdout=out, stderr=err)

    @property
    def has_greeted(self) -> bool:
        """Whether it takes work, or did before it died."""
        return self._out.exists() and "rota worker" in self._out.read_text()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self.code is None

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended by itself."""
        return self._process.poll() if self._process else None

    def own_log(self) -> str:
        return self._err.read_text() if self._err.exists() else ""

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._wait()

    def kill_with_keeper(self) -> None:
        """And the process beside it, which would end its children, before either can look after the other."""
        assert self._process is not None
        self.freeze()
        pid = self._process.pid
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            if b"runners/keeper.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        self.kill()

    def end(self) -> int | None:
        """Its exit code; None for one that does not run."""
        if not self.is_alive:
            return None
        self.thaw()
        self._signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker goes on\n{self.own_log()}") from None
        finally:
            self._process = None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
