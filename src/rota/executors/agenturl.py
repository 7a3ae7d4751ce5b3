"""An agent behind a URL: it is sent the run and its params, and its answer is what the run gives back."""

from typing import Any

import msgspec

from rota.core.agent.chain import begin
from rota.core.outcome import Outcome
from rota.core.request import Request
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Agent
from rota.executors.agentlog import AgentLog
from rota.executors.base import Context
from rota.executors.call import carry_out_call
from rota.outgoing import Outgoing


async def carry_out_url(context: Context, work: Agent, outgoing: Outgoing) -> Outcome:
    headers = {name.lower(): value for name, value in work.headers.items()}
    request = Request(
        method="POST",
        url=work.url or "",
        headers={"content-type": "application/json", "idempotency-key": context.run.id, **headers},
        body=msgspec.json.encode(assignment(context.task, context.run, work)),
    )
    answered = await carry_out_call(context, outgoing, request, log := AgentLog(context))
    if isinstance(answered, Outcome):
        return answered
    if not 200 <= answered.status < 300:
        return Outcome(state="failed", error=f"HTTP status {answered.status}")
    if answered.is_cut:
        return Outcome(state="failed", error="the answer is too long")
    try:
        return Outcome(state="succeeded", output=log.mask_all(msgspec.json.decode(answered.text or "null")))
    except (msgspec.DecodeError, RecursionError):
        return Outcome(state="failed", error="the answer is not JSON")


def assignment(task: Task, run: Run, work: Agent) -> dict[str, Any]:
    """What an agent outside of this process is told."""
    about = {
        "id": run.id,
        "task_id": task.id,
        "task": task.name,
        "attempt": run.attempt,
        "trigger": run.trigger,
        "nominal_at": run.nominal_at,
    }
    return {"run": about, "params": begin(work.variables, task.spec.params, run.params)}
