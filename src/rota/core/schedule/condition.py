"""Started from outside, by whoever watches a condition."""

from msgspec import Struct

from rota.core.schedule.planned import Never, Schedule, Terms


class ConditionSchedule(Struct, frozen=True, tag_field="kind", tag="condition", omit_defaults=True, forbid_unknown_fields=True):
    """`expr` says for people and programs outside when the task is to be started; Rota itself never looks at it."""

    expr: str | None = None
    timezone: str | None = None

    def compile(self, terms: Terms) -> Schedule:
        return Never()
