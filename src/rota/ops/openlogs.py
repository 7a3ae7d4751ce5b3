"""The way to the log of a run for whoever reads it, or adds to it: it is here then, whichever machine has written it."""

from collections.abc import Sequence
from contextlib import suppress

from rota.core.errors import RotaError
from rota.core.run import Run
from rota.core.task import Task
from rota.logs import LogName, LogReader, Stream
from rota.ops.context import Rota


async def open_log(rota: Rota, run: Run, task_name: str) -> LogReader:
    """Raises Conflict where another server has it that cannot be asked, and Unavailable."""
    refused = await rota.bring_logs([(run, task_name)])
    if run.id in refused:
        raise refused[run.id]
    return _reader(rota, run, task_name)


async def open_logs(rota: Rota, wanted: Sequence[tuple[Run, str]]) -> list[LogReader]:
    """Of runs, each with its task's name; one that cannot be had reads as an empty one. Raises Unavailable."""
    await rota.bring_logs(wanted)
    return [_reader(rota, run, task_name) for run, task_name in wanted]


async def open_what_there_is(rota: Rota, run: Run, task_name: str) -> LogReader:
    """Of a log that cannot be had: what is here of it. Raises Unavailable."""
    return (await open_logs(rota, [(run, task_name)]))[0]


async def catch_up(rota: Rota, run: Run, task: Task | str) -> None:
    """The same again for a log that is open: what was written meanwhile, if that can be had. `task`: or its name."""
    with suppress(RotaError):
        await rota.bring_logs([(run, task if isinstance(task, str) else task.name)])


async def append(rota: Rota, run: Run, task: Task, stream: Stream, lines: bytes) -> None:
    """Add whole lines that no process of ours has written; a log that has ended ends again behind them. They are written when
    this returns.

    Raises Conflict where another machine carries the run out, and Unavailable if they are not taken.
    """
    at_ms, limit = int(rota.clock.now().timestamp() * 1000), task.spec.policy.log
    if rota.append_log is not None:
        await rota.append_log(run, task.name, limit, stream, lines, at_ms)
    else:
        name = LogName(task.name, run.created_at, run.id)
        rota.logs.append(name, limit, stream, lines, at_ms, is_over=run.ended_at is not None)
    if rota.growth is not None:
        rota.growth.wake(run.id)


def _reader(rota: Rota, run: Run, task_name: str) -> LogReader:
    return rota.logs.reader(LogName(task_name, run.created_at, run.id))
