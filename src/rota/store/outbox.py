"""The outbox: what is to be told outside, written with the change that it tells of, and sent afterwards."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from rota.core.delivery import Delivery, DeliveryAttempt, DeliveryStatus, Sent
from rota.core.errors import Conflict, NotFound
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text, to_text_or_none, without_nul
from rota.store.fanout import IdSource
from rota.store.moments import from_us, from_us_or_none, to_us, to_us_or_none

COLUMNS = (
    "id, lane, target, address, form, body, mergeable, run_id, owner_id, status, "
    "attempts, created_at, due_at, give_up_at, ended_at, error"
)
INSERT = f"INSERT INTO deliveries ({COLUMNS}) VALUES ({', '.join('?' * 16)})"
# What waits in the lane and is not on its way says less than what follows it.
MERGE = """
    UPDATE deliveries SET status = 'merged', ended_at = ?
    WHERE lane = ? AND status = 'waiting' AND mergeable = 1 AND holder IS NULL"""
# Each target that something waits for, by steps from one to the next: targets are few, what waits may be much.
TARGETS = """
    WITH RECURSIVE found (target) AS (
        SELECT MIN(target) FROM deliveries WHERE status = 'waiting' AND holder IS NULL
        UNION ALL
        SELECT (SELECT MIN(target) FROM deliveries WHERE status = 'waiting' AND holder IS NULL AND target > found.target)
        FROM found WHERE found.target IS NOT NULL)
    SELECT target FROM found WHERE target IS NOT NULL"""
DUE = f"""
    SELECT {COLUMNS} FROM deliveries d
    WHERE d.status = 'waiting' AND d.holder IS NULL AND d.target = ? AND d.due_at <= ?
        AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.status = 'waiting' AND e.lane = d.lane AND e.id < d.id)
    ORDER BY d.due_at, d.id LIMIT ?"""
# One that stands behind another of its lane waits for its end, not for a moment; that end wakes who sends.
NEXT_DUE = """
    SELECT d.due_at FROM deliveries d
    WHERE d.status = 'waiting' AND d.holder IS NULL AND d.target = ?
        AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.status = 'waiting' AND e.lane = d.lane AND e.id < d.id)
    ORDER BY d.due_at LIMIT 1"""
HOLD = "UPDATE deliveries SET holder = ?, attempts = attempts + 1 WHERE id = ? AND status = 'waiting' AND holder IS NULL"
END = "UPDATE deliveries SET status = ?, holder = NULL, ended_at = ?, error = ? WHERE id = ? AND status = 'waiting'"
POSTPONE = "UPDATE deliveries SET holder = NULL, due_at = ?, error = ? WHERE id = ? AND status = 'waiting'"
KEEP_ATTEMPT = """
    INSERT INTO delivery_attempts (delivery_id, number, at, duration_s, code, error) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
KEEP_BODY = "UPDATE deliveries SET body = ? WHERE id = ?"
RELEASE = "UPDATE deliveries SET holder = NULL WHERE id = ?"
REPLAY = """
    UPDATE deliveries SET status = 'waiting', due_at = ?, give_up_at = ?, ended_at = NULL
    WHERE id = ? AND status <> 'waiting' AND form IS NULL"""
CALLBACKS = "SELECT run_id, url, form, is_retried FROM callbacks WHERE run_id IN ({values})"
DROP_OF_TASK = """
    UPDATE deliveries SET status = 'dropped', ended_at = ?
    WHERE status = 'waiting' AND form IS NOT NULL AND run_id IN (SELECT id FROM runs WHERE task_id = ?)"""
FORGET_OF_TASK = "DELETE FROM callbacks WHERE run_id IN (SELECT id FROM runs WHERE task_id = ?)"
DROPPED = "SELECT id FROM deliveries WHERE id IN ({values}) AND status = 'dropped'"
DROP = "UPDATE deliveries SET status = 'dropped', ended_at = ? WHERE run_id = ? AND status = 'waiting' AND form IS NOT NULL"
PRUNE = "DELETE FROM deliveries WHERE ended_at < ?"
BUDGET = timedelta(minutes=5)
NOWHERE = "nowhere"


class Callback(Struct, frozen=True, kw_only=True):
    """Somebody who asked over an API to be told of a run's changes. `form` is the surface's that writes the bodies."""

    run_id: str
    url: str
    form: str
    is_retried: bool = False


