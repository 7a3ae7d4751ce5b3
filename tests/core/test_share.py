"""What a node takes where others could."""

from hypothesis import given
from hypothesis import strategies as st

from rota.core.share import Load, find_share

loads = st.builds(lambda capacity, part: Load(capacity, int(capacity * part)), st.integers(1, 200), st.floats(0, 1))


def test_few_runs_are_taken_by_whoever_sees_them_first() -> None:
    assert find_share(1, Load(64, 0), [Load(64, 0)]) >= 1
    assert find_share(8, Load(64, 0), [Load(64, 0)]) >= 8


def test_a_node_that_has_more_than_its_part_leaves_the_next_ones_to_others() -> None:
    assert find_share(1, Load(64, 24), [Load(64, 0)]) == 0
    assert find_share(1, Load(64, 24), [Load(64, 24)]) >= 1


def test_many_runs_are_split_by_what_each_can_carry_out() -> None:
    assert 40 <= find_share(80, Load(64, 0), [Load(64, 0)]) <= 48
    assert 10 <= find_share(80, Load(16, 0), [Load(112, 0)]) <= 12


def test_where_the_others_are_full_all_that_has_room_is_taken() -> None:
    assert find_share(100, Load(64, 10), [Load(64, 64)]) == 54


@given(st.integers(1, 500), st.lists(loads, min_size=1, max_size=5))
def test_all_together_take_all_that_there_is_room_for(ready: int, nodes: list[Load]) -> None:
    shares = [find_share(ready, node, [other for other in nodes if other is not node]) for node in nodes]
    rooms = [node.capacity - node.busy for node in nodes]
    taken = sum(min(share, room) for share, room in zip(shares, rooms, strict=True))
    assert taken >= min(ready, sum(rooms))
