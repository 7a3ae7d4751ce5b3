"""A project's command: a folder of its own with repository and attachments, the prompt on stdin, its output in a file."""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.blobs import Blobs
from rota.config.projects import ProjectSettings
from rota.core.artifact import Artifact, clip_name
from rota.core.errors import RotaError
from rota.core.outcome import Outcome
from rota.core.projectrun import ProjectRun
from rota.core.projecttask import ProjectTask
from rota.executors.base import Context
from rota.executors.command import Command, carry_out, unstartable
from rota.executors.environment import inherited, layered, run_variables
from rota.executors.shell import shell_argv
from rota.executors.workplace import OUTPUT_VARIABLE, prepare, read_output, secrets_of

REPOSITORY = "{repository}"
# Words of a user stand in variables and never in the script, so that none of them is read as one.
CLONE = (
    'git clone --quiet ${{ROTA_BRANCH:+--branch "$ROTA_BRANCH"}} -- "{url}" "$ROTA_WORKSPACE/repository"\n'
    'cd "$ROTA_WORKSPACE/repository"\n'
)
# What organizations and repositories are called. It stands in a path or an address, so nothing in it leads out of there.
PLAIN = re.compile(r"(?!\.{1,2}$)[\w.~+-]+")
# Standard input is a file, so that a command that does not read it holds nobody up.
RUN = 'exec "$@" <"$ROTA_PROMPT"'


class Assignment(Struct, frozen=True, kw_only=True):
    """What a run is to do. `prompt` is what the agent is told."""

    settings: ProjectSettings
    task: ProjectTask
    run: ProjectRun
    attachments: Sequence[Artifact]
    prompt: str


async def carry_out_command(context: Context, told: Assignment, place: Path, blobs: Blobs) -> Outcome:
    """Exit code, stop and time-out count as for any command; the output is what the file named by ROTA_OUTPUT holds.

    place  made for this attempt, and gone after it
    """
    try:
        await asyncio.to_thread(_prepare, place, told)
        for attachment in told.attachments:
            await _fetch(blobs, attachment, place / "attachments")
        outcome = await carry_out(context, _command(context, told, place))
        return replace(outcome, output=secrets_of(context).redact_all(await asyncio.to_thread(_read, place / "output.json")))
    except OSError as error:
        return unstartable(context, f"{Path(str(error.filename)).name}: {error.strerror}")
    except RotaError as error:
        return unstartable(context, f"an attachment could not be fetched: {error.message}")
    except ValueError as error:
        return Outcome(state="failed", error=str(error), final=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def messages_of(place: Path) -> Path:
    """Where the command finds what it is told while it works, a JSON object a line."""
    return place / "messages.jsonl"


def _prepare(place: Path, told: Assignment) -> None:
    prepare(place, "work", "attachments")
    (place / "prompt").write_text(told.prompt, encoding="utf-8", errors="replace")
    messages_of(place).touch()
    if told.task.json_schema is not None:
        (place / "schema.json").write_bytes(msgspec.json.encode(told.task.json_schema))


async def _fetch(blobs: Blobs, attachment: Artifact, folder: Path) -> None:
    """Two of one name are told apart by their ids."""
    place = folder / clip_name(attachment.name)
    if await asyncio.to_thread(place.exists):
        place = folder / clip_name(f"{attachment.id}-{attachment.name}")
    content = await blobs.get(attachment.key)
    with await asyncio.to_thread(place.open, "wb") as file:
        async for piece in content.pieces:
            await asyncio.to_thread(file.write, piece)


def _command(context: Context, told: Assignment, place: Path) -> Command:
    settings = told.settings
    script = _clone(settings.clone, told.task.repository) + RUN
    layers = (
        inherited(os.environ),
        context.secrets,
        run_variables(context.task, context.run, context.artifacts),
        {
            "ROTA_WORKSPACE": str(place / "work"),
            "ROTA_PROMPT": str(place / "prompt"),
            OUTPUT_VARIABLE: str(place / "output.json"),
            "ROTA_MESSAGES": str(messages_of(place)),
            "ROTA_ATTACHMENTS": str(place / "attachments"),
            "ROTA_SCHEMA": str(place / "schema.json") if told.task.json_schema is not None else "",
            "ROTA_REPOSITORY": told.task.repository or "",
            "ROTA_BRANCH": told.run.branch or "",
            "ROTA_MODEL": _word(told.run.state.get("model")),
        },
    )
    argv = [*shell_argv("/bin/sh", script), "sh", *shell_argv("/bin/sh", settings.command or "")]
    return Command(argv=argv, env=layered(layers), working_dir=str(place / "work"))


def _word(told: Any) -> str:
    """What a worker may have put into the state, as a variable can hold it."""
    return told.replace("\0", "") if isinstance(told, str) else ""


def _clone(url: str | None, repository: str | None) -> str:
    """Raises ValueError for a repository that would lead elsewhere than the operator said."""
    if url is None or not repository:
        return ""
    if not all(PLAIN.fullmatch(part) for part in repository.split("/")):
        raise ValueError(f"the repository {repository} is none that can be cloned")
    return CLONE.format(url=url.replace(REPOSITORY, "$ROTA_REPOSITORY"))


def _read(path: Path) -> Any:
    """None if nothing was written. Raises ValueError for what is too long, or no JSON."""
    data = read_output(path)
    try:
        return None if data is None else msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("what it wrote to ROTA_OUTPUT is not JSON") from None
