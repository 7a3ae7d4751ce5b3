"""Run ids in ULID form."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.errors import Invalid
from rota.core.ulid import from_ulid, to_ulid


@given(st.uuids(), st.uuids())
def test_a_ulid_is_the_same_number_and_keeps_the_order(one: uuid.UUID, other: uuid.UUID) -> None:
    assert from_ulid(to_ulid(str(one))) == str(one)
    assert from_ulid(to_ulid(str(one)).lower()) == str(one)
    assert (to_ulid(str(one)) < to_ulid(str(other))) == (str(one) < str(other))


def test_the_lowest_and_the_highest_are_known() -> None:
    assert to_ulid("00000000-0000-0000-0000-000000000000") == "0" * 26
    assert to_ulid("ffffffff-ffff-ffff-ffff-ffffffffffff") == "7" + "Z" * 25


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "I" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FA!"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        from_ulid(text)
