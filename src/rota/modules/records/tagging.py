"""`set_unset_tags`: which tags records get and lose."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from rota.core.errors import Invalid


class TagSwitch(Struct, frozen=True, forbid_unknown_fields=True):
    id: Annotated[int, Meta(ge=1)] = field(name="_id")
    is_set: bool = field(name="set")


class TagChange(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"tags": [{"_id": 5, "set": true}]}` (contract §7)."""

    tags: Annotated[list[TagSwitch], Meta(min_length=1, max_length=1000)]

    def apply(self, old: Sequence[int]) -> list[int]:
        """What is there keeps its place; what is set comes behind it."""
        lost = {each.id for each in self.tags if not each.is_set}
        kept = [tag for tag in old if tag not in lost]
        return kept + [each.id for each in self.tags if each.is_set and each.id not in kept]


def read_tag_change(value: Any, at: str = "set_unset_tags") -> TagChange:
    """Raises Invalid that names the place, such as `set_unset_tags.tags[0]._id`."""
    try:
        change = msgspec.convert(value, TagChange)
    except (msgspec.ValidationError, RecursionError) as error:
        message, _, place = str(error).partition(" - at `$")
        raise Invalid.at(f"{at}{place.removesuffix('`')}", message) from None
    ids = [each.id for each in change.tags]
    if len(set(ids)) < len(ids):
        raise Invalid.at(f"{at}.tags", "must not have a tag twice")
    return change
