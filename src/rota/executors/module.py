"""Works on modules: in a process of the pool, one run at a time."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from rota.core.module import Definition, with_defaults
from rota.core.outcome import Outcome
from rota.core.run import Run
from rota.core.work import Module
from rota.executors.base import Context
from rota.executors.command import stopped_unstarted, unstartable
from rota.executors.environment import run_variables
from rota.executors.moduleattempt import Attempt
from rota.modules.catalogue import Catalogue, Known
from rota.modules.pool import OWN_REALM, USER_REALM, Pool
from rota.modules.process import WorkerProcess
from rota.modules.protocol import Start
from rota.store import modulestate
from rota.store.database import Database

# What an event brings beside params, where the module has no parameter of that name.
EVENT = "event"
# A wait that is shorter is not worth a line of the log.
NOTED_AFTER_S = 1.0
WAITS = "waits until another run of a module has ended: all workers are busy"


class ModuleExecutor:
    """A Python function in a warm process. What it does to that process is its own trouble, and no other run's."""

    kind = "module"
    is_durable = False

    def __init__(self, catalogue: Catalogue, pool: Pool, database: Database) -> None:
        self._catalogue = catalogue
        self._pool = pool
        self._database = database

    async def execute(self, context: Context) -> Outcome:
        work = context.task.spec.executor
        assert isinstance(work, Module)  # noqa: S101  the runner looked at the kind
        return await self.carry_out(context, work.module, {**work.params, **context.run.params}, context.run.id)

    async def carry_out(self, context: Context, name: str, params: Mapping[str, Any], key: str) -> Outcome:
        """Call a module as a part of a run. `key` is the same for each repetition of this call."""
        known = self._catalogue.find_known(name)
        if known is None:
            return _refused(context, self._catalogue.explain_unknown(name))
        values, event = _without_event(known.definition, params)
        problems = self._catalogue.check(name, values)
        if problems:
            return _refused(context, "; ".join(f"{problem.location} {problem.message}" for problem in problems))
        start = _start(context, known, with_defaults(known.definition, values), event, key)
        return await self._work_on(context, known, start)

    async def save_state(self, run: Run, state: dict[str, Any], at: datetime) -> None:
        """Of a module whose run goes on."""
        await self._database.write(lambda c: modulestate.save_state(c, run.id, run.fence, state, at))

    async def _work_on(self, context: Context, known: Known, start: Start) -> Outcome:
        try:
            with context.limit.paused():
                worker = await self._take(context, OWN_REALM if known.given else USER_REALM)
        except OSError as error:
            return unstartable(context, f"no process for modules could be started: {error.strerror or error}")
        if worker is None:
            return stopped_unstarted(context.stop.cause or "stop")
        attempt = Attempt(context, worker, start, _secrets(known.definition, start.params), self._database)
        try:
            return await attempt.outcome()
        finally:
            self._pool.give_back(worker, is_clean=attempt.is_clean)

    async def _take(self, context: Context, realm: str) -> WorkerProcess | None:
        """None if the run is to stop before there is one."""
        while not context.stop.is_asked:
            worker = await self._pool.find(realm) or await self._wait_for_one(context, realm)
            if worker and worker.is_usable:
                return worker
            if worker:  # it died on its way here
                self._pool.give_back(worker, is_clean=False)
        return None

    async def _wait_for_one(self, context: Context, realm: str) -> WorkerProcess | None:
        """None if the run is to stop, or is to look again."""
        place = self._pool.queue(realm)
        context.stop.watch(place.cancel)
        noted = asyncio.get_running_loop().call_later(NOTED_AFTER_S, context.note, WAITS)
        try:
            return await place
        except asyncio.CancelledError:
            self._pool.leave(place)
            task = asyncio.current_task()
            if context.stop.is_asked and task and not task.cancelling():
                return None
            raise
        finally:
            noted.cancel()


def _refused(context: Context, error: str) -> Outcome:
    """No retry can help."""
    context.note(f"not started: {error}")
    return Outcome(state="failed", error=error, final=True)


def _without_event(definition: Definition, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    values = dict(params)
    event = values.pop(EVENT, None) if EVENT not in definition.parameters else None
    return values, event if isinstance(event, dict) else None


def _start(context: Context, known: Known, params: dict[str, Any], event: dict[str, Any] | None, key: str) -> Start:
    task, run = context.task, context.run
    return Start(
        source=known.source,
        module=known.definition.name,
        params=params,
        run_id=run.id,
        task=task.name,
        attempt=run.attempt,
        key=key,
        env={**context.secrets, **run_variables(task, run, context.artifacts)},
        event=event,
        given=dict(known.given),
    )


def _secrets(definition: Definition, params: Mapping[str, Any]) -> list[str]:
    """Values that its log must not show."""
    given = [params[name] for name in definition.secret_names if params.get(name)]
    return [text for value in given for text in (value, msgspec.json.encode(value).decode()[1:-1])]
