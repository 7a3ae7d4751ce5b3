"""What follows an outcome: the one function that decides a run's next state."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.outcome import Outcome
from rota.core.policy import Policy
from rota.core.retry import delay_s, will_retry
from rota.core.states import State, move


class Verdict(Struct, frozen=True):
    """The state a run moves to. A run that goes back to `pending` is tried again at `due_at`."""

    state: State
    due_at: datetime | None = None

    @property
    def is_retry(self) -> bool:
        return self.due_at is not None


def judge(policy: Policy, attempt: int, outcome: Outcome, now: datetime, *, draw: float = 1.0, resumes: bool = False) -> Verdict:
    """The verdict on attempt number `attempt` (from 1) of a run.

    draw     a random number in [0, 1) for a backoff with jitter
    resumes  whether work that died with its node goes on behind its finished steps (a crash is then no end)
    """
    if outcome.state == "crashed" and resumes:
        return Verdict(move("running", "pending"), now)
    if will_retry(policy.retry, attempt, outcome):
        wait = timedelta(seconds=delay_s(policy.retry, attempt, draw))
        return Verdict(move("running", "pending"), now + wait)
    return Verdict(move("running", outcome.state))
