"""One planned instant of a task, with exactly one recorded outcome."""

from datetime import datetime

from msgspec import Struct

from rota.core.states import Reason, State


class Slot(Struct, frozen=True, kw_only=True):
    """What became of one planned instant.

    outcome  state of its run (live or ended), `missed` or `skipped` where there is none
    reason   why, where the outcome alone does not say it
    """

    task_id: str
    nominal_at: datetime
    outcome: State
    run_id: str | None = None
    reason: Reason | None = None
