"""Errors as Ordinaut's documentation promises them: one envelope for every status (contract §11)."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rota.core.errors import Duplicate, Invalid, Problem, RotaError, Throttled
from rota.http.errors import Headers, RenderError
from rota.http.reply import Reply, encode
from rota.ops import reading
from rota.ops.context import Rota
from rota.surfaces.ordinaut.moments import stamp

# Of the request that is being answered.
request_id: ContextVar[str] = ContextVar("request_id", default="req-00000000")

# Code of our error -> its status and name here, where they differ from the usual.
NAMES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "BadRequest"),
    "conflict": (400, "InvalidState"),
    "malformed": (422, "ValidationError"),
    "invalid": (422, "ValidationError"),
    "not_found": (404, "NotFound"),
    "no_such_path": (404, "NotFound"),
    "throttled": (429, "RateLimitExceeded"),
    "too_large": (413, "PayloadTooLarge"),
}
UNEXPECTED = "An unexpected error occurred. Please try again later."
KINDS: tuple[tuple[str, str], ...] = (
    (r"^is required", "missing"),
    (r"length <=", "string_too_long"),
    (r"length >=", "string_too_short"),
    (r"<=", "less_than_equal"),
    (r">=", "greater_than_equal"),
    (r" > \d", "greater_than"),
    (r"is not known here|nvalid enum", "enum"),
    (r"nvalid UUID", "uuid_parsing"),
    (r"^expected `(?P<type>\w+)", "{type}_type"),
)


class BadRequest(RotaError):
    """What is asked for does not fit together with what there is."""

    code = "bad_request"


class RateLimited(Throttled):
    """`limit`: which one, such as `60/minute`."""

    def __init__(self, limit: str, retry_after_s: float) -> None:
        super().__init__(f"Rate limit exceeded: {limit}", retry_after_s=retry_after_s)
        self.limit = limit


class Envelope(Struct, kw_only=True):
    """The body of every refusal. `detail` is a list of problems on 422, else the message."""

    error: str
    message: str
    details: dict[str, Any] | None
    request_id: str
    timestamp: str
    detail: list[dict[str, Any]] | str


class LimitEnvelope(Envelope, kw_only=True):
    retry_after: int


def renderer(rota: Rota) -> RenderError:
    return lambda error, status, headers: render(error, status, headers, lambda: stamp(rota.clock.now()))


def render(error: RotaError, status: int, headers: Headers, now: Callable[[], str]) -> Reply:
    status, name = NAMES.get(error.code, (status, _name(status)))
    if isinstance(error, Duplicate):
        status, name = 409, "DuplicateTask"
    message = UNEXPECTED if status == HTTPStatus.INTERNAL_SERVER_ERROR else error.message
    problems = _problems(error)
    facts: dict[str, Any] = {
        "error": name,
        "message": message,
        "details": _details(error, problems),
        "request_id": request_id.get(),
        "timestamp": now(),
        "detail": [_detail(problem, error) for problem in problems] or message,
    }
    if isinstance(error, Throttled):
        return Reply(status, encode(LimitEnvelope(**facts, retry_after=int(dict(headers)[b"retry-after"]))), headers=headers)
    return Reply(status, encode(Envelope(**facts)), headers=headers)


def relocate(error: Invalid, places: tuple[tuple[str, str], ...]) -> Invalid:
    """The same with locations in the words of this API: the first prefix that fits is replaced."""
    problems = [replace(problem, location=_moved(problem.location, places)) for problem in error.problems]
    return Invalid(f"{problems[0].location}: {problems[0].message}" if problems else error.message, problems)


def _moved(location: str, places: tuple[tuple[str, str], ...]) -> str:
    for before, after in places:
        if location == before or location.startswith(f"{before}."):
            return after + location[len(before) :]
    return location


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _problems(error: RotaError) -> list[Problem]:
    if not isinstance(error, Invalid):
        return []
    return error.problems or [Problem("body", error.message)]


def _details(error: RotaError, problems: list[Problem]) -> dict[str, Any] | None:
    if isinstance(error, Duplicate):
        return {"existing_task_id": error.existing_id}
    if isinstance(error, RateLimited):
        return {"limit": error.limit}
    if not problems:
        return None
    first = problems[0]
    field = first.location.partition(".")[2] or first.location
    return {"field": field, "value": reading.shown(first.value, first.location), "expected": first.message}


def _detail(problem: Problem, error: RotaError) -> dict[str, Any]:
    kind = "json_invalid" if error.code == "malformed" else _kind(problem.message)
    loc = [int(part) if part.isdecimal() else part for part in problem.location.split(".")]
    return {"type": kind, "loc": loc, "msg": problem.message, "input": reading.shown(problem.value, problem.location)}


def _kind(message: str) -> str:
    for pattern, kind in KINDS:
        found = re.search(pattern, message)
        if found:
            return kind.format(**found.groupdict())
    return "value_error"
