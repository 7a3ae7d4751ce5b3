"""What follows an outcome: the one function that decides a run's next state."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.outcome import Outcome
from rota.core.policy import Policy
from rota.core.retry import delay_s, restart_wait_s, will_retry
from rota.core.states import State, move


class Verdict(Struct, frozen=True):
    """The state a run moves to. A run that goes back to `pending` is tried again at `due_at`.

    gave_up  it was started again and again, and failed too fast each time
    """

    state: State
    due_at: datetime | None = None
    gave_up: bool = False

    @property
    def is_retry(self) -> bool:
        return self.due_at is not None


def judge(
    policy: Policy,
    attempt: int,
    outcome: Outcome,
    now: datetime,
    *,
    draw: float = 1.0,
    resumes: bool = False,
    uptimes_s: Sequence[float] = (),
) -> Verdict:
    """The verdict on attempt number `attempt` (from 1) of a run.

    draw     a random number in [0, 1) for a backoff with jitter
    resumes  whether work that died with its node goes on behind its finished steps (a crash is then no end)
    uptimes_s  how long its attempts took, this one last; only a policy with `restart` asks
    """
    if outcome.state == "crashed" and resumes:
        return Verdict(move("running", "pending"), now)
    if policy.restart is not None and outcome.is_failure and outcome.state != "crashed" and not outcome.final:
        wait_s = restart_wait_s(policy.restart, uptimes_s)
        if wait_s is None:
            return Verdict(move("running", outcome.state), gave_up=True)
        return Verdict(move("running", "pending"), now + timedelta(seconds=wait_s))
    if policy.restart is None and will_retry(policy.retry, attempt, outcome):
        wait = timedelta(seconds=delay_s(policy.retry, attempt, draw))
        return Verdict(move("running", "pending"), now + wait)
    return Verdict(move("running", outcome.state))
