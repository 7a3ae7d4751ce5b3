"""No clock at all: the task runs when it is asked to."""

from msgspec import Struct

from rota.core.schedule.planned import Never, Schedule, Terms


class ManualSchedule(Struct, frozen=True, tag_field="kind", tag="manual", forbid_unknown_fields=True):
    """Started by hand, through an API or by another task only."""

    def compile(self, terms: Terms) -> Schedule:
        return Never()
