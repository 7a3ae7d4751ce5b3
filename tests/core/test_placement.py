"""Who may carry out what."""

import pytest

from rota.core.placement import Place, find_obstacles

PLAIN, GPU, BOTH = frozenset[str](), frozenset({"gpu"}), frozenset({"gpu", "eu"})


def test_what_asks_for_nothing_runs_anywhere() -> None:
    assert find_obstacles([[]], [Place(GPU, 1)]) == [None]


def test_all_labels_must_be_offered_by_one_place() -> None:
    assert find_obstacles([["gpu", "eu"]], [Place(GPU, 1), Place(frozenset({"eu"}), 1)]) == ["no node offers eu, gpu"]


def test_each_takes_room_from_those_behind_it() -> None:
    assert find_obstacles([["gpu"], ["gpu"]], [Place(BOTH, 1)]) == [None, "every node that offers gpu is busy"]


def test_plain_work_leaves_rare_labels_free() -> None:
    assert find_obstacles([[], ["gpu"]], [Place(GPU, 1), Place(PLAIN, 1)]) == [None, None]


@pytest.mark.parametrize(("places", "told"), [([], "there is no worker"), ([Place(PLAIN, 0)], "every worker is busy")])
def test_it_says_what_is_in_the_way(places: list[Place], told: str) -> None:
    assert find_obstacles([[]], places, "worker") == [told]
