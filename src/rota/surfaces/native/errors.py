"""Errors of the native API: problem+json (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from msgspec import Struct

from rota.core import errors
from rota.core.errors import Invalid, RotaError
from rota.http.errors import Headers
from rota.http.reply import Reply, encode
from rota.ops import reading

MEDIA_TYPE = "application/problem+json"


class FieldProblem(Struct):
    """One unusable value: where it is, such as `body.schedule.expr`, and what is wrong with it."""

    location: str
    message: str
    value: Any = None


class ProblemDetails(Struct, kw_only=True):
    """`code` is stable and for programs, `detail` for people, `hint` the next step, `errors` one entry for each field."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    errors: list[FieldProblem] = []


def render_problem(error: RotaError, status: int, headers: Headers) -> Reply:
    details = ProblemDetails(
        title=HTTPStatus(status).phrase,
        status=status,
        code=error.code,
        detail=error.message,
        hint=error.hint,
        errors=[_field(problem) for problem in error.problems] if isinstance(error, Invalid) else [],
    )
    return Reply(status, encode(details), MEDIA_TYPE.encode(), headers)


def _field(problem: errors.Problem) -> FieldProblem:
    return FieldProblem(problem.location, problem.message, reading.shown(problem.value, problem.location))
