"""Calls a URL and judges the answer."""

from typing import Any

from rota.core.outcome import Outcome
from rota.core.pipeline.account import context_of
from rota.core.pipeline.template import BadTemplate
from rota.core.request import is_expected, request_of
from rota.core.work import Http
from rota.executors.agentlog import AgentLog
from rota.executors.base import Context
from rota.executors.call import carry_out_call
from rota.executors.stopping import StoppableAttempt
from rota.outgoing import Outgoing


class HttpExecutor:
    """The call carries the run's id as its idempotency key: all attempts are one request."""

    kind = "http"
    is_durable = False

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def execute(self, context: Context) -> Outcome:
        work, run = context.task.spec.executor, context.run
        assert isinstance(work, Http)  # noqa: S101  the runner looked at the kind
        log = AgentLog(context)
        began_at = run.started_at or StoppableAttempt(context).now()
        seen = context_of(context.task, run, context.task.spec.params, began_at)
        try:
            request = request_of(work, {**seen, "secrets": dict(context.secrets)}, run.id)
        except BadTemplate as error:
            reason = log.mask(str(error))
            log.note(reason)
            return Outcome(state="failed", error=reason, final=True)
        answered = await carry_out_call(context, self._outgoing, request, log)
        if isinstance(answered, Outcome):
            return answered
        output: dict[str, Any] = {"status": answered.status, "headers": answered.headers, "body": answered.text}
        if answered.is_cut:
            output["truncated"] = True
        if is_expected(work, answered.status):
            return Outcome(state="succeeded", output=output)
        return Outcome(state="failed", error=f"HTTP status {answered.status}", output=output)