def insert_deliveries(c: Connection, deliveries: Sequence[Delivery]) -> None:
    """To be sent after the commit, in this order. Mergeable ones that wait in the same lanes are merged into them."""
    for delivery in deliveries:
        if delivery.form is not None:
            c.run(MERGE, (to_us(delivery.created_at), delivery.lane))
        c.run(INSERT, _values(delivery))


def set_callback(c: Connection, callback: Callback) -> None:
    """Tell this address of the changes of a run; in the transaction that inserts the run."""
    values = (callback.run_id, callback.url, callback.form, int(callback.is_retried))
    c.run("INSERT INTO callbacks (run_id, url, form, is_retried) VALUES (?, ?, ?, ?)", values)


def has_callback(c: Connection, run_id: str) -> bool:
    """Whether somebody asked to be told of a run's changes."""
    return c.row("SELECT 1 FROM callbacks WHERE run_id = ?", (run_id,)) is not None


def tell_callbacks(c: Connection, run_ids: Sequence[str], now: datetime, ids: IdSource, *, final: bool) -> int:
    """Note that these runs have changed. Answers how many deliveries that makes; the caller wakes the notifier then.

    final  whether they have ended: nothing may stand for this word, and nothing follows it
    """
    if not run_ids or c.row("SELECT 1 FROM callbacks LIMIT 1") is None:
        return 0
    found = {
        row[0]: Callback(run_id=row[0], url=row[1], form=row[2], is_retried=bool(row[3]))
        for row in c.batch(CALLBACKS, "text", [(run_id,) for run_id in set(run_ids)])
    }
    insert_deliveries(c, [told(found[run_id], ids.new(), now, final=final) for run_id in run_ids if run_id in found])
    return len(found)


def drop_callbacks(c: Connection, run_ids: Sequence[str], now: datetime) -> None:
    """Tell nobody more about these runs."""
    for run_id in run_ids:
        c.run("DELETE FROM callbacks WHERE run_id = ?", (run_id,))
        c.run(DROP, (to_us(now), run_id))


def drop_callbacks_of(c: Connection, task_id: str, now: datetime) -> None:
    """Tell nobody more about any run of a task."""
    c.run(DROP_OF_TASK, (to_us(now), task_id))
    c.run(FORGET_OF_TASK, (task_id,))


def list_dropped(c: Connection, delivery_ids: Collection[str]) -> list[str]:
    """Those of the deliveries that are not to be sent any more."""
    return [row[0] for row in c.batch(DROPPED, "text", [(delivery_id,) for delivery_id in delivery_ids])]


