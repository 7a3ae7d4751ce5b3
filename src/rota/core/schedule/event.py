"""Started by events on a topic."""

from typing import Annotated

from msgspec import Meta, Struct

from rota.core.errors import Invalid
from rota.core.schedule.planned import Never, Schedule, Terms

LONGEST_TOPIC = 100


class EventSchedule(Struct, frozen=True, tag_field="kind", tag="event", omit_defaults=True, forbid_unknown_fields=True):
    """One run for each event whose topic equals `topic`: case counts, there are no wildcards.

    topic     None waits for no event (yet)
    timezone  kept for whoever asks; an event has no wall time
    """

    topic: Annotated[str, Meta(min_length=1, max_length=LONGEST_TOPIC)] | None
    timezone: str | None = None

    def compile(self, terms: Terms) -> Schedule:
        """Raises Invalid at `topic`."""
        if self.topic is not None and not 1 <= len(self.topic) <= LONGEST_TOPIC:
            raise Invalid.at("topic", f"must have from 1 to {LONGEST_TOPIC} characters", self.topic[:LONGEST_TOPIC])
        return Never()
