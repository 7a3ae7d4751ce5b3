"""Refusals in the three shapes of this API (contract §11): A for the framework's own, B and C for what an operation refuses."""

from typing import Any

from msgspec import Struct

from rota.core.artifact import ArtifactRefused, MissingArtifacts
from rota.core.errors import Conflict, Forbidden, Invalid, NotFound, RotaError, Throttled, Unauthorized, Unavailable
from rota.http.errors import Headers, MethodNotAllowed, UnsupportedMediaType
from rota.http.reply import Reply, encode
from rota.ops.projects import MissingScope, OutsideProject, UnknownProject
from rota.ops.pushtokens import UnknownDevice

NOT_FOUND = "Not found."
NO_CREDENTIALS = "Authentication credentials were not provided."
BAD_KEY = "Personal API key found in request Authorization header is invalid."
FAULT = "A server error occurred."


class Envelope(Struct, kw_only=True):
    """Shape A. `attr` is the field, its steps joined by two underscores; null for the whole."""

    type: str
    code: str
    detail: str
    attr: str | None


class NotAuthenticated(Unauthorized):
    """Nothing was shown at all."""


class Wrong(RotaError):
    """Shape A, 400: the first thing that is wrong with a body or a query.

    kind  Django REST framework's word: `required`, `null`, `blank`, `max_length`, `invalid_choice`, … or `invalid_input`
    attr  the field, such as `artifacts__0__size`; None for the whole
    """

    code = "malformed"

    def __init__(self, kind: str, detail: str, attr: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.attr = attr


class Refused(RotaError):
    """Shape B, `{"error": …}`: what an operation refuses. 400 unless said otherwise."""

    code = "malformed"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Detailed(RotaError):
    """Shape C, `{"detail": …}` and what else there is to say. 400."""

    code = "malformed"

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message)
        self.more = more


def render(error: RotaError, status: int, headers: Headers) -> Reply:
    match error:
        case Refused():
            return Reply(error.status, encode({"error": error.message}), headers=headers)
        case Detailed():
            return Reply(400, encode({"detail": error.message, **error.more}), headers=headers)
        case MissingArtifacts():
            missing = {"detail": error.message, "missing_artifact_ids": error.missing_artifact_ids}
            return Reply(400, encode(missing), headers=headers)
        case Conflict() | ArtifactRefused():
            return Reply(400, encode({"error": error.message}), headers=headers)
        case Unavailable():
            return Reply(status, encode({"error": error.message}), headers=headers)
    if status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    shown, envelope = _envelope(error, status)
    return Reply(shown, encode(envelope), headers=headers)


def _envelope(error: RotaError, status: int) -> tuple[int, Envelope]:
    match error:
        case Wrong():
            return 400, Envelope(type="validation_error", code=error.kind, detail=error.message, attr=error.attr)
        case Invalid(code="malformed"):
            return 400, _request("parse_error", f"JSON parse error - {error.message}")
        case Invalid():
            return 400, _invalid(error)
        case Unauthorized() | Forbidden():
            return status, _authority(error)
        case NotFound():
            return 404, _request("not_found", _missing(error))
        case MethodNotAllowed():
            return 405, _request("method_not_allowed", f'Method "{error.message.partition(" ")[0]}" not allowed.')
        case UnsupportedMediaType():
            return 415, _request("unsupported_media_type", f"Unsupported media type in request: {error.message}.")
        case Throttled():
            wait_s = max(1, int(-(-error.retry_after_s // 1)))
            detail = f"Request was throttled. Expected available in {wait_s} second{'' if wait_s == 1 else 's'}."
            return 429, Envelope(type="throttled_error", code="throttled", detail=detail, attr=None)
    if status == 404:
        return 404, _request("not_found", NOT_FOUND)
    if status < 500:
        return status, _request(error.code, error.message)
    return status, Envelope(type="server_error", code="error", detail=FAULT, attr=None)


def _request(code: str, detail: str) -> Envelope:
    return Envelope(type="invalid_request", code=code, detail=detail, attr=None)


def _invalid(error: Invalid) -> Envelope:
    """What an operation found wrong, at the place where this API has it."""
    if not error.problems:
        return Envelope(type="validation_error", code="invalid_input", detail=error.message, attr=None)
    first = error.problems[0]
    attr = "__".join(first.location.split(".")[1:]) or None
    return Envelope(type="validation_error", code="invalid_input", detail=first.message, attr=attr)


def _authority(error: Unauthorized | Forbidden) -> Envelope:
    code, detail = "permission_denied", error.message
    match error:
        case NotAuthenticated():
            code, detail = "not_authenticated", NO_CREDENTIALS
        case Unauthorized():
            code, detail = "authentication_failed", BAD_KEY
        case MissingScope():
            detail = f"API key missing required scope '{error.scope}'"
        case OutsideProject():
            detail = f"API key does not have access to the requested project: ID {error.project_id}."
    return Envelope(type="authentication_error", code=code, detail=detail, attr=None)


def _missing(error: NotFound) -> str:
    match error:
        case UnknownProject():
            return "Project not found."
        case UnknownDevice():
            return "device_id does not match a push token registered by the caller"
    return NOT_FOUND
