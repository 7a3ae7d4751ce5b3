"""Events and the runs they start, written together."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from rota.core.actor import OPERATOR, Actor
from rota.core.event import Event, end_topics, refusal
from rota.core.run import Run
from rota.core.task import Task
from rota.store import events, runs, tasks, users
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
    """Publish that runs ended, for those whose end some task waits for: one query where nobody does.

    A run's end is told to tasks whose owners may see the run, for it comes with what the run has said.
    """
    topics = {topic for run, task in ended for topic in end_topics(run.state, task.name)}
    listeners = tasks.list_by_topic(c, sorted(topics)) if topics else []
    if not listeners:
        return []
    actors = _actors(c, listeners)
    started: list[NewRun] = []
    for run, task in ended:
        owner_id = run.owner_id or task.owner_id
        hearing = [each for each in listeners if (actor := actors[each.owner_id]) and actor.may_see(owner_id)]
        for event in end_events(run, task, ids, now) if hearing else ():
            waiting = [each for each in hearing if _topic_of(each) == event.topic]
            if waiting:
                events.insert_event(c, event)
                started += _start(c, event, waiting, ids, now)
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


def _actors(c: Connection, listeners: Iterable[Task]) -> dict[str | None, Actor | None]:
    """For whom these tasks act, by their owners: for the installation's that is the operator."""
    found = {owner_id: users.find_user(c, owner_id) for owner_id in {each.owner_id for each in listeners} if owner_id}
    return {None: OPERATOR, **{owner_id: user.actor if user else None for owner_id, user in found.items()}}


def _topic_of(task: Task) -> str | None:
    return getattr(task.spec.schedule, "topic", None)
