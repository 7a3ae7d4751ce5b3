"""From the words of the core to those of the wire."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, cast, get_args

import msgspec
from msgspec import Raw, Struct

from rota.bus import Notice
from rota.core import run as core_run
from rota.core import slot as core_slot
from rota.core import task as core_task
from rota.core.delivery import MAIL, Delivery, DeliveryAttempt
from rota.core.errors import Invalid, Problem
from rota.core.pipeline.account import Checkpoint, total_usage
from rota.core.policy import Policy
from rota.core.schedule import Planned
from rota.core.states import State
from rota.http.reply import encode
from rota.modules.catalogue import Catalogue
from rota.ops import reading
from rota.ops.events import Published
from rota.ops.modules import hide_secrets
from rota.ops.slots import SlotAnswer
from rota.surfaces.native import wire

STATES: tuple[State, ...] = get_args(State)


def task_wire(task: core_task.Task, modules: Catalogue) -> wire.Task:
    """The secrets of its module are hidden."""
    spec = hide_secrets(modules, task.spec)
    return wire.Task(
        id=task.id,
        name=spec.name,
        title=spec.title,
        description=spec.description,
        group=spec.group,
        executor=spec.executor,
        schedule=spec.schedule,
        policy=_policy(spec.policy),
        params=spec.params,
        inputs=spec.inputs,
        labels=list(spec.labels),
        runs_on=list(spec.runs_on),
        service=spec.service,
        run_on_start=spec.run_on_start,
        api_trigger=spec.api_trigger,
        shared=spec.shared,
        notify=spec.notify,
        source=task.source,
        status=task.status,
        owner_id=task.owner_id,
        version=task.version,
        created_at=task.created_at,
        updated_at=task.updated_at,
        next_at=task.next_at,
    )


def _policy(policy: Policy) -> Policy:
    """Shown whole: what was left to the defaults holds as well."""
    return cast("Policy", _whole_json(encode(policy)))


@lru_cache(maxsize=4096)
def _whole_json(short: bytes) -> Raw:
    """Most tasks share a few policies, and writing one out costs more than all else of a task."""
    return Raw(encode(_whole(msgspec.json.decode(short, type=Policy))))


def _whole(value: Any) -> Any:
    if not isinstance(value, Struct):
        return value
    return {name: _whole(getattr(value, name)) for name in value.__struct_fields__}


def steps_wire(steps: list[Checkpoint]) -> wire.StepList:
    return wire.StepList(steps, total_usage(steps))


def run_wire(run: core_run.Run, modules: Catalogue) -> wire.Run:
    """What is a secret of some module is hidden, whatever the task."""
    return wire.Run(
        id=run.id,
        task_id=run.task_id,
        state=run.state,
        trigger=run.trigger,
        nominal_at=run.nominal_at,
        created_at=run.created_at,
        due_at=run.due_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        attempt=run.attempt,
        exit_code=run.exit_code,
        output=run.output,
        error=run.error,
        reason=run.reason,
        params=modules.hide(run.params) if run.params else run.params,
        priority=run.priority,
        instance=run.instance,
        cause_run_id=run.cause_run_id,
        depth=run.depth,
        progress=run.progress,
    )


def slot_wire(slot: core_slot.Slot | SlotAnswer) -> wire.Slot:
    return wire.Slot(slot.nominal_at, slot.outcome, slot.run_id, slot.reason)


def next_wire(planned: Planned) -> wire.Next:
    return wire.Next(planned.at, planned.local, planned.note)


def event_wire(published: Published) -> wire.Event:
    event, started = published.event, [run.id for run in published.started]
    return wire.Event(id=event.id, topic=event.topic, at=event.at, started=started, started_total=published.total)


def notice_data(notice: Notice, modules: Catalogue) -> dict[str, Any]:
    """The task or run a notice is about, as a list would show it."""
    data: dict[str, Any] = {}
    for name, value in notice.data.items():
        match value:
            case core_run.Run():
                data[name] = run_wire(value, modules)
            case core_task.Task():
                data[name] = task_wire(value, modules)
            case _:
                data[name] = value
    return data


def delivery_wire(delivery: Delivery, tries: list[DeliveryAttempt] | None = None) -> wire.Delivery:
    """Without body and address: they may hold what only the receiver is to know. What a task sends is shown, for there may be
    nobody to send it.
    """
    return wire.Delivery(
        id=delivery.id,
        target=delivery.target,
        status=delivery.status,
        attempts=delivery.attempts,
        created_at=delivery.created_at,
        due_at=delivery.due_at,
        run_id=delivery.run_id,
        ended_at=delivery.ended_at,
        error=delivery.error,
        tries=tries,
        mail=None if tries is None or MAIL not in delivery.address else _mail(delivery),
    )


def _mail(delivery: Delivery) -> wire.Mail:
    said = (delivery.body or {}).get(MAIL, {})
    return wire.Mail(to=delivery.address[MAIL], subject=said.get("headline"), text=said.get("text"))


def read_states(text: str | None) -> list[State] | None:
    """`running,failed` as states. Raises Invalid at `query.state`."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in STATES]
    if unknown:
        message = f"{unknown[0][:100]!r} is not a state; {reading.nearest(unknown[0], list(STATES))}"
        raise Invalid(f"query.state: {message}", [Problem("query.state", message, reading.shown(text))])
    return cast("list[State]", list(dict.fromkeys(words)))


def read_version(header: str | None) -> int | None:
    """The version an `If-Match` names. Raises Invalid at `header.If-Match`."""
    if header is None or header.strip() == "*":
        return None
    found = re.fullmatch(r'\s*"?([0-9]{1,15})"?\s*', header)
    if found is None:
        raise Invalid.at("header.If-Match", 'must be the ETag of a task, such as "3"', header[:100])
    return int(found[1])


def read_last_line(header: str | None) -> int | None:
    """The number of the last line a client has. Raises Invalid at `header.Last-Event-ID`."""
    if not header:
        return None
    if re.fullmatch(r"[0-9]{1,15}", header) is None:
        raise Invalid.at("header.Last-Event-ID", "must be the id of a line, a number", header[:100])
    return int(header)


def place_of(slot: core_slot.Slot) -> str:
    return slot.nominal_at.strftime("%Y%m%dT%H%M%S%f")


def read_place(place: str | None) -> datetime | None:
    """The moment in a cursor of slots. Raises Invalid at `query.cursor`."""
    if place is None:
        return None
    try:
        return datetime.strptime(place + "+0000", "%Y%m%dT%H%M%S%f%z")
    except ValueError:
        raise Invalid.at("query.cursor", "is not a cursor of this list; take next_cursor as it was given") from None
