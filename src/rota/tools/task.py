"""`task.run`: starts another task, of whatever kind, and waits for its end."""

import asyncio
from typing import Any

from rota.core.run import Run
from rota.core.states import SUCCESSES
from rota.tools.base import Call, Tool, ToolFault

INPUT = {
    "type": "object",
    "required": ["task"],
    "additionalProperties": False,
    "properties": {
        "task": {"type": "string", "minLength": 1},
        "params": {"type": "object"},
        "wait": {"enum": [True, False, "true", "false"]},
        "timeout_seconds": {
            "oneOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?$"}]
        },
    },
}
OUTPUT = {"type": "object", "required": ["run_id", "state", "exit_code", "output"]}


async def _run(call: Call) -> Any:
    given, owner_id = call.arguments, call.task.owner_id
    run = await call.platform.start_task(call.run, owner_id, given["task"], given.get("params", {}), call.key)
    call.note(f"started run {run.id} of {given['task']}")
    if given.get("wait", True) in (True, "true"):
        run = await _end_of(call, run.id)
        if run.state not in SUCCESSES:
            raise ToolFault(f"run {run.id} of {given['task']} {run.state}{f': {run.error}' if run.error else ''}")
    return {"run_id": run.id, "state": run.state, "exit_code": run.exit_code, "output": run.output}


async def _end_of(call: Call, run_id: str) -> Run:
    try:
        with call.waiting():
            return await call.platform.wait_run(call.task.owner_id, run_id)
    except asyncio.CancelledError:
        # Who stops the whole stops its parts. After a time-out it goes on: a retry finds it by its key and waits again.
        if call.stop_cause() not in (None, "shutdown"):
            await call.platform.stop_run(call.task.owner_id, run_id)
        raise


RUN = Tool(
    name="task.run",
    description="Starts a task by its name or id, and waits for its end unless `wait` is false. Only success is success.",
    call=_run,
    input_schema=INPUT,
    output_schema=OUTPUT,
    timeout_s=3600.0,
    timeout_field="timeout_seconds",
)
