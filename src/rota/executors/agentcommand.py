"""An agent that is a program: it reads the run and its params, works in a folder, and writes what it gives back into a file."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from rota.core.agent.chain import begin
from rota.core.outcome import Outcome
from rota.core.work import Agent
from rota.executors.agenturl import assignment
from rota.executors.base import Context
from rota.executors.command import Command, carry_out, unstartable
from rota.executors.environment import inherited, layered, params_variables, run_variables
from rota.executors.shell import shell_argv
from rota.executors.workplace import OUTPUT_VARIABLE, prepare, read_output, secrets_of

# Standard input is a file, so that a program that does not read it holds nobody up.
FROM_FILE = 'exec "$@" <"$0"'


async def carry_out_command(context: Context, work: Agent, place: Path) -> Outcome:
    """Exit code, stop and time-out count as for any command; the output is what the file named by ROTA_OUTPUT holds.

    place  made for this attempt, and gone after it
    """
    try:
        await asyncio.to_thread(_prepare, place, context, work)
        outcome = await carry_out(context, _command(context, work, place))
        return replace(outcome, output=secrets_of(context).redact_all(await asyncio.to_thread(_read, place / "output")))
    except OSError as error:
        return unstartable(context, f"{error.filename}: {error.strerror}")
    except ValueError as error:
        return Outcome(state="failed", error=str(error))
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def _prepare(place: Path, context: Context, work: Agent) -> None:
    prepare(place, "work")
    (place / "input").write_bytes(msgspec.json.encode(assignment(context.task, context.run, work)) + b"\n")


def _command(context: Context, work: Agent, place: Path) -> Command:
    params = begin(work.variables, context.task.spec.params, context.run.params)
    layers = (
        inherited(os.environ),
        work.env,
        context.secrets,
        params_variables(params),
        run_variables(context.task, context.run, context.artifacts),
        {OUTPUT_VARIABLE: str(place / "output")},
    )
    argv = ["/bin/sh", "-c", FROM_FILE, str(place / "input"), *_argv(work)]
    return Command(argv=argv, env=layered(layers), working_dir=work.working_dir or str(place / "work"))


def _argv(work: Agent) -> Sequence[str]:
    return shell_argv("/bin/sh", work.command) if isinstance(work.command, str) else work.command or []


def _read(path: Path) -> Any:
    """JSON, or else text; None if nothing was written. Raises ValueError for what is too long."""
    data = read_output(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode(errors="replace")
