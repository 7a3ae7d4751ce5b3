"""What a reload would change."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from rota.config.settings import Settings
from rota.config.unit import Unit
from rota.core.task import TaskSpec


class Changed(Struct, frozen=True):
    """A unit that differs, and in which fields: `executor.script`, `policy.retry.delay_s`, `secrets`. Never with values."""

    name: str
    reasons: list[str]


class Diff(Struct, frozen=True):
    """Names in the order of the alphabet."""

    added: list[str]
    changed: list[Changed]
    removed: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def diff_units(old: Iterable[Unit], new: Iterable[Unit]) -> Diff:
    """From the units that run to those of a file read anew. Where a unit stands does not count."""
    before, after = {unit.name: unit for unit in old}, {unit.name: unit for unit in new}
    shared = sorted(before.keys() & after.keys())
    changed = [Changed(name, reasons) for name in shared if (reasons := _reasons(before[name], after[name]))]
    return Diff(sorted(after.keys() - before.keys()), changed, sorted(before.keys() - after.keys()))


def restart_only_changes(old: Settings, new: Settings) -> list[str]:
    """Settings that differ (`daemon.shutdown_timeout`): each of them needs a restart, so that a reload must be refused."""
    changes = []
    for section in Settings.__struct_fields__:
        before, after = getattr(old, section), getattr(new, section)
        if isinstance(before, tuple):
            changes += [section] if before != after else []
        else:
            fields = type(before).__struct_fields__
            changes += [f"{section}.{field}" for field in fields if getattr(before, field) != getattr(after, field)]
    return changes


def _reasons(old: Unit, new: Unit) -> list[str]:
    before, after = _flat(old.spec), _flat(new.spec)
    reasons = [field for field in {**before, **after} if before.get(field) != after.get(field)]
    if old.secrets != new.secrets:
        reasons.append("secrets")
    return sorted(reasons)


def _flat(spec: TaskSpec) -> dict[str, Any]:
    """Fields that are not at their default, by dotted name; `env` and `params` as one each."""
    return dict(_leaves("", msgspec.to_builtins(spec)))


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and prefix not in ("executor.env.", "params."):
        for key, item in value.items():
            yield from _leaves(f"{prefix}{key}.", item)
    else:
        yield prefix.removesuffix("."), value
