"""Errors as fylr writes them: one envelope for every status, with a stable code (contract §9)."""

from http import HTTPStatus
from typing import Any

from msgspec import Struct

from rota.core.errors import Invalid, RotaError
from rota.http.errors import Headers
from rota.http.reply import Reply, encode
from rota.ops.modulechanges import OtherVersion

REALM = "api"
GENERIC = "ServerGeneric"
RIGHTS = "system.task, system.root"
# Location of ours -> the field of this API.
PLACES = (
    ("body.task", "task"),
    ("body.executor.params", "task.task_params"),
    ("body.executor.module", "task.task_module"),
    ("body.schedule.entries", "task.schedules"),
    ("body.schedule.at", "task.next_run_at"),
    ("body.policy.timeout_s", "task.task_timeout_sec"),
    ("body.notify.mail", "task.email.recipients"),
    ("body.description", "task.description"),
)
# These stay what they are; whatever else is wrong with a request is a 400.
KEPT = frozenset({401, 403, 404, 405, 413, 429, 500, 503})


class Refused(RotaError):
    """A refusal that this API has a code of its own for."""

    code = "refused"

    def __init__(self, status: int, name: str, package: str, message: str, /, **parameters: Any) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.package = package
        self.parameters = parameters


class Envelope(Struct, kw_only=True):
    """The body of every refusal. `code` is stable; `parameters` repeat realm and status."""

    code: str
    error: str
    package: str
    parameters: dict[str, Any]
    realm: str
    statuscode: int


def not_readable(number: int) -> Refused:
    """Of what one may not see, and of what there is not, one is told the same."""
    return Refused(404, "ResourceNotFound", "api", f"task {number} does not exist.", resource=f"task {number}")


def not_there(number: int) -> Refused:
    return Refused(404, "ObjectNotFound", "ferrors", f"task {number} does not exist.", object=f"task {number}")


def not_yours(number: int) -> Refused:
    return Refused(403, "InsufficientRights", "task", f"No access to task {number}.", taskid=number)


def no_such_module(name: str) -> Refused:
    return Refused(400, "ModuleUnknown", "task", f'No module "{name[:100]}".', name=name[:100])


def other_version(expected: int, given: int | None, name: str) -> Refused:
    message = f"Version {expected} expected, {'none' if given is None else given} received."
    return Refused(400, "VersionMismatch", "ferrors", message, expected=expected, got=given, object=name)


def generic(message: str) -> Refused:
    return Refused(400, GENERIC, "ferrors", message, msg=message)


def render(error: RotaError, status: int, headers: Headers) -> Reply:
    told = _as_refused(error, status)
    envelope = Envelope(
        code=told.name,
        error=f"{told.message}\n\nPackage: {told.package}\nCode: {told.name}",
        package=told.package,
        parameters={**told.parameters, "realm": REALM, "statuscode": told.status},
        realm=REALM,
        statuscode=told.status,
    )
    return Reply(told.status, encode(envelope), headers=headers)


def _as_refused(error: RotaError, status: int) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, OtherVersion):
        return other_version(error.expected, error.given, f"task {error.number}")
    match error.code:
        case "unauthorized":
            return Refused(401, "UserRequired", "ferrors", "A logged-in user is needed.")
        case "forbidden":
            return Refused(403, "SystemRightRequired", "acl", "Missing system right.", rights=RIGHTS)
        case "no_such_path" | "method_not_allowed":
            return Refused(status, "UnknownEndpointMethod", "api", error.message)
    message = _message(error)
    status = status if status in KEPT else HTTPStatus.BAD_REQUEST
    return Refused(int(status), GENERIC, "ferrors", message, msg=message)


def _message(error: RotaError) -> str:
    """With locations in the words of this API."""
    if not isinstance(error, Invalid) or not error.problems:
        return error.message
    return "; ".join(f"{_moved(problem.location)}: {problem.message}" for problem in error.problems)


def _moved(location: str) -> str:
    for before, after in PLACES:
        if location == before or location.startswith(f"{before}."):
            return after + location[len(before) :]
    return location
