"""Something that is to be told to somebody outside: how often it is tried, and what an answer means."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

# What a delivery's body says of a run; the address, and the target, of a mail to somebody whom a task names.
NOTE, MAIL = "note", "mail"
# What a form has written, or what reads the rest of it, which may take long: after the transaction.
Body = bytes | Callable[[], Awaitable[bytes]]
DeliveryStatus = Literal["waiting", "delivered", "failed", "merged", "dropped"]
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
# Nobody is made to wait longer than this by an answer's Retry-After.
LONGEST_ASKED_WAIT_S = 3600.0
# Refusals that may pass by themselves. Another 4xx means that the same request is refused again.
PASSING_CODES = frozenset({404, 408, 409, 423, 425, 429})


class Delivery(Struct, frozen=True, kw_only=True):
    """One thing to tell one target. Moments are aware UTC.

    lane       deliveries of one lane arrive in the order they were written
    target     whose limit of deliveries at one time it counts towards
    address    `{"notifier": id, "to": …}` of the settings, `{"mail": to}` of a task, or `{"url": …}` that came in over an API
    form       who writes its body when it is sent; None if `body` is what is sent
    mergeable  a later one of its lane stands for it as long as it waits
    give_up_at after this there is no further try; None: one single try, whose failure nobody is told of
    """

    id: str
    lane: str
    target: str
    address: dict[str, Any]
    created_at: datetime
    due_at: datetime
    form: str | None = None
    body: Any = None
    mergeable: bool = False
    give_up_at: datetime | None = None
    run_id: str | None = None
    owner_id: str | None = None
    status: DeliveryStatus = "waiting"
    attempts: int = 0
    error: str | None = None
    ended_at: datetime | None = None


class DeliveryAttempt(Struct, frozen=True, kw_only=True):
    """One try, for the delivery log. `code` is the status of the answer, None where there was none."""

    number: int
    at: datetime
    duration_s: float
    code: int | None = None
    error: str | None = None


class Sent(Struct, frozen=True, kw_only=True):
    """What a try came to. `error` is None for a success; `is_final` means that no further try can help, `is_gone` that there is
    nobody any more at that address."""

    code: int | None = None
    error: str | None = None
    is_final: bool = False
    retry_after_s: float | None = None
    is_gone: bool = False


def judge_answer(code: int, retry_after_s: float | None = None) -> Sent:
    """What an HTTP answer means for a delivery. A redirect is never followed: the target is the one that was checked."""
    if 200 <= code < 300:
        return Sent(code=code)
    if 300 <= code < 400:
        return Sent(code=code, error=f"answered {code}; redirects are not followed", is_final=True)
    is_final = 400 <= code < 500 and code not in PASSING_CODES
    return Sent(code=code, error=f"answered {code}", is_final=is_final, retry_after_s=retry_after_s)


def next_try_at(delivery: Delivery, sent: Sent, now: datetime) -> datetime | None:
    """When a failed try is repeated: after 1 s, doubling to 60 s, or when the receiver asked for it. None: never.

    `attempts` counts the try that failed.
    """
    if sent.is_final or delivery.give_up_at is None:
        return None
    wait_s = min(FIRST_WAIT_S * 2 ** min(delivery.attempts - 1, 10), LONGEST_WAIT_S)
    asked_s = min(sent.retry_after_s or 0.0, LONGEST_ASKED_WAIT_S)
    at = now + timedelta(seconds=max(wait_s, asked_s))
    return at if at <= delivery.give_up_at else None
