"""What every operation is given."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct, field

from rota.blobs import Blobs
from rota.bus import Bus
from rota.clock import Clock, SystemClock
from rota.config import Settings, load
from rota.config.origin import Origin
from rota.core.errors import RotaError, Unavailable
from rota.core.notification import Rules
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.core.schedule import Schedule, compile_schedule
from rota.core.task import Task
from rota.ids import Ids
from rota.logs import Growth, LiveRegion, RunLogs, Stream
from rota.modules.catalogue import Catalogue
from rota.ops.door import Door
from rota.ops.machine import Machine
from rota.outgoing import Guard, Outgoing
from rota.own_log import OwnLog
from rota.store.database import Database
from rota.store.nodes import Node
from rota.tools import Toolbox, build_tools
from rota.vitals import Vitals


async def no_reload() -> dict[str, Any]:
    """Stands where no server runs."""
    raise Unavailable("there is no running server to reload", hint="start it: rota serve")


def nothing_to_halt(_run_id: str) -> None:
    """Stands where no run is carried out."""


def nobody_to_tell(_run_id: str, _line: bytes) -> bool:
    """Stands where no run is carried out."""
    return False


async def all_is_here(_wanted: Sequence[tuple[Run, str]]) -> dict[str, RotaError]:
    """Stands where nobody else writes logs."""
    return {}


# To the log of a run, with its task's name and limit: lines of a stream, with their time in Unix milliseconds. Raises Conflict
# where another machine writes it, and Unavailable.
AppendLog = Callable[[Run, str, LogLimit, Stream, bytes, int], Awaitable[None]]


class VariableFiles(Struct, frozen=True):
    """Where a unit of the settings file takes variables from, as that file says it. What is in them is told nowhere."""

    env_file: str | None = None
    secrets_file: str | None = None


def no_files(_name: str) -> VariableFiles:
    """Of a task that no settings file defines."""
    return VariableFiles()


def default_settings() -> Settings:
    """Where none were read."""
    return load(None, {}).settings


class LogGrowth(Protocol):
    """What the local runner has."""

    def following(self, run_id: str) -> AbstractContextManager[Growth]:
        """For the time of following the log of a run, which need not have begun."""

    def notify(self, run_id: str) -> None:
        """The log of a run has grown, or something else has changed that its followers are to see."""

    def wake(self, run_id: str) -> None:
        """There is more to read of a log that is not written here."""

    def regions(self, run_id: str) -> list[LiveRegion]:
        """What the run draws at this moment, and may still draw over: not in its log yet."""

    def begun_line(self, run_id: str) -> str:
        """What the run has said of a line that has not ended: not in its log yet."""


class Rota(Struct, kw_only=True):
    """The parts behind every surface.

    blobs   the objects of artifacts
    growth  tells followers that a log has grown; None where no run is carried out
    bring_logs  brings here what other machines have written into logs, of runs with their tasks' names; answers, by run, why not
    append_log  adds whole lines to the log of a run that no process of ours writes; None: to the files here
    halt    ends what still works here on a run that is over, or another's by now
    deliver gives a line to what works here on a run; False where that takes none
    rules   who is told of what
    reload  reads the settings again, all or nothing; its answer is told to the asker
    door    lets in who knows the installation's password
    info    facts about this server that anyone with a key may know, beside version and start
    origin  the settings file, as it was read last
    files_of  where the unit of that name takes variables from
    own_log   the server's own log
    machine   how busy it is
    capabilities  what else the machine may have: name -> why it cannot be used at this moment, None if it can
    here      this server as a node; None where none runs
    modules   which modules there are; those that come with Rota, where no settings say more
    tools     what pipelines can call; the built-in ones, but the shell, where no settings say more
    """

    database: Database
    clock: Clock
    ids: Ids
    bus: Bus
    logs: RunLogs
    blobs: Blobs
    vitals: Vitals
    default_timezone: str = "UTC"
    rules: Rules = Rules()
    growth: LogGrowth | None = None
    bring_logs: Callable[[Sequence[tuple[Run, str]]], Awaitable[dict[str, RotaError]]] = all_is_here
    append_log: AppendLog | None = None
    halt: Callable[[str], object] = nothing_to_halt
    deliver: Callable[[str, bytes], bool] = nobody_to_tell
    reload: Callable[[], Awaitable[dict[str, Any]]] = no_reload
    door: Door = field(default_factory=lambda: Door(SystemClock()))
    info: dict[str, Any] = {}
    settings: Settings = field(default_factory=default_settings)
    origin: Origin = field(default_factory=Origin)
    files_of: Callable[[str], VariableFiles] = no_files
    own_log: OwnLog = field(default_factory=lambda: OwnLog(sys.stderr))
    machine: Machine = field(default_factory=Machine)
    capabilities: Mapping[str, Callable[[], Awaitable[str | None]]] = {}
    modules: Catalogue = field(default_factory=Catalogue)
    here: Node | None = None
    tools: Toolbox = field(default_factory=lambda: Toolbox(build_tools(Outgoing(Guard()))))

    def schedule_of(self, task: Task) -> Schedule:
        spec = task.spec
        return compile_schedule(
            spec.schedule, dst=spec.policy.dst, anchor_at=task.anchor_at, default_timezone=self.default_timezone
        )

    def tell_run(self, kind: str, run: Run, task: Task) -> None:
        """Notify whoever watches. A notice carries what is needed to decide who may see it."""
        self.bus.publish(kind, {"run": run, "owner_id": run.owner_id or task.owner_id, "task_id": task.id})

    def tell_task(self, kind: str, task: Task) -> None:
        self.bus.publish(kind, {"task": task, "owner_id": task.owner_id, "task_id": task.id})
