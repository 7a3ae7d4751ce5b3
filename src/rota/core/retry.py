"""When a failed attempt is tried again."""

from collections.abc import Sequence

from rota.core.outcome import Outcome
from rota.core.policy import Backoff, Restart, Retry

# Longest wait of a growing restart curve, of services and of tasks alike (RunWisp §8.2).
RESTART_CAP_S = 60.0
# Earlier attempts than these change neither count.
RECENT_ATTEMPTS = 128


def delay_s(retry: Retry, failed_attempts: int, draw: float = 1.0) -> float:
    """Seconds before the next attempt.

    failed_attempts  attempts made so far, 1 for the first retry
    draw             a random number in [0, 1), used by `exponential_jitter` alone: the wait lies in [half, whole] of the curve

    The growing curves are capped by `cap_s`; a constant delay is meant literally.
    """
    curve = curve_s(retry.backoff, retry.delay_s, retry.cap_s, failed_attempts)
    return curve * (0.5 + 0.5 * draw) if retry.backoff == "exponential_jitter" else curve


def curve_s(backoff: Backoff, delay_s: float, cap_s: float, failures: int) -> float:
    """The curve without jitter: constant d · linear d·n · exponential d·2^(n-1)."""
    match backoff:
        case "constant":
            return delay_s
        case "linear":
            return min(delay_s * failures, cap_s)
        case "exponential" | "exponential_jitter":
            # 2^64 seconds is past any cap; the bound keeps the power from overflowing.
            return min(delay_s * 2.0 ** min(failures - 1, 64), cap_s)


def will_retry(retry: Retry, attempt: int, outcome: Outcome) -> bool:
    """Whether attempt number `attempt` (from 1) with this outcome is followed by another.

    A crash is never retried by itself: what the attempt had done is unknown.
    """
    return outcome.is_failure and outcome.state != "crashed" and not outcome.final and attempt <= retry.attempts


def restart_wait_s(restart: Restart, uptimes_s: Sequence[float]) -> float | None:
    """Seconds before work that failed is started again; None gives it up (RunWisp §8.2).

    uptimes_s  how long each of its attempts took, the one that failed now last; `RECENT_ATTEMPTS` of them are enough
    """
    restarts, fast = 0, 0
    for uptime_s in uptimes_s:
        healthy = uptime_s >= restart.healthy_after_s
        restarts, fast = (1, 0) if healthy else (restarts + 1, fast + 1)
    if fast > restart.start_retries:
        return None
    return curve_s(restart.backoff, restart.delay_s, RESTART_CAP_S, restarts)
