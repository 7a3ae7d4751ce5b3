"""A data directory of its own for every test, and the command line called in this process."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import msgspec
import pytest
from click.testing import CliRunner, Result

from rota.cli import root
from rota.cli.place import Place
from rota.cli.storage import ask, open_rota
from rota.core.actor import OPERATOR
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.core.states import ENDED, State
from rota.core.task import Task
from rota.http.listeners import Listeners
from rota.logs import LogName
from rota.ops.context import Rota
from rota.ops.documents import TaskBody
from rota.ops.tasks import create_task
from rota.ops.users import get_user
from rota.store.runs import NewRun, insert_runs
from rota.surfaces import CONTROL, mounted

Call = Callable[..., Result]
T = TypeVar("T")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, without settings from outside."""
    for name in ("ROTA_DATA", "ROTA_CONFIG", "ROTA_DATABASE", "ROTA_LISTEN", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call() -> Call:
    """`call("tasks", "--json")` runs `rota tasks --json`."""

    def call(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(root, list(words), input=stdin, prog_name="rota", catch_exceptions=False)

    return call


@pytest.fixture
def told(call: Call) -> Callable[..., Any]:
    """The decoded stdout of a command that must succeed."""

    def told(*words: str, stdin: str | None = None) -> Any:
        result = call(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return told


class World:
    """The stored data of the data directory, filled by hand as a server would fill it."""

    def __init__(self) -> None:
        self._place = Place()

    def ask(self, question: Callable[[Rota], Awaitable[T]]) -> T:
        """Run one op on the stored data."""
        return ask(self._place, question)

    def task(self, name: str, *, owner: str | None = None, **document: Any) -> Task:
        """A task, the operator's own unless `owner` names a user."""
        spec = msgspec.convert({"name": name, "executor": {"kind": "shell", "script": "true"}, **document}, TaskBody)
        return self.ask(lambda rota: self._create(rota, owner, spec))

    def run(self, task: Task, state: State = "succeeded", *, exit_code: int | None = 0, text: str = "") -> Run:
        """A run that has ended, or one that is running, with its log."""
        with open_rota(self._place, create=True) as rota:
            now = rota.clock.now()
            new = NewRun.of(task, rota.ids.new(), "schedule", now)
            ended_at = now if state in ENDED else None
            changed = {"state": state, "attempt": 1, "started_at": now, "ended_at": ended_at, "exit_code": exit_code}
            run = msgspec.structs.replace(new.run, **changed)
            rota.database.run(lambda c: insert_runs(c, [msgspec.structs.replace(new, run=run)]))
            self._write_log(rota, task, run, text)
        return run

    @staticmethod
    async def _create(rota: Rota, owner: str | None, spec: TaskBody) -> Task:
        actor = OPERATOR
        if owner is not None:
            user = await rota.database.read(lambda c: get_user(c, owner))
            actor = msgspec.structs.replace(user.actor, rights=frozenset({"task.shell"}))
        return await create_task(rota, actor, spec)

    @staticmethod
    def _write_log(rota: Rota, task: Task, run: Run, text: str) -> None:
        writer = rota.logs.writer(LogName(task.name, run.created_at, run.id), LogLimit())
        for line in text.splitlines(keepends=True):
            writer.write("stderr" if line.startswith("!") else "stdout", line.encode(), 0)
        writer.finalize(0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server(request: pytest.FixtureRequest, home: Path) -> Iterator[Path]:
    """The control socket of the data directory, served in another thread. Nothing carries runs out."""
    ready, loops = Event(), list[asyncio.AbstractEventLoop]()
    path = home / ".rota" / "rota.sock"

    async def serve() -> None:
        stop = asyncio.Event()
        with open_rota(Place(), create=True) as rota:
            listeners = Listeners()
            rota.door = getattr(request, "param", rota.door)
            listeners.listen_unix(path, mounted(rota, CONTROL))
            await listeners.start()
            loops.append(asyncio.get_running_loop())
            stops.append(stop)
            ready.set()
            await stop.wait()
            await listeners.stop()

    stops = list[asyncio.Event]()
    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield path
    loops[0].call_soon_threadsafe(stops[0].set)
    thread.join()
