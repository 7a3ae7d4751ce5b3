"""The states of a run, as a table. What is not listed cannot happen."""

from typing import Literal

from rota.core.errors import Conflict

State = Literal[
    "pending", "running", "succeeded", "failed", "timed_out", "stopped", "canceled", "crashed", "skipped", "queue_full", "missed"
]  # fmt: skip

# Why a run stands where it stands, when its state alone does not say it.
Reason = Literal[
    "overlap",          # refused: the task is running already, and its policy is skip
    "replaced",         # stopped or skipped in favour of a newer run (policy terminate)
    "dedupe",           # refused: a run with the same dedupe key is recent enough
    "dst_fold",         # refused: this wall time was already run before the clock went back
    "misfire",          # missed by more than the policy's grace
    "downtime",         # missed: nothing was awake at that moment
    "event_loop",       # refused: the event was caused by a run of the same task
    "event_depth",      # refused: the chain of causes is too deep
    "task_removed",     # refused or stopped: its task went away
    "task_paused",      # refused: its task was paused before it started
    "retry_refused",    # the retry could not start; the run keeps what its last attempt came to
    "spawn",            # the work could not be started
    "disk_full",        # refused: not enough free space
    "log_overflow",     # stopped by its own output (on_full = kill_task)
    "start_failed",     # a service instance that gave up
    "shutdown",         # the server stopped
    "shutdown_overrun", # the server stopped, and had to kill it in the end
    "node_died",        # the server died while the run was going on
    "worker_lost",      # the worker from outside that had the run was not heard from any more
    "no_place",         # waits, or ended so: nobody who could carry it out is there, or they are all busy
    "inactive",         # ended because nothing had come of it for long
]  # fmt: skip

States = frozenset[State]

LIVE: States = frozenset({"pending", "running"})
REFUSED: States = frozenset({"skipped", "queue_full", "missed"})
FAILURES: States = frozenset({"failed", "timed_out", "crashed"})
STOPS: States = frozenset({"stopped", "canceled"})
SUCCESSES: States = frozenset({"succeeded"})
ENDED: States = SUCCESSES | STOPS | FAILURES | REFUSED

_TO_RUNNING: States = frozenset({"running"})
_TO_PENDING: States = frozenset({"pending"})
NEXT: dict[State, States] = {
    # A failure from pending: a retry that was refused keeps what the attempt before it came to.
    "pending": _TO_RUNNING | STOPS | FAILURES | REFUSED,
    # Pending again: a retry that waits for its time, or a claim that was given back unused.
    "running": _TO_PENDING | SUCCESSES | STOPS | FAILURES,
    **{state: frozenset[State]() for state in ENDED},
}


def move(state: State, to: State) -> State:
    """The one way from state to state.

    Raises Conflict for a step the table does not list.
    """
    if to not in NEXT[state]:
        raise Conflict(f"a run that is {state} cannot become {to}")
    return to
