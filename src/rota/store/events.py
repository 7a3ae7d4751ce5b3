"""Events: what happened, in order, and what it was caused by."""

from datetime import datetime

from rota.core.event import MAX_DEPTH, Event
from rota.store.connection import Connection, Row
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, to_us

INSERT = """
    INSERT INTO events (id, topic, payload, at, actor_id, cause_run_id, depth) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq"""
LIST = """
    SELECT seq, id, topic, payload, at, actor_id, cause_run_id, depth FROM events WHERE seq > ? ORDER BY seq LIMIT ?"""
HAS = "SELECT 1 FROM events WHERE id = ?"
# What agents have published; run ends are told to those whose task waits for them, and tell what a run has put out.
RECENT = """
    SELECT seq, id, topic, payload, at, actor_id, cause_run_id, depth FROM events AS e
    WHERE {whose} ORDER BY seq DESC LIMIT ?"""
BY_AGENTS = """EXISTS (SELECT 1 FROM users AS u WHERE u.id = e.actor_id AND u.kind = 'agent')
    AND NOT (e.cause_run_id IS NOT NULL AND e.topic LIKE 'run.%')"""
PRUNE = "DELETE FROM events WHERE at < ?"
# The run, the run that caused it, and so on.
CAUSES = """
    WITH RECURSIVE chain (task_id, cause_run_id, length) AS (
        SELECT task_id, cause_run_id, 1 FROM runs WHERE id = ?
        UNION ALL
        SELECT runs.task_id, runs.cause_run_id, chain.length + 1 FROM chain JOIN runs ON runs.id = chain.cause_run_id
        WHERE chain.length < ?)
    SELECT task_id FROM chain ORDER BY length"""


def insert_event(c: Connection, event: Event) -> int:
    """Store an event. Returns its place in the order of events."""
    values = (
        event.id,
        event.topic,
        to_text(event.payload),
        to_us(event.at),
        event.actor_id,
        event.cause_run_id,
        event.depth,
    )
    return int(c.rows(INSERT, values)[0][0])


def has_event(c: Connection, event_id: str) -> bool:
    return c.row(HAS, (event_id,)) is not None


def list_events(c: Connection, after_seq: int, limit: int) -> list[tuple[int, Event]]:
    """Events after a place, in order, each with its own place."""
    return [(row[0], _event(row)) for row in c.rows(LIST, (after_seq, limit))]


def list_recent(c: Connection, limit: int, *, everyone: bool) -> list[Event]:
    """The newest first: all, or what agents have published."""
    return [_event(row) for row in c.rows(RECENT.format(whose="1 = 1" if everyone else BY_AGENTS), (limit,))]


def _event(row: Row) -> Event:
    _, event_id, topic, payload, at, actor_id, cause_run_id, depth = row
    return Event(
        id=event_id,
        topic=topic,
        payload=from_text(payload),
        at=from_us(at),
        actor_id=actor_id,
        cause_run_id=cause_run_id,
        depth=depth,
    )


def prune_events(c: Connection, before: datetime) -> int:
    """Forget events from before that moment. Returns how many."""
    return c.run(PRUNE, (to_us(before),))


def causes(c: Connection, run_id: str) -> list[str]:
    """The tasks of a run, of the run that caused it, and so on: nearest first, no longer than a chain may be."""
    return [row[0] for row in c.rows(CAUSES, (run_id, MAX_DEPTH + 1))]
