"""Telling the devices of a task's creator, in the transaction of what they are told of (core.push; contract §10)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.core.delivery import Delivery
from rota.core.projecttask import ProjectTask
from rota.core.push import COOLDOWN, Happening, PushRules, body_of
from rota.store import outbox, presence, projects, projecttasks, pushtokens, users
from rota.store.connection import Connection
from rota.store.fanout import IdSource
from rota.store.moments import to_us
from rota.store.pushtokens import PushToken

FORM = "push"
# In the address of a delivery: id of the device, and the way to it.
DEVICE, WAY = "push", "way"
# Nobody wants to hear of it later.
BUDGET = timedelta(minutes=5)
# One row for each run and kind; whoever writes it first, or first after it has ended, is who tells.
COOL = """
    INSERT INTO push_cooldowns (run_id, kind, ends_at) VALUES (?, ?, ?)
    ON CONFLICT (run_id, kind) DO UPDATE SET ends_at = excluded.ends_at WHERE push_cooldowns.ends_at <= ?
    RETURNING run_id"""


def tell_devices(c: Connection, rules: PushRules | None, happened: Sequence[Happening], ids: IdSource, now: datetime) -> int:
    """Answers how many deliveries that makes; the caller wakes the notifier then. Tasks of no project concern nobody."""
    if rules is None or not happened:
        return 0
    found = projecttasks.get_project_tasks(c, {each.task_id for each in happened})
    made = [
        delivery
        for each in happened
        if (task := found.get(each.task_id)) is not None
        for delivery in _tell(c, rules, each, task, ids, now)
    ]
    outbox.insert_deliveries(c, made)
    return len(made)


def write_notice(c: Connection, delivery: Delivery) -> bytes | None:
    """The body of a delivery when it is sent: to a device that there is no more, none."""
    token = pushtokens.find_token(c, delivery.address[DEVICE])
    if token is None:
        return None
    device = {"id": token.id, "token": token.token, "platform": token.platform}
    return msgspec.json.encode({"id": delivery.id, "device": device, **delivery.body})


def _tell(
    c: Connection, rules: PushRules, happening: Happening, task: ProjectTask, ids: IdSource, now: datetime
) -> list[Delivery]:
    """The cooldown is taken whoever hears of it: also where the creator watches, or has left the project."""
    if not _cool(c, happening, now) or task.created_by is None or not _is_there(c, task, task.created_by):
        return []
    if presence.is_watched(c, task.id, task.created_by, now):
        return []
    devices = pushtokens.list_tokens(c, task.created_by)
    return [_delivery(rules, happening, task, device, ids.new(), now) for device in devices if rules.way_to(device.platform)]


def _cool(c: Connection, happening: Happening, now: datetime) -> bool:
    ends_at = now + COOLDOWN[happening.kind]
    return bool(c.rows(COOL, (happening.run_id, happening.kind, to_us(ends_at), to_us(now))))


def _is_there(c: Connection, task: ProjectTask, user_id: str) -> bool:
    return projects.is_member(c, task.project_id, user_id) and users.find_user(c, user_id) is not None


def _delivery(
    rules: PushRules, happening: Happening, task: ProjectTask, device: PushToken, delivery_id: str, now: datetime
) -> Delivery:
    way = rules.way_to(device.platform)
    data = {"taskId": task.id, "taskRunId": happening.run_id}
    body: dict[str, Any] = {
        "event": f"task_run.{happening.kind}",
        "title": rules.label,
        "body": body_of(task.title, happening.kind),
        "data": data,
    }
    return Delivery(
        id=delivery_id,
        lane=f"push:{device.id}",
        target=f"push:{way}",
        address={DEVICE: device.id, WAY: way},
        form=FORM,
        body=body,
        run_id=happening.run_id,
        owner_id=device.user_id,
        created_at=now,
        due_at=now,
        give_up_at=now + BUDGET,
    )