def find_addresses(c: Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Who asked to be told of these runs: URLs by run."""
    return {row[0]: row[1] for row in c.batch(CALLBACKS, "text", [(run_id,) for run_id in run_ids])}


def claim_due(
    c: Connection, holder: str, now: datetime, busy: Mapping[str, int], *, per_target: int, limit: int
) -> list[Delivery]:
    """Take what is due, the oldest first, at most so many of each target at one time. `busy`: those that are on their way.

    `attempts` of those taken counts the try that follows.
    """
    taken: list[Delivery] = []
    for (target,) in c.rows(TARGETS):
        room = min(per_target - busy.get(target, 0), limit - len(taken))
        found = [_delivery(row) for row in c.rows(DUE, (target, to_us(now), room))] if room > 0 else []
        taken += [replace(delivery, attempts=delivery.attempts + 1) for delivery in found if c.run(HOLD, (holder, delivery.id))]
    return taken


def next_due(c: Connection, busy: Mapping[str, int], *, per_target: int) -> datetime | None:
    """When something is due for a target that is not busy."""
    targets = [target for (target,) in c.rows(TARGETS) if busy.get(target, 0) < per_target]
    found = [row for target in targets if (row := c.row(NEXT_DUE, (target,)))]
    return from_us(min(found)[0]) if found else None


def record_try(c: Connection, delivery: Delivery, sent: Sent, at: datetime, duration_s: float) -> None:
    """Add a line to the delivery log, also for a delivery that was dropped meanwhile."""
    if c.row("SELECT 1 FROM deliveries WHERE id = ?", (delivery.id,)):
        c.run(KEEP_ATTEMPT, (delivery.id, delivery.attempts, to_us(at), duration_s, sent.code, without_nul(sent.error)))


def end_delivery(c: Connection, delivery_id: str, status: DeliveryStatus, at: datetime, error: str | None = None) -> bool:
    """Whether it was still waiting."""
    return c.run(END, (status, to_us(at), without_nul(error), delivery_id)) == 1


def postpone(c: Connection, delivery_id: str, due_at: datetime, error: str | None) -> None:
    c.run(POSTPONE, (to_us(due_at), without_nul(error), delivery_id))


def keep_body(c: Connection, delivery_id: str, body: Any) -> None:
    """What it says from now on, each time it is sent."""
    c.run(KEEP_BODY, (to_text(body), delivery_id))


def release_held(c: Connection, sending: Collection[str]) -> int:
    """Give back what nobody alive is sending, as a server knows it that has its store to itself.

    Whether it arrived is unknown: it is sent again.
    """
    held = [row[0] for row in c.rows("SELECT id FROM deliveries WHERE holder IS NOT NULL")]
    return sum(c.run(RELEASE, (delivery_id,)) for delivery_id in held if delivery_id not in sending)


def replay(c: Connection, delivery_id: str, now: datetime) -> Delivery:
    """Send it once more, as it was. Raises NotFound; Conflict while it waits, or if its body was not kept."""
    get_delivery(c, delivery_id)
    if c.run(REPLAY, (to_us(now), to_us(now + BUDGET), delivery_id)) == 0:
        raise Conflict("this delivery waits to be sent, or was written when it was sent and cannot be repeated")
    return get_delivery(c, delivery_id)


def get_delivery(c: Connection, delivery_id: str) -> Delivery:
    row = c.row(f"SELECT {COLUMNS} FROM deliveries WHERE id = ?", (delivery_id,))
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    return _delivery(row)


def list_deliveries(c: Connection, *, run_id: str | None = None, before: str | None = None, limit: int) -> list[Delivery]:
    """A page, newest first."""
    of_run = "AND run_id = ?" if run_id else ""
    sql = f"SELECT {COLUMNS} FROM deliveries WHERE id < ? {of_run} ORDER BY id DESC LIMIT ?"
    return [_delivery(row) for row in c.rows(sql, (before or "~", *([run_id] if run_id else []), limit))]


def list_tries(c: Connection, delivery_id: str) -> list[DeliveryAttempt]:
    sql = "SELECT number, at, duration_s, code, error FROM delivery_attempts WHERE delivery_id = ? ORDER BY number"
    return [
        DeliveryAttempt(number=number, at=from_us(at), duration_s=duration_s, code=code, error=error)
        for number, at, duration_s, code, error in c.rows(sql, (delivery_id,))
    ]


def prune_deliveries(c: Connection, before: datetime) -> int:
    """Forget what was over before that moment. Returns how many."""
    return c.run(PRUNE, (to_us(before),))


def told(callback: Callback, delivery_id: str, now: datetime, *, final: bool) -> Delivery:
    """A word about a run for whoever asked to hear of it; `final`: nothing may stand for it."""
    return Delivery(
        id=delivery_id,
        lane=f"{callback.form}:{callback.run_id}",
        target=_host_of(callback.url),
        address={"url": callback.url},
        form=callback.form,
        mergeable=not final,
        give_up_at=now + BUDGET if callback.is_retried else None,
        run_id=callback.run_id,
        created_at=now,
        due_at=now,
    )


def _host_of(url: str) -> str:
    """Whatever stands there: a run has to end, whoever is to hear of it."""
    try:
        return urlsplit(url).netloc.lower() or NOWHERE
    except ValueError:
        return NOWHERE


def _values(d: Delivery) -> tuple[object, ...]:
    return (
        d.id,
        d.lane,
        d.target,
        to_text(d.address),
        d.form,
        to_text_or_none(d.body),
        int(d.mergeable),
        d.run_id,
        d.owner_id,
        d.status,
        d.attempts,
        to_us(d.created_at),
        to_us(d.due_at),
        to_us_or_none(d.give_up_at),
        to_us_or_none(d.ended_at),
        d.error,
    )


def _delivery(row: Row) -> Delivery:
    (
        delivery_id,
        lane,
        target,
        address,
        form,
        body,
        mergeable,
        run_id,
        owner_id,
        status,
        attempts,
        created_at,
        due_at,
        give_up_at,
        ended_at,
        error,
    ) = row
    return Delivery(
        id=delivery_id,
        lane=lane,
        target=target,
        address=from_text(address),
        form=form,
        body=from_text(body),
        mergeable=bool(mergeable),
        run_id=run_id,
        owner_id=owner_id,
        status=status,
        attempts=attempts,
        created_at=from_us(created_at),
        due_at=from_us(due_at),
        give_up_at=from_us_or_none(give_up_at),
        ended_at=from_us_or_none(ended_at),
        error=error,
    )
