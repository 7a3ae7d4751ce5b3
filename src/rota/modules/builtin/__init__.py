"""The modules that come with Rota: one file each, all in one list."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rota.modules.builtin import checks, given
from rota.modules.builtin.checks import Check

if TYPE_CHECKING:  # a worker imports this package too, and has no use for all that reads settings
    from rota.config import Settings
    from rota.config.notify import Notifier

HERE = "rota.modules.builtin"


class Builtin(Struct, frozen=True):
    """A module of ours.

    path   where it is imported from, in a worker and, for its definition, in the server: keep its own imports light
    given  what of the settings its runs are given as `ctx.given`: JSON, as small as it can be, for it may hold secrets
    check  what is wrong with params that fit the definition, at locations below `params`
    """

    path: str
    given: "Callable[[Settings, Sequence[Notifier]], dict[str, Any]]" = given.nothing
    check: Check = checks.no_problems


BUILTINS: dict[str, Builtin] = {
    "sleep": Builtin(f"{HERE}.sleep"),
    "http_check": Builtin(f"{HERE}.http_check", given.guard, checks.check_http),
    "archive": Builtin(f"{HERE}.archive", given.roots, checks.check_archive),
    "checksum": Builtin(f"{HERE}.checksum", given.roots, checks.check_checksum),
    "sql": Builtin(f"{HERE}.sql", given.databases, checks.check_sql),
    "email_report": Builtin(f"{HERE}.email_report", given.mailers, checks.check_mail),
    "search": Builtin(f"{HERE}.records", given.records, checks.check_records),
    "delete_objects": Builtin(f"{HERE}.records", given.records, checks.check_records),
    "set_unset_tags": Builtin(f"{HERE}.records", given.records, checks.check_records),
    "metadata": Builtin(f"{HERE}.records", given.records, checks.check_records),
    "consolidate_objects": Builtin(f"{HERE}.records", given.records, checks.check_consolidation),
}


def gather_given(settings: "Settings", notifiers: "Sequence[Notifier]" = ()) -> dict[str, dict[str, Any]]:
    """What each of our modules is given by these settings."""
    return {name: builtin.given(settings, notifiers) for name, builtin in BUILTINS.items()}
