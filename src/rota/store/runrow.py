"""A run as a row: its columns in order, and the way there and back."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from rota.core.run import Run, Trigger
from rota.core.states import Reason, State
from rota.core.task import Task
from rota.store import moments
from rota.store.documents import from_text, to_text, to_text_or_none, without_nul
from rota.store.moments import to_us, to_us_or_none

Admission = Literal["ticked", "gated", "new", "ready", "held", "offered"]

# What is stored of a run, and in what is read its owner too.
WRITTEN = (
    "id, task_id, state, trigger_kind, created_at, due_at, nominal_at, started_at, ended_at, attempt, fence, holder, "
    "priority, instance, params, exit_code, output, error, reason, cause_run_id, depth, actor_id, attempt_id, attempt_at, "
    "task_version"
)
WRITTEN_TYPES = (
    "text text text text bigint bigint bigint bigint bigint integer bigint text integer integer text integer text text text "
    "text integer text text bigint integer"
)
COLUMNS = f"{WRITTEN}, owner_id, progress"


# The runs of a batch share most of their moments.
_moment = lru_cache(maxsize=4096)(moments.from_us)


class NewRun(Struct, frozen=True):
    """A run to be stored, with what only admission needs to know.

    dedupe_key  in its stored form: owner and key, so that owners do not meet
    admission   of a pending run; where it is not given, the dispatcher judges it (`new`)
    """

    run: Run
    concurrency_key: str | None = None
    dedupe_key: str | None = None
    admission: Admission | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        run_id: str,
        trigger: Trigger,
        now: datetime,
        *,
        nominal_at: datetime | None = None,
        due_at: datetime | None = None,
        params: dict[str, Any] | None = None,
        instance: int | None = None,
        ended: tuple[State, Reason] | None = None,
        cause_run_id: str | None = None,
        depth: int = 0,
        actor_id: str | None = None,
        owner_id: str | None = None,
    ) -> Self:
        """A new run of a task: its priority and keys are the task's; `params` replace the task's defaults where given.

        ended     state and reason of a run that is recorded without ever starting
        owner_id  whose it is, if not the task's owner's
        """
        policy = task.spec.policy
        state, reason = ended or ("pending", None)
        run = Run(
            id=run_id,
            task_id=task.id,
            state=state,
            trigger=trigger,
            created_at=now,
            due_at=due_at or now,
            nominal_at=nominal_at,
            ended_at=now if ended else None,
            priority=policy.priority,
            instance=instance,
            params=task.spec.params if params is None else params,
            reason=reason,
            cause_run_id=cause_run_id,
            depth=depth,
            actor_id=actor_id,
            owner_id=owner_id or task.owner_id,
            task_version=task.version,
        )
        dedupe_key = f"{task.owner_id or ''}:{policy.dedupe_key}" if policy.dedupe_key else None
        return cls(run, policy.concurrency_key, dedupe_key)

    def with_account(self, words: str, output: Any) -> Self:
        """The same with an explanation, for a run that never starts."""
        return replace(self, run=replace(self.run, error=words, output=output))

    @property
    def stored_admission(self) -> Admission | None:
        return self.admission or "new" if self.run.state == "pending" else None


def from_row(row: Sequence[Any]) -> Run:
    """The run of a row that was read as COLUMNS."""
    (
        id_, task_id, state, trigger, created_at, due_at, nominal_at, started_at, ended_at, attempt, fence, holder,
        priority, instance, params, exit_code, output, error, reason, cause_run_id, depth, actor_id, attempt_id, attempt_at,
        task_version, owner_id, progress,
    ) = row  # fmt: skip
    return Run(
        id=id_,
        task_id=task_id,
        state=state,
        trigger=trigger,
        created_at=_moment(created_at),
        due_at=_moment(due_at),
        nominal_at=None if nominal_at is None else _moment(nominal_at),
        started_at=None if started_at is None else _moment(started_at),
        ended_at=None if ended_at is None else _moment(ended_at),
        attempt=attempt,
        attempt_id=attempt_id,
        attempt_at=None if attempt_at is None else _moment(attempt_at),
        fence=fence,
        holder=holder,
        priority=priority,
        instance=instance,
        params={} if params == "{}" else from_text(params),
        exit_code=exit_code,
        output=None if output is None else from_text(output),
        error=error,
        reason=reason,
        cause_run_id=cause_run_id,
        depth=depth,
        actor_id=actor_id,
        task_version=task_version,
        owner_id=owner_id,
        progress=progress,
    )


def to_row(run: Run) -> tuple[Any, ...]:
    """Its values in the order of WRITTEN."""
    return (
        run.id,
        run.task_id,
        run.state,
        run.trigger,
        to_us(run.created_at),
        to_us(run.due_at),
        to_us_or_none(run.nominal_at),
        to_us_or_none(run.started_at),
        to_us_or_none(run.ended_at),
        run.attempt,
        run.fence,
        run.holder,
        run.priority,
        run.instance,
        to_text(run.params) if run.params else "{}",
        run.exit_code,
        to_text_or_none(run.output),
        without_nul(run.error),
        run.reason,
        run.cause_run_id,
        run.depth,
        run.actor_id,
        run.attempt_id,
        to_us_or_none(run.attempt_at),
        run.task_version,
    )
