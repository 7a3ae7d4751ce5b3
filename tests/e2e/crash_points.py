"""Named points at which a server kills itself."""

import functools
import inspect
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from rota.engine.dispatcher import Dispatcher
from rota.engine.rescuer import Rescuer
from rota.engine.scheduler import Scheduler
from rota.engine.settler import Settler
from rota.executors.chain import ChainAttempt
from rota.executors.pipeline import Progress
from rota.logs import LogWriter
from rota.ops import events, installation, starts
from rota.runners import LocalRunner, ProcessLedger
from rota.server import reload
from rota.store import fanout, steps

Condition = Callable[..., bool]
End = Callable[[], object]
Trap = Callable[[int], None]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("nobody outlives this")


def freeze() -> None:
    """Goes on only when somebody says so."""
    os.kill(os.getpid(), signal.SIGSTOP)


def before(owner: Any, name: str, when: Condition = lambda *_, **__: True) -> Trap:
    """Dies instead of the nth call whose arguments fit."""

    def set_up(nth: int) -> None:
        work, count = getattr(owner, name), itertools.count(1)

        @functools.wraps(work)
        def call(*args: Any, **rest: Any) -> Any:
            if when(*args, **rest) and next(count) == nth:
                die()
            return work(*args, **rest)

        setattr(owner, name, call)

    return set_up


def after(owner: Any, name: str, when: Condition = lambda *_: True, end: End = die) -> Trap:
    """Dies, or what is given as its end, when the nth call whose result fits has returned, before anybody sees the result."""

    def set_up(nth: int) -> None:
        work, count = getattr(owner, name), itertools.count(1)

        def judge(result: Any) -> Any:
            if when(result) and next(count) == nth:
                end()
            return result

        @functools.wraps(work)
        def call(*args: Any, **rest: Any) -> Any:
            return judge(work(*args, **rest))

        @functools.wraps(work)
        async def call_async(*args: Any, **rest: Any) -> Any:
            return judge(await work(*args, **rest))

        setattr(owner, name, call_async if inspect.iscoroutinefunction(work) else call)

    return set_up


POINTS: dict[str, Trap] = {
    # A slot becomes a run
    "slots fired, not committed": after(Scheduler, "_record"),
    "slots fired, frozen before they are committed": after(Scheduler, "_record", end=freeze),
    "slots committed, not dispatched": after(Scheduler, "tick", lambda tick: tick.counts["runs"] > 0),
    "run asked for, not answered": after(starts, "start_task"),
    # A run becomes a process
    "claimed, not committed": after(Dispatcher, "_dispatch", lambda done: bool(done.claims)),
    "claim committed, not handed to the runner": before(Dispatcher, "_hand_over", lambda _, done: bool(done.claims)),
    "journal line written, not spawned": before(LocalRunner, "_attempt"),
    "spawned, pid not recorded": before(ProcessLedger, "started"),
    "running": after(LogWriter, "write"),
    # A process becomes an outcome
    "process ended, not in the journal": before(ProcessLedger, "finished"),
    "process ended, not settled": after(ProcessLedger, "finished"),
    "settled, not committed": after(Settler, "_settle", lambda done: bool(done.ended)),
    "settlement committed, not acknowledged": before(LocalRunner, "acknowledge", lambda _, finished: bool(finished)),
    "retry decided, not committed": after(Settler, "_settle", lambda done: bool(done.retrying)),
    "retry committed, not acknowledged": before(LocalRunner, "acknowledge", lambda _, finished: bool(finished)),
    "instance ended, not committed": after(Settler, "_follow_service"),
    # A stop
    "cancel requested, not delivered": before(LocalRunner, "ask_stop"),
    "cancel delivered, not dead": after(LocalRunner, "_deliver"),
    # A pipeline
    "step done, not written": before(steps, "insert_step"),
    "step written, next not begun": after(Progress, "finish", lambda _: True),
    # An agent
    "node written, next not begun": after(ChainAttempt, "_finish", lambda _: True),
    # An event, and a reload
    "event stored, not committed": after(fanout, "publish", bool),
    "event committed with its runs, not dispatched": after(events, "publish_event"),
    "reload written, not committed": after(installation, "_apply_all", lambda result: bool(result[0].added)),
    "reload committed, not told": after(reload, "apply_file_tasks", lambda applied: bool(applied.added)),
    # A repair after a crash
    "survivors ended, not settled": before(Rescuer, "_release"),
    "survivors settled, journal not cleared": before(ProcessLedger, "ended"),
}
