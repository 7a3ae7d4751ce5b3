"""Telling people: the lines of the bell and the deliveries that a change makes, written in the change's own transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from rota.core import message
from rota.core.delivery import NOTE, Delivery
from rota.core.notification import (
    BELL,
    SEVERITIES,
    Alert,
    Note,
    Notification,
    Rules,
    absorb,
    fingerprint,
    kind_of,
    summarise,
)
from rota.core.push import happening_of
from rota.core.run import Run
from rota.core.states import ENDED
from rota.core.task import Task
from rota.store import alerts, failures, mail, notifications, outbox, pushing, tasks
from rota.store.connection import Connection
from rota.store.fanout import IdSource

BATCH = 200


def tell(
    c: Connection,
    rules: Rules,
    changed: Iterable[tuple[Run, Task]],
    ids: IdSource,
    now: datetime,
    log_ends: Mapping[str, int] | None = None,
) -> int:
    """Note whoever is to hear of these changes. Answers how many changes that were; the caller wakes the notifier then.

    log_ends  of attempts that others may follow: where their part of the run's log ends

    Nothing is read or written for a change that concerns nobody.
    """
    told, ends = 0, log_ends or {}
    for run, task in changed:
        kind = kind_of(run)
        if kind is None or not rules.concerns(kind, task):
            continue
        targets = rules.targets(kind, task)
        if targets:
            told_run = replace(run, output=None)
            note = Note(kind=kind, task=task.name, task_id=task.id, run=told_run, at=now, since=now, log_end=ends.get(run.id))
            _tell_one(c, rules, note, run.owner_id or task.owner_id, targets, ids)
            told += 1
    return told


def tell_all(c: Connection, rules: Rules, changed: Sequence[tuple[Run, Task]], ids: IdSource, now: datetime) -> int:
    """The same, whoever asked over an API to hear of the end of one of these runs, agents whose runs have failed, and
    recipients of mail, and devices of the creators of tasks of projects.
    """
    ended = [run.id for run, _ in changed if run.state in ENDED]
    told = tell(c, rules, changed, ids, now) + failures.tell_agents(c, changed, ids, now)
    told += mail.tell_recipients(c, rules, changed, ids, now)
    happened = [happening for run, _ in changed if (happening := happening_of(run))]
    told += pushing.tell_devices(c, rules.push, happened, ids, now)
    return told + outbox.tell_callbacks(c, ended, now, ids, final=True)


def flush_over(c: Connection, rules: Rules, ids: IdSource, now: datetime) -> int:
    """Tell what was held back in windows that have ended, and forget those in which nothing was. Answers how many it told."""
    over = alerts.list_over(c, now, BATCH)
    for alert in over:
        if not alert.held:
            alerts.delete_alert(c, alert.fingerprint)
    return _flush(c, rules, [alert for alert in over if alert.held], ids, now)


def flush_all(c: Connection, rules: Rules, ids: IdSource, now: datetime) -> int:
    """Tell whatever is held back, for nobody may be there to do so later."""
    return _flush(c, rules, alerts.list_holding(c), ids, now)


def tell_failed_delivery(c: Connection, delivery: Delivery, error: str, ids: IdSource, now: datetime) -> None:
    """A line of the bell about a delivery that was given up. It goes nowhere else: that may be as dead."""
    about = _note_of(delivery)
    lead = f"{delivery.target}: {message.headline(about)}" if about else delivery.target
    notifications.insert_notification(
        c,
        Notification(
            id=ids.new(),
            kind="notify.delivery_failed",
            severity=SEVERITIES["notify.delivery_failed"],
            title=f"{delivery.target} could not be told",
            body=f"{lead}\n{error}, after {delivery.attempts} tries",
            fingerprint=f"delivery:{delivery.target}",
            created_at=now,
            last_occurred_at=now,
            occurrences=[now],
            task_name=about.task if about else None,
            task_id=about.task_id if about else None,
            run_id=delivery.run_id,
            attempt_id=about.run.attempt_id or about.run.id if about else delivery.run_id,
            owner_id=delivery.owner_id,
        ),
    )


def _note_of(delivery: Delivery) -> Note | None:
    return msgspec.convert(delivery.body[NOTE], Note) if delivery.body and NOTE in delivery.body else None


def _tell_one(c: Connection, rules: Rules, note: Note, owner_id: str | None, targets: Sequence[str], ids: IdSource) -> None:
    before = alerts.find_alert(c, fingerprint(note)) if rules.window_s > 0 else None
    alert, told = absorb(rules, before, note)
    if BELL in targets:
        alert = replace(alert, notification_id=_ring(c, rules, before, alert, note, owner_id, ids))
    if told is not None:
        _send(c, rules, told, owner_id, targets, ids, note.at)
    if rules.window_s > 0:
        alerts.upsert_alert(c, alert)


def _ring(
    c: Connection, rules: Rules, before: Alert | None, alert: Alert, note: Note, owner_id: str | None, ids: IdSource
) -> str:
    """A new line of the bell, or one more occurrence of the line whose window is open."""
    line = Notification(
        id=ids.new(),
        kind=note.kind,
        severity=SEVERITIES[note.kind],
        title=message.headline(note),
        body=message.happening(note),
        fingerprint=alert.fingerprint,
        created_at=note.at,
        last_occurred_at=note.at,
        occurrences=[note.at],
        task_name=note.task,
        task_id=note.task_id,
        run_id=note.run.id,
        attempt_id=note.run.attempt_id or note.run.id,
        owner_id=owner_id,
    )
    is_open = before is not None and before.ends_at > note.at
    if is_open and before and before.notification_id and notifications.count_again(c, before.notification_id, line, rules.ring):
        return before.notification_id
    notifications.insert_notification(c, line)
    return line.id


def _send(
    c: Connection, rules: Rules, note: Note, owner_id: str | None, targets: Sequence[str], ids: IdSource, now: datetime
) -> None:
    outbox.insert_deliveries(
        c, [_delivery(rules, note, owner_id, target, ids.new(), now) for target in targets if target != BELL]
    )


def _delivery(rules: Rules, note: Note, owner_id: str | None, target: str, delivery_id: str, now: datetime) -> Delivery:
    notifier, _, recipient = target.partition(":")
    return Delivery(
        id=delivery_id,
        lane=f"{target}:{note.run.id}",
        target=notifier,
        address={"notifier": notifier, "to": recipient or None},
        body={NOTE: note},
        run_id=note.run.id,
        owner_id=owner_id,
        created_at=now,
        due_at=now,
        give_up_at=now + timedelta(seconds=rules.budget_s),
    )


def _flush(c: Connection, rules: Rules, holding: Sequence[Alert], ids: IdSource, now: datetime) -> int:
    about = tasks.get_tasks(c, {alert.note.task_id for alert in holding}) if holding else {}
    for alert in holding:
        after, note = summarise(rules, alert, now)
        alerts.upsert_alert(c, after)
        task = about.get(note.task_id)
        if task is not None:
            _send(c, rules, note, note.run.owner_id or task.owner_id, rules.targets(note.kind, task), ids, now)
    return len(holding)
