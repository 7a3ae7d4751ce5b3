"""Events and the runs they start, written together."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from rota.core.event import Event, end_topics, refusal
from rota.core.run import Run
from rota.core.task import Task
from rota.store import events, runs, tasks
from rota.store.database import Connection
from rota.store.runs import NewRun


class IdSource(Protocol):
    def new(self) -> str:
        """An id that was never given before."""


def publish(c: Connection, event: Event, ids: IdSource, now: datetime) -> list[NewRun]:
    """Record an event and start every active task that waits for its topic.

    A start that core.event refuses is recorded as a skipped run with that reason. Answers all new runs, refused ones
    included; the caller wakes the dispatcher.
    """
    events.insert_event(c, event)
    return _start(c, event, tasks.list_by_topic(c, [event.topic]), ids, now)


def publish_ends(c: Connection, ended: Sequence[tuple[Run, Task]], ids: IdSource, now: datetime) -> list[NewRun]:
    """Publish that runs ended, for those whose end some task waits for: one query where nobody does."""
    topics = {topic for run, task in ended for topic in end_topics(run.state, task.name)}
    listeners = tasks.list_by_topic(c, sorted(topics)) if topics else []
    if not listeners:
        return []
    waited_for = {_topic_of(listener) for listener in listeners}
    started: list[NewRun] = []
    for event in (event for run, task in ended for event in end_events(run, task, ids, now)):
        if event.topic in waited_for:
            events.insert_event(c, event)
            started += _start(c, event, (task for task in listeners if _topic_of(task) == event.topic), ids, now)
    return started


def end_events(run: Run, task: Task, ids: IdSource, now: datetime) -> list[Event]:
    """The facts that a run's end makes: one for whoever waits for any task, one for this task alone."""
    return [
        Event(
            id=ids.new(),
            topic=topic,
            payload=_end_payload(run, task),
            at=now,
            actor_id=run.actor_id,
            cause_run_id=run.id,
            depth=run.depth + 1,
        )
        for topic in end_topics(run.state, task.name)
    ]


def _end_payload(run: Run, task: Task) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "task_id": task.id,
        "task": task.name,
        "state": run.state,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "output": run.output,
        "error": run.error,
    }


def _start(c: Connection, event: Event, listeners: Iterable[Task], ids: IdSource, now: datetime) -> list[NewRun]:
    ancestors = events.causes(c, event.cause_run_id) if event.cause_run_id else []
    started = [_new_run(task, event, ancestors, ids, now) for task in listeners]
    runs.insert_runs(c, started)
    return started


def _new_run(task: Task, event: Event, ancestors: Sequence[str], ids: IdSource, now: datetime) -> NewRun:
    reason = refusal(task.id, event.depth, ancestors)
    return NewRun.of(
        task,
        ids.new(),
        "event",
        now,
        params=_params(task, event),
        ended=("skipped", reason) if reason else None,
        cause_run_id=event.cause_run_id,
        depth=event.depth,
        actor_id=event.actor_id,
    )


def _params(task: Task, event: Event) -> dict[str, Any]:
    """The task's own defaults, and the event under the one name `event`, so that a payload can never replace a default."""
    at = event.at.isoformat().replace("+00:00", "Z")
    fact = {"id": event.id, "topic": event.topic, "payload": event.payload, "at": at, "actor_id": event.actor_id}
    return {**task.spec.params, "event": fact}


def _topic_of(task: Task) -> str | None:
    return getattr(task.spec.schedule, "topic", None)
