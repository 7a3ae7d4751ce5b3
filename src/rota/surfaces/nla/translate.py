"""From the words of the core to NLA's."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from rota.core.agent.node import Mcp, Prompt, Return
from rota.core.run import Run
from rota.core.task import Task
from rota.ops.chainruns import ChainRun
from rota.ops.chains import Chain
from rota.surfaces.nla import wire

# Where an id says its version (RFC 9562 §4). Ours are of version 7, which tells when they were made; theirs are of version 4.
VERSION_AT = 14
OURS, THEIRS = "7", "4"
KNOWN = {
    kind.__struct_config__.tag: {"type", *(field.encode_name for field in msgspec.structs.fields(kind))}
    for kind in (Prompt, Mcp, Return)
}


def task_id(run_id: str) -> str:
    """A run's id as a UUID of version 4."""
    return run_id[:VERSION_AT] + THEIRS + run_id[VERSION_AT + 1 :]


def run_id(text: str) -> str:
    """The run that a task's id stands for; no run's, where it is not of that form to the letter."""
    return text[:VERSION_AT] + OURS + text[VERSION_AT + 1 :] if text[VERSION_AT : VERSION_AT + 1] == THEIRS else ""


def task_wire(shown: ChainRun) -> wire.Task:
    run = shown.run
    return wire.Task(
        id=task_id(run.id),
        name=shown.task.spec.title or shown.task.name,
        agent_id=shown.task.name,
        user_id=run.owner_id or "",
        created_at=stamp(run.created_at),
        logs=shown.lines,
        output=run.output if run.state == "succeeded" and isinstance(run.output, dict) else {},
        status=status_of(run),
        callback=shown.callback,
    )


def new_task_wire(run: Run, task: Task, callback: str | None) -> wire.Task:
    return task_wire(ChainRun(run, task, callback, []))


def status_of(run: Run) -> wire.Status:
    """There is no word for waiting here, and one for all ends that are no success."""
    if run.ended_at is None:
        return "running"
    return "complete" if run.state == "succeeded" else "error"


def agent_wire(chain: Chain) -> wire.Agent:
    spec, work = chain.task.spec, chain.work
    return wire.Agent(
        id=spec.name,
        name=spec.title or spec.name,
        description=spec.description or "",
        variables=work.variables,
        fields=chain.fields,
        workflow=[msgspec.to_builtins(node) for node in work.nodes or []],
    )


def known_fields(node: dict[str, Any]) -> dict[str, Any]:
    """A node without what its type does not have; one of no known type as it is."""
    known = KNOWN.get(node.get("type")) if isinstance(node.get("type"), str) else None
    return node if known is None else {name: value for name, value in node.items() if name in known}


def stamp(moment: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
