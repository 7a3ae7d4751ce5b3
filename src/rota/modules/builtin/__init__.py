"""The modules that come with Rota: one file each, all in one list."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rota.core.errors import Problem

if TYPE_CHECKING:  # a worker imports this package too, and has no use for all that reads settings
    from rota.config import Settings


def _nothing(_settings: "Settings") -> dict[str, Any]:
    return {}


def _no_problems(_params: Mapping[str, Any]) -> list[Problem]:
    return []


class Builtin(Struct, frozen=True):
    """A module of ours.

    path   where it is imported from, in a worker and, for its definition, in the server: keep its own imports light
    given  what of the settings its runs are given as `ctx.given`: JSON, as small as it can be, for it may hold secrets
    check  what is wrong with params that fit the definition, at locations below `params`
    """

    path: str
    given: "Callable[[Settings], dict[str, Any]]" = _nothing
    check: Callable[[Mapping[str, Any]], list[Problem]] = _no_problems


BUILTINS: dict[str, Builtin] = {
    "sleep": Builtin("rota.modules.builtin.sleep"),
}
