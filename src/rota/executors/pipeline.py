"""Carries pipelines out, step by step; what is finished is written down and not done again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from rota.core.outcome import Outcome, StopCause
from rota.core.pipeline.account import Checkpoint, Fault, account, context_of, find_change
from rota.core.pipeline.condition import BadCondition, holds
from rota.core.pipeline.language import Step, step_id
from rota.core.pipeline.template import BadTemplate, render
from rota.core.retry import delay_s
from rota.core.work import Pipeline
from rota.executors.base import Context
from rota.executors.command import WHY
from rota.executors.durable import DurableAttempt
from rota.executors.module import ModuleExecutor
from rota.executors.modulecall import call_module
from rota.executors.script import run_script
from rota.executors.stopping import Overdue, Stopped
from rota.store import steps
from rota.store.database import Database
from rota.tools import Call, Platform, Script, ScriptResult, Toolbox, ToolFault

MOST_OUTPUT_BYTES = 8 * 1024 * 1024
STOPPED: dict[StopCause, str] = {"cancel": "Canceled", "timeout": "TimedOut"}


class PipelineExecutor:
    """Durable: each finished step is a row, conditional on the run's fence, before the next one begins.

    observe  hears how many seconds each finished step took
    """

    kind = "pipeline"
    is_durable = True

    def __init__(
        self,
        database: Database,
        toolbox: Toolbox,
        platform: Platform,
        modules: ModuleExecutor,
        draw: Callable[[], float] = random.random,
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._toolbox = toolbox
        self._platform = platform
        self._modules = modules
        self._draw = draw
        self._observe = observe

    async def execute(self, context: Context) -> Outcome:
        done = await self._database.read(lambda c: steps.list_steps(c, context.run.id))
        progress = Progress(
            context, done, self._database, self._toolbox, self._platform, self._modules, self._draw, self._observe
        )  # fmt: skip
        return await progress.outcome()


class Progress:
    """One attempt: `done` are the steps that this run has finished, in this attempt or before."""

    def __init__(
        self,
        context: Context,
        done: list[Checkpoint],
        database: Database,
        toolbox: Toolbox,
        platform: Platform,
        modules: ModuleExecutor,
        draw: Callable[[], float],
        observe: Callable[[float], None],
    ) -> None:
        work = context.task.spec.executor
        assert isinstance(work, Pipeline)  # noqa: S101  the runner looked at the kind
        self._context = context
        self._work = work
        self._done = done
        self._attempt = DurableAttempt(context, database, done)
        self._toolbox = toolbox
        self._platform = platform
        self._modules = modules
        self._draw = draw
        self._observe = observe
        began_at = context.run.started_at or datetime.fromtimestamp(context.now_ms() / 1000, UTC)
        self._began_ms = began_at.timestamp() * 1000
        self._seen = context_of(context.task, context.run, work.params, began_at)

    async def outcome(self) -> Outcome:
        steps_ = self._work.steps
        changed = find_change(steps_, self._done)
        if changed:
            return self._failed(len(self._done) - 1, ToolFault(changed, "PipelineChanged"))
        self._replay()
        for index in range(len(self._done), len(steps_)):
            try:
                await self._carry_out(index, steps_[index])
            except Stopped:
                return self._stopped(index)
            except ToolFault as fault:
                return self._failed(index, fault)
        return Outcome(state="succeeded", output=account(self._seen, steps_, self._done, self._duration_s()))

    def _replay(self) -> None:
        for each, step in zip(self._done, self._work.steps, strict=False):
            self._save(step, each)
        if self._done:
            self._context.note(
                f"goes on behind {self._done[-1].name}: {len(self._done)} of {len(self._work.steps)} steps are done"
            )

    async def _carry_out(self, index: int, step: Step) -> None:
        """One step to its checkpoint. Raises Stopped and ToolFault."""
        self._attempt.check_stop()
        name, total = step_id(step, index), len(self._work.steps)
        if not self._runs(step):
            self._context.note(f"step {index + 1} of {total}, {name}: skipped, its condition does not hold")
            await self.finish(step, index, "skipped", None)
            return
        self._context.note(f"step {index + 1} of {total}, {name}: {step.uses}")
        loop = asyncio.get_running_loop()
        start = loop.time()
        output = await self._persistently(step, index)
        await self.finish(step, index, "done", output)
        self._observe(took_s := loop.time() - start)
        self._context.note(f"step {name}: done in {took_s:.3f} s")

    def _runs(self, step: Step) -> bool:
        try:
            return step.if_ is None or holds(step.if_, self._seen)
        except BadCondition as error:
            raise ToolFault(str(error), "ConditionError") from None

    async def _persistently(self, step: Step, index: int) -> Any:
        """The step's output, after as many calls as it may take."""
        policy, calls = self._context.task.spec.policy, 0
        while True:
            calls += 1
            try:
                return await self._call(step, index)
            except ToolFault as fault:
                if fault.is_final or calls > step.max_retries:
                    raise
                wait_s = delay_s(policy.retry, calls, self._draw())
                self._context.note(f"{fault.message}; retry {calls} of {step.max_retries} in {wait_s:.3g} s")
                await self._attempt.pause(wait_s)

    async def _call(self, step: Step, index: int) -> Any:
        tool = self._toolbox.get(step.uses, self._work)
        try:
            arguments = render(step.with_, self._seen, typed=self._work.options.typed_templates)
        except BadTemplate as error:
            text = f"Step '{step_id(step, index)}' template rendering failed: {error}"
            raise ToolFault(text, "TemplateRenderError") from None
        limit_s = tool.limit_s(step.timeout_seconds, arguments)
        call = self._make_call(step, index, arguments, limit_s)
        return _plain(await self._within(self._toolbox.call(tool, call), limit_s))

    def _make_call(self, step: Step, index: int, arguments: Any, limit_s: float) -> Call:
        context = self._context
        return Call(
            tool=step.uses,
            arguments=arguments,
            key=(key := f"{context.run.id}.{index}"),
            timeout_s=limit_s,
            task=context.task,
            run=context.run,
            now=self._seen["now"],
            platform=self._platform,
            note=context.note,
            waiting=context.waiting,
            stop_cause=lambda: context.stop.cause,
            run_script=self._run_script,
            run_module=partial(call_module, self._modules, context, key),
        )

    async def _run_script(self, script: Script) -> ScriptResult:
        return await run_script(self._context, script)

    async def _within(self, work: Awaitable[Any], limit_s: float) -> Any:
        try:
            return await self._attempt.within(work, limit_s)
        except Overdue:
            raise ToolFault(f"no answer within {limit_s:g} s", "ToolTimeout") from None

    async def finish(self, step: Step, index: int, status: Any, output: Any) -> None:
        at = self._attempt.now()
        done = Checkpoint(position=index, name=step_id(step, index), status=status, ended_at=at, output=output)
        await self._attempt.keep(done)
        self._save(step, done)

    def _save(self, step: Step, done: Checkpoint) -> None:
        if step.save_as and done.status == "done":
            self._seen["steps"][step.save_as] = done.output

    def _failed(self, index: int, fault: ToolFault) -> Outcome:
        name = self._name(index)
        self._context.note(f"step {name}: {fault.kind}: {fault.message}")
        output = self._account(index, fault.message, fault.kind)
        return Outcome(state="failed", error=fault.message, output=output, final=fault.is_final)

    def _stopped(self, index: int) -> Outcome:
        cause = self._context.stop.cause or "stop"
        account_ = self._account(index, WHY[cause], STOPPED.get(cause, "Stopped"))
        return self._attempt.stopped(f"step {self._name(index)}", account_)

    def _account(self, index: int, error: str, error_type: str) -> dict[str, Any]:
        fault = Fault(position=index, name=self._name(index), error=error, error_type=error_type)
        return account(self._seen, self._work.steps, self._done, self._duration_s(), fault)

    def _name(self, index: int) -> str:
        return step_id(self._work.steps[index], index) if 0 <= index < len(self._work.steps) else str(index)

    def _duration_s(self) -> float:
        return max(0.0, (self._context.now_ms() - self._began_ms) / 1000)


def _plain(output: Any) -> Any:
    """The output as it will be read again after a crash. Raises ToolFault for what is no JSON."""
    try:
        text = msgspec.json.encode(output)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ToolFault(f"its output is not JSON: {error}", "OutputValidationError") from None
    if len(text) > MOST_OUTPUT_BYTES:
        raise ToolFault(f"its output is larger than {MOST_OUTPUT_BYTES} bytes", "OutputValidationError")
    return msgspec.json.decode(text)
