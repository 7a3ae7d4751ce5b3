"""Work of a project, done as the settings say for it: by a command, or by any other executor."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rota.blobs import Blobs
from rota.config.projects import ProjectSettings
from rota.core.outcome import Outcome
from rota.core.projectrun import inactivity_s
from rota.core.work import Project
from rota.executors.base import Context, Executor, kind_of
from rota.executors.inbox import Inbox
from rota.executors.projectcommand import Assignment, carry_out_command, messages_of
from rota.executors.workplace import Workplaces
from rota.store import artifacts, projectruns, projecttasks
from rota.store.database import Connection, Database
from rota.tools.misfit import find_misfit

# How often it is looked for lines, in the time that may pass without any.
LOOKS = 10


class ProjectExecutor:
    """What does not write a line into its log for an hour (§8.1) is ended, and has done its work.

    settings    of a project, by its number
    executors   the others
    workspaces  where commands work
    """

    kind = "project"
    is_durable = False

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        settings: Callable[[int], ProjectSettings],
        executors: Mapping[str, Executor],
        workspaces: Path,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._settings = settings
        self._executors = executors
        self._workplaces = Workplaces(workspaces)
        self._messages: dict[str, Path] = {}
        self._inbox = Inbox(database)

    def deliver(self, run_id: str, line: bytes) -> bool:
        """Tell the command that works on a run. False if none does."""
        path = self._messages.get(run_id)
        if path is None:
            return False
        with contextlib.suppress(OSError), path.open("ab") as file:
            file.write(line)
            return True
        return False

    def hear(self, run_id: str) -> None:
        """Another machine has something for the command that works on a run."""
        self._inbox.hear(run_id)

    async def execute(self, context: Context) -> Outcome:
        work = context.task.spec.executor
        assert isinstance(work, Project)  # noqa: S101  the runner looked at the kind
        settings = self._settings(work.project_id)
        told = await self._database.read(lambda c: _assignment(c, context, settings))
        if told is None:
            return Outcome(state="failed", error="this is no task of a project", final=True)
        async with _ended_when_inactive(context, inactivity_s(told.run.state, told.task.origin_product)) as watch:
            outcome = await self._carry_out(context, told)
        if watch.has_ended:
            return Outcome(state="succeeded", reason="inactive", output=outcome.output)
        return await asyncio.to_thread(_held_to_schema, outcome, told)

    async def _carry_out(self, context: Context, told: Assignment) -> Outcome:
        work, run_id = told.settings.executor, context.run.id
        if work is None:
            place = await self._workplaces.place_of(run_id)
            self._messages[run_id] = messages_of(place)
            try:
                async with self._inbox.open(run_id, partial(self._take_in, context)):
                    return await carry_out_command(context, told, place, self._blobs)
            finally:
                del self._messages[run_id]
        task = replace(context.task, spec=replace(context.task.spec, executor=work))
        run = replace(context.run, params={**context.run.params, **_params(told)})
        return await self._executors[kind_of(task)].execute(replace(context, task=task, run=run))

    def _take_in(self, context: Context, line: bytes) -> None:
        """From another machine, which leaves it to us to write it into the log."""
        if self.deliver(context.run.id, line):
            context.log.write("entry", line, context.now_ms())


class Watch:
    """`has_ended`: the attempt was asked to end because nothing came of it."""

    has_ended = False


@contextlib.asynccontextmanager
async def _ended_when_inactive(context: Context, limit_s: float) -> AsyncIterator[Watch]:
    watch = Watch()

    async def look() -> None:
        lines, silent_s = context.log.lines_written, 0.0
        while silent_s < limit_s:
            await asyncio.sleep(limit_s / LOOKS)
            is_silent = lines == context.log.lines_written
            lines, silent_s = context.log.lines_written, silent_s + limit_s / LOOKS if is_silent else 0.0
        if not context.stop.is_asked:
            watch.has_ended = True
            context.note(f"nothing came of it for {limit_s:g} s: ended")
            context.stop.ask("stop")

    looking = asyncio.create_task(look())
    try:
        yield watch
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _assignment(c: Connection, context: Context, settings: ProjectSettings) -> Assignment | None:
    about = projecttasks.find_project_task(c, context.task.id)
    run = projectruns.find_project_run(c, context.task.id, context.run.id)
    if about is None or run is None:
        return None
    message = run.told_state.get("pending_user_message")
    prompt = "\n\n".join(part for part in (about.description, message) if isinstance(part, str) and part)
    return Assignment(
        settings=settings, task=about, run=run, attachments=artifacts.list_artifacts(c, run.id), prompt=prompt or about.title
    )


def _params(told: Assignment) -> dict[str, Any]:
    """What other executors are told of a run."""
    return {
        "prompt": told.prompt,
        "title": told.task.title,
        "repository": told.task.repository,
        "branch": told.run.branch,
        "model": told.run.state.get("model"),
        "json_schema": told.task.json_schema,
        "attachments": [{"name": each.name, "type": each.type, "size": each.size} for each in told.attachments],
    }


def _held_to_schema(outcome: Outcome, told: Assignment) -> Outcome:
    """What its worker tells of its own accord was held to the schema then; this is what the work itself gives back."""
    wanted = told.task.json_schema
    if outcome.state != "succeeded" or outcome.output is None or wanted is None:
        return outcome
    problem = find_misfit(wanted, outcome.output)
    return (
        outcome if problem is None else replace(outcome, state="failed", error=f"Output validation error: {problem}", final=True)
    )
