"""Errors as RunWisp's clients know them: problem+json, with its own statuses (contract §12.3)."""

from http import HTTPStatus

from rota.core.errors import Invalid, Problem, RotaError
from rota.http.errors import Headers
from rota.http.reply import Reply, encode
from rota.ops import reading
from rota.surfaces.runwisp import wire

MEDIA_TYPE = "application/problem+json"
SCHEMA = "/schemas/ErrorModel.json"


class NotThat(RotaError):
    """It cannot be done with this: no service, or not running."""

    code = "malformed"


def render_problem(error: RotaError, status: int, headers: Headers) -> Reply:
    problems = error.problems if isinstance(error, Invalid) else []
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and not _is_about_address(problems):
        status = HTTPStatus.BAD_REQUEST
    model = wire.ErrorModel(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        errors=[_detail(problem) for problem in problems] or None,
    )
    return Reply(status, encode(model), MEDIA_TYPE.encode(), headers)


def _is_about_address(problems: list[Problem]) -> bool:
    """A path or query that breaks a rule is 422, a body 400."""
    return any(problem.location.startswith(("path", "query", "header")) for problem in problems)


def _detail(problem: Problem) -> wire.ErrorDetail:
    return wire.ErrorDetail(problem.location, problem.message, reading.shown(problem.value, problem.location))
