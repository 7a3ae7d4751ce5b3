"""Carries the outbox out: what state changes have written for somebody to hear."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
import structlog
from msgspec import Struct, field

from rota.bus import LoopName
from rota.core.delivery import MAIL, Body, Delivery, Sent, next_try_at
from rota.core.errors import RotaError, Unavailable
from rota.core.message import Message
from rota.core.notification import Notification
from rota.engine.context import Engine
from rota.engine.letters import Letters
from rota.engine.loop import Tick
from rota.senders import Parcel, Sender
from rota.store import alerts, notifications, outbox, pushing, pushtokens, telling
from rota.store.database import Connection

log = structlog.get_logger()

# A receiver that hangs holds up as many deliveries of its own and nobody else's.
PER_TARGET = 2
MOST_AT_ONCE = 64
PRUNE_EVERY = timedelta(hours=1)

# Writes the body of a surface's callback as things stand; None if there is nothing left to tell.
Form = Callable[[Connection, Delivery], Body | None]


class Keep(Struct, frozen=True):
    """How much of what was told is kept: lines of the bell, their age, and the age of the delivery log."""

    lines: int = 1024
    lines_for: timedelta = timedelta(days=90)
    deliveries_for: timedelta = timedelta(days=30)


KEEP = Keep()


class Tried(Struct, frozen=True):
    """A try that is over."""

    delivery: Delivery
    sent: Sent
    at: datetime
    duration_s: float


class Pass(Struct):
    """What one transaction wrote: deliveries to be sent with bodies where a form wrote them, news of the bell, and those on
    their way that are not to arrive any more."""

    taken: list[tuple[Delivery, Body | None]] = field(default_factory=list)
    rung: list[Notification] = field(default_factory=list)
    recalled: list[str] = field(default_factory=list)
    ended: int = 0
    summaries: int = 0
    next_at: datetime | None = None


class Notifier:
    """Each pass writes what the tries came to, ends windows of alerts, and takes what is due, in one transaction; only then
    is anything sent. A delivery arrives at least once: what was on its way when the server died is sent again."""

    name: LoopName = "notifier"

    def __init__(
        self,
        engine: Engine,
        letters: Letters,
        senders: Mapping[str, Sender],
        forms: Mapping[str, Form] | None = None,
        keep: Keep = KEEP,
    ) -> None:
        self._engine = engine
        self._letters = letters
        self._senders = senders
        self._forms = forms or {}
        self._keep = keep
        self._prune_at = engine.clock.now()
        self._tried: list[Tried] = []
        self._sending: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        # At the start, and after a pass that failed: some may be held that nobody sends.
        self._in_doubt = True

    async def tick(self) -> Tick:
        engine, now = self._engine, self._engine.clock.now()
        tried, self._tried = self._tried, []
        recalls = engine.bus.signal("recall")
        doubted = [*self._sending] if recalls.is_set() else []
        recalls.clear()
        try:
            done = await engine.write_led(lambda c: self._pass(c, tried, doubted, now))
        except BaseException:
            self._tried, self._in_doubt = tried + self._tried, True
            if doubted:
                recalls.set()
            raise
        self._in_doubt = False
        self._recall(done.recalled)
        for delivery, body in done.taken:
            sending = asyncio.create_task(self._send(delivery, body), name=f"delivery {delivery.id}")
            self._sending[delivery.id] = (delivery, sending)
        self._announce(done.rung)
        counts = {"sent": len(done.taken), "ended": done.ended, "summaries": done.summaries}
        return Tick(counts, next_at=done.next_at)

    async def close(self, limit_s: float) -> None:
        """Tell what is held back and due, as far as the time allows; the next start goes on with the rest."""
        engine, now = self._engine, self._engine.clock.now()
        try:
            if engine.leads:
                await engine.write_led(lambda c: telling.flush_all(c, engine.rules, engine.ids, now))
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit_s):
                        await self.drain()
                await self._abandon()
                await engine.write_led(lambda c: self._record_all(c, self._tried, engine.clock.now()))
        except Unavailable as error:
            log.error("what was still to be told waits for the next start", why=error.message)
        finally:
            await self._abandon()
            for sender in self._senders.values():
                await sender.close()

    def let_go(self) -> None:
        """Another server tells from now on: what was on its way here is sent from there."""
        for _, sending in self._sending.values():
            sending.cancel()
        self._tried, self._in_doubt = [], True

    async def drain(self) -> None:
        """Passes until nothing is on its way or due."""
        await self.tick()
        while self._sending:
            await asyncio.wait([sending for _, sending in self._sending.values()], return_when=asyncio.FIRST_COMPLETED)
            await self.tick()

    def _recall(self, delivery_ids: Sequence[str]) -> None:
        """What was dropped while it was on its way is to get no further."""
        for delivery_id in delivery_ids:
            if delivery_id in self._sending:
                self._sending[delivery_id][1].cancel()

    async def _abandon(self) -> None:
        left = [sending for _, sending in self._sending.values()]
        for sending in left:
            sending.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _pass(self, c: Connection, tried: Sequence[Tried], doubted: Sequence[str], now: datetime) -> Pass:
        """`doubted` are on their way, and some of them may have been dropped since."""
        engine = self._engine
        busy = Counter(delivery.target for delivery, _ in self._sending.values())
        if self._in_doubt:
            outbox.release_held(c, {*self._sending, *(each.delivery.id for each in tried)})
        done = Pass(ended=self._record_all(c, tried, now), recalled=outbox.list_dropped(c, doubted) if doubted else [])
        done.summaries = telling.flush_over(c, engine.rules, engine.ids, now)
        room = MOST_AT_ONCE - len(self._sending)
        taken = outbox.claim_due(c, engine.node, now, busy, per_target=PER_TARGET, limit=room) if room > 0 else []
        done.taken = [each for delivery in taken for each in self._written(c, delivery, now)]
        done.rung = notifications.take_untold(c)
        busy.update(delivery.target for delivery, _ in done.taken)
        # Without room it is the end of a try that brings the next pass.
        due_at = outbox.next_due(c, busy, per_target=PER_TARGET) if len(done.taken) < room else None
        self._prune(c, now)
        done.next_at = min(filter(None, (due_at, alerts.next_end(c), self._prune_at)))
        return done

    def _prune(self, c: Connection, now: datetime) -> None:
        if now >= self._prune_at or self._prune_at > now + PRUNE_EVERY:
            notifications.prune_notifications(c, self._keep.lines, now - self._keep.lines_for)
            outbox.prune_deliveries(c, now - self._keep.deliveries_for)
            self._prune_at = now + PRUNE_EVERY

    def _written(self, c: Connection, delivery: Delivery, now: datetime) -> list[tuple[Delivery, Body | None]]:
        """A delivery with the body that its form writes, if it has one; nothing if there is nothing left to tell.

        In the transaction that takes the delivery: what it says is then never newer than a later delivery of its lane.
        """
        if delivery.form is None:
            return [(delivery, None)]
        write = self._forms.get(delivery.form)
        body = write(c, delivery) if write else None
        if body is None:
            outbox.end_delivery(c, delivery.id, "dropped", now)
            return []
        return [(delivery, body)]

    def _record_all(self, c: Connection, tried: Sequence[Tried], now: datetime) -> int:
        return sum(self._record(c, each, now) for each in tried)

    def _record(self, c: Connection, each: Tried, now: datetime) -> bool:
        """Whether that was the end of the delivery."""
        delivery, sent = each.delivery, each.sent
        outbox.record_try(c, delivery, sent, each.at, each.duration_s)
        if sent.error is None:
            return outbox.end_delivery(c, delivery.id, "delivered", now)
        again_at = next_try_at(delivery, sent, now)
        if again_at is not None:
            outbox.postpone(c, delivery.id, again_at, sent.error)
            return False
        is_over = outbox.end_delivery(c, delivery.id, "failed", now, sent.error)
        if sent.is_gone and pushing.DEVICE in delivery.address:
            pushtokens.delete_token(c, delivery.address[pushing.DEVICE])
        if is_over and "notifier" in delivery.address:
            telling.tell_failed_delivery(c, delivery, sent.error, self._engine.ids, now)
        return is_over

    async def _send(self, delivery: Delivery, body: Body | None) -> None:
        clock = self._engine.clock
        at, started = clock.now(), clock.monotonic()
        sent: Sent | None = None
        try:
            sent = await self._try(delivery, body, at)
        except Unavailable as error:
            sent = Sent(error=error.message)
        except RotaError as error:
            sent = Sent(error=error.message, is_final=True)
        except Exception as fault:
            log.exception("delivery failed", delivery=delivery.id, target=delivery.target)
            sent = Sent(error=type(fault).__name__)
        finally:
            del self._sending[delivery.id]
            if sent is not None:
                self._tried.append(Tried(delivery, sent, at, clock.monotonic() - started))
            self._engine.bus.wake("notifier")

    async def _try(self, delivery: Delivery, body: Body | None, now: datetime) -> Sent:
        mail = await self._write_mail(delivery) if MAIL in delivery.address else None
        endpoint = self._letters.endpoint(delivery)
        if mail is not None:
            parcel = Parcel(id=delivery.id, title=mail.headline, text=mail.text, body=b"")
        elif body is not None:
            written = body if isinstance(body, bytes) else await body()
            parcel = Parcel(id=delivery.id, title="", text="", body=written)
        else:
            parcel = await self._letters.parcel(delivery, endpoint)
        return await self._senders[endpoint.way].send(endpoint, parcel, now)

    async def _write_mail(self, delivery: Delivery) -> Message:
        """Written once and kept, so that each try says the same, and that it can be read where there is no way to send it."""
        kept = delivery.body.get(MAIL)
        if kept is not None:
            return msgspec.convert(kept, Message)
        mail = await self._letters.mail(delivery)
        said = {**delivery.body, MAIL: mail}
        await self._engine.write_led(lambda c: outbox.keep_body(c, delivery.id, said))
        return mail

    def _announce(self, rung: Sequence[Notification]) -> None:
        for line in rung:
            kind = "notification.created" if line.count == 1 else "notification.updated"
            self._engine.bus.publish(kind, {"notification": line, "owner_id": line.owner_id, "task_id": line.task_id})
