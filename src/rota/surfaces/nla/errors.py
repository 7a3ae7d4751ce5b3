"""Errors as NLA words them: `{"message"}`, and 400 for whatever cannot be used (contract §9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from rota.core.errors import Invalid, Problem, RotaError
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


@contextmanager
def in_their_words() -> Iterator[None]:
    """What is wrong with a task is wrong with the agent or its run that was sent: Invalid becomes Unusable."""
    try:
        yield
    except Invalid as error:
        raise Unusable(error.message, [Problem(_placed(each.location), each.message) for each in error.problems]) from None


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
    return "; ".join(f"{each.location.removeprefix('body.')}: {each.message}" for each in error.problems)


def _placed(location: str) -> str:
    for ours, theirs in PLACES:
        if location == ours or location.startswith(f"{ours}."):
            return theirs + location[len(ours) :]
    return location.removeprefix("body.")
