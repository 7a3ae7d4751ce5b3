"""Which status each error of ours has. How it is written down is the surface's."""

import math
from collections.abc import Callable
from http import HTTPStatus

import structlog

from rota.core.errors import RotaError, Throttled
from rota.http.reply import Reply

log = structlog.get_logger()

STATUS: dict[str, int] = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "no_such_path": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "conflict": HTTPStatus.CONFLICT,
    "stale_fence": HTTPStatus.CONFLICT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "throttled": HTTPStatus.TOO_MANY_REQUESTS,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}

Headers = tuple[tuple[bytes, bytes], ...]
# Writes an error in a surface's own shape, with the headers its status asks for.
RenderError = Callable[[RotaError, int, Headers], Reply]


class NoSuchPath(RotaError):
    code = "no_such_path"


class MethodNotAllowed(RotaError):
    """`allowed` are the methods the path has."""

    code = "method_not_allowed"

    def __init__(self, message: str, allowed: list[str]) -> None:
        super().__init__(message)
        self.allowed = allowed


class UnsupportedMediaType(RotaError):
    code = "unsupported_media_type"


class Fault(RotaError):
    """A mistake of ours. What it was stands in the server's own log alone."""

    code = "internal"


def answer_error(error: Exception, render: RenderError) -> Reply:
    """The reply to an error. What is not meant for the asker is written to the server's log and told as a fault."""
    if not isinstance(error, RotaError):
        log.error("a request failed", exc_info=error)
        error = Fault("the server made a mistake; its log tells more")
    status = int(STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR))
    return render(error, status, _headers(error, status))


def _headers(error: RotaError, status: int) -> Headers:
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", ", ".join(error.allowed).encode()),)
    if isinstance(error, Throttled):
        return ((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))),)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return ((b"www-authenticate", b'Bearer realm="rota"'),)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ((b"connection", b"close"),)
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return ((b"retry-after", b"1"),)
    return ()
