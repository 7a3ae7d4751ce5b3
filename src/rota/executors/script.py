"""A script inside a longer attempt: run as the shell executor runs its own, its output kept as well as logged."""

import asyncio
import os
from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from rota.core.outcome import Outcome
from rota.core.task import Task
from rota.executors.base import Context, RunLog, StopRequest
from rota.executors.command import Command, carry_out
from rota.executors.environment import inherited, layered, run_variables
from rota.executors.shell import shell_argv
from rota.logs import Stream
from rota.tools import Script, ScriptResult

# Of each stream; the log has all of it.
KEPT_BYTES = 64 * 1024


class KeepingLog:
    """A run's log that remembers the end of what goes through it, without the values of secrets."""

    def __init__(self, log: RunLog, secrets: Iterable[str]) -> None:
        self._log = log
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self.kept: dict[Stream, bytes] = {}

    @property
    def overflowed(self) -> bool:
        return self._log.overflowed

    @property
    def disk_pressure(self) -> bool:
        return self._log.disk_pressure

    @property
    def is_drawing(self) -> bool:
        return self._log.is_drawing

    def write(self, stream: Stream, data: bytes, at_ms: int) -> None:
        self.kept[stream] = (self.kept.get(stream, b"") + data)[-KEPT_BYTES:]
        self._log.write(stream, data, at_ms)

    def system(self, text: str, at_ms: int) -> None:
        self._log.system(text, at_ms)

    def text(self, stream: Literal["stdout", "stderr"]) -> str:
        text = self.kept.get(stream, b"").decode(errors="replace")
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


async def run_script(context: Context, script: Script) -> ScriptResult:
    """Whoever cancels this asks the script's processes to stop, and waits until they are gone."""
    log, stop = KeepingLog(context.log, context.secrets.values()), StopRequest()
    stop.hurry = context.stop.hurry
    inner = replace(context, log=log, stop=stop, task=_with_codes(context.task, script), on_delivered=lambda: None)
    work = asyncio.ensure_future(carry_out(inner, _command(context, script)))
    try:
        outcome = await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.ask(context.stop.cause or "timeout")
        await work
        raise
    return ScriptResult(outcome.exit_code, log.text("stdout"), log.text("stderr"), _error(outcome))


def _error(outcome: Outcome) -> str | None:
    return None if outcome.state == "succeeded" else outcome.error or outcome.reason or outcome.state


def _with_codes(task: Task, script: Script) -> Task:
    policy = replace(task.spec.policy, exit_codes=list(script.exit_codes))
    return replace(task, spec=replace(task.spec, policy=policy))


def _command(context: Context, script: Script) -> Command:
    layers = (inherited(os.environ), context.secrets, script.env, run_variables(context.task, context.run, context.artifacts))
    return Command(argv=shell_argv("/bin/sh", script.text), env=layered(layers), working_dir=script.working_dir)
