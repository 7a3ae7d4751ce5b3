"""Mail about the end of a run, to the recipients that its task names: written with that end, one delivery for each of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.delivery import MAIL, NOTE, Delivery
from rota.core.notification import Note, Rules, kind_of
from rota.core.run import Run
from rota.core.states import ENDED, SUCCESSES
from rota.core.task import Task
from rota.store import outbox
from rota.store.connection import Connection
from rota.store.fanout import IdSource

LONGEST_SUBJECT = 100


def tell_recipients(c: Connection, rules: Rules, changed: Iterable[tuple[Run, Task]], ids: IdSource, now: datetime) -> int:
    """Note the mails that these changes make. Answers how many; nothing is held back, and a run that never started makes none.

    Whoever starts a task of another's that is shared has a run of their own, and that task's recipients are not told of it.
    """
    told = [
        _delivery(rules, run, task, each.email, ids.new(), now)
        for run, task in changed
        if run.state in ENDED and run.attempt > 0 and run.owner_id in (None, task.owner_id)
        for each in task.spec.notify.mail
        if not (each.problems_only and run.state in SUCCESSES)
    ]
    outbox.insert_deliveries(c, told)
    return len(told)


def _called(task: Task) -> str:
    """What people call it: its title, the first line of its description, or its name."""
    first, *_ = (task.spec.description or "").strip().splitlines() or [""]
    return task.spec.title or first[:LONGEST_SUBJECT] or task.name


def _delivery(rules: Rules, run: Run, task: Task, email: str, delivery_id: str, now: datetime) -> Delivery:
    kind = kind_of(run)
    assert kind is not None  # noqa: S101  a run that has started and ended is something to tell of
    note = Note(kind=kind, task=_called(task), task_id=task.id, run=replace(run, output=None), at=now, since=now)
    return Delivery(
        id=delivery_id,
        lane=f"{MAIL}:{run.id}:{email}",
        target=MAIL,
        address={MAIL: email},
        body={NOTE: note, "log": task.name},
        run_id=run.id,
        owner_id=run.owner_id or task.owner_id,
        created_at=now,
        due_at=now,
        give_up_at=now + timedelta(seconds=rules.budget_s),
    )
