"""One HTTP call as an attempt: made, logged, ended early where the run is to stop."""

import asyncio

from msgspec import Struct

from rota.core.outcome import Outcome
from rota.core.request import Request
from rota.executors.agentlog import AgentLog
from rota.executors.base import Context
from rota.executors.stopping import Overdue, StoppableAttempt, Stopped
from rota.outgoing import Answer, Failed, Outgoing, Refused

MOST_BYTES = 1024 * 1024
# Of an answer, this much stands in the log.
SHOWN = 64 * 1024
LONGEST_S = 300.0
# What says nothing of who asks. The values of all others are hidden.
PLAIN_HEADERS = frozenset({"accept", "accept-language", "cache-control", "content-type", "idempotency-key", "user-agent"})
HIDDEN_ANSWERS = frozenset({"set-cookie", "www-authenticate", "authentication-info"})


class Answered(Struct, frozen=True, kw_only=True):
    """`text` is the body; headers that hold secrets are without their values."""

    status: int
    headers: dict[str, str]
    text: str
    is_cut: bool


async def carry_out_call(context: Context, outgoing: Outgoing, request: Request, log: AgentLog) -> Answered | Outcome:
    """The answer, whatever its status; or the outcome, where there is none.

    A task that the operator wrote into the settings file may call whatever it names.
    """
    log.hide(_secrets_of(request))
    log.note(f"{request.method} {request.url}")
    attempt, limit_s = StoppableAttempt(context), context.task.spec.policy.timeout_s or LONGEST_S
    calling = outgoing.request(
        request.method, request.url, request.headers, request.body,
        trusted=context.task.source == "file", timeout_s=limit_s, max_bytes=MOST_BYTES,
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        answer = await attempt.within(calling)
    except Stopped:
        return attempt.stopped("its call")
    except (Refused, Failed, Overdue) as error:
        reason = log.mask(str(error))
        log.note(reason)
        return Outcome(state="failed", error=reason, final=isinstance(error, Refused))
    return _answered(answer, log, loop.time() - start)


def _answered(answer: Answer, log: AgentLog, took_s: float) -> Answered:
    text = log.mask(answer.text)
    headers = {name: "[redacted]" if name in HIDDEN_ANSWERS else log.mask(value) for name, value in answer.headers.items()}
    log.note(f"HTTP status {answer.status} after {took_s:.3f} s")
    for name, value in headers.items():
        log.note(f"{name}: {value}")
    log.hear(text[:SHOWN])
    log.end_words()
    if answer.is_cut or len(text) > SHOWN:
        log.note("there was more of it")
    return Answered(status=answer.status, headers=headers, text=text, is_cut=answer.is_cut)


def _secrets_of(request: Request) -> list[str]:
    values = [value for name, value in request.headers.items() if name not in PLAIN_HEADERS]
    return [*values, *(word for value in values for word in value.split())]
