"""Errors as NLA words them: `{"message"}`, and 400 for whatever cannot be used (contract §9)."""

from http import HTTPStatus

from rota.core.errors import Invalid, RotaError
from rota.http.errors import Headers
from rota.http.reply import Reply, encode
from rota.surfaces.nla.wire import Refusal

STATUS: dict[str, int] = {"invalid": 400, "malformed": 400, "unsupported_media_type": 400}
UNEXPECTED = "Something went wrong"
UNAUTHORIZED = "Unauthorized. API key is invalid"
# Where something is, in our words and in those of this API.
PLACES = (
    ("body.executor.nodes", "workflow"),
    ("body.nodes", "workflow"),
    ("body.executor.variables", "variables"),
    ("body.title", "name"),
    ("body.name", "id"),
    ("body.params", "input"),
)


class Unusable(Invalid):
    """A body in which something is wrong; its locations are in the words of this API already."""


def render(error: RotaError, status: int, headers: Headers) -> Reply:
    status = STATUS.get(error.code, status)
    if status == HTTPStatus.UNAUTHORIZED:
        return Reply(status, encode(Refusal(UNAUTHORIZED)))
    return Reply(status, encode(Refusal(_words(error, status))), headers=headers)


def _words(error: RotaError, status: int) -> str:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return UNEXPECTED
    if not isinstance(error, Invalid) or not error.problems:
        return error.message
    place = isinstance(error, Unusable)
    return "; ".join(f"{each.location if place else _placed(each.location)}: {each.message}" for each in error.problems)


def _placed(location: str) -> str:
    for ours, theirs in PLACES:
        if location == ours or location.startswith(f"{ours}."):
            return theirs + location[len(ours) :]
    return location.removeprefix("body.")
