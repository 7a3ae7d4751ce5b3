"""The gate that all jittered starts go through."""

from datetime import UTC, datetime, timedelta

from rota.core.gate import Fire, Flight, Gate

THREE = datetime(2027, 3, 1, 3, 0, tzinfo=UTC)
LENGTH_S = 1800.0


def at(minutes: float) -> datetime:
    return THREE + timedelta(minutes=minutes)


def fire(name: str, deadline: float, *, tick: float = 0, window_s: float = LENGTH_S) -> Fire:
    return Fire(run_id=name, name=name, tick_at=at(tick), deadline_at=at(deadline), window_s=window_s)


def names(fires: list[Fire]) -> list[str]:
    return [each.name for each in fires]


def test_an_idle_gate_lets_a_fire_through_at_its_tick() -> None:
    gate = Gate()
    gate.step([fire("a", 15)], at(0))
    assert (names(gate.started), gate.held, gate.next_at) == (["a"], [], None)


def test_of_those_that_come_together_one_starts_and_the_others_wait_for_their_slots() -> None:
    gate = Gate()
    gate.step([fire("c", 30), fire("a", 0), fire("b", 15)], at(0))
    assert (names(gate.started), names(gate.held), gate.next_at) == (["a"], ["b", "c"], at(15))


def test_when_the_gate_empties_the_earliest_deadline_goes_and_only_one() -> None:
    gate = Gate(held=[fire("c", 30), fire("b", 15)])
    gate.step([], at(2))
    assert (names(gate.started), names(gate.held)) == (["b"], ["c"])


def test_equal_deadlines_go_by_name() -> None:
    gate = Gate(held=[fire("z", 15), fire("b", 15)])
    gate.step([], at(2))
    assert names(gate.started) == ["b"]


def test_a_deadline_is_kept_also_while_the_gate_is_busy() -> None:
    gate = Gate(in_flight=[Flight(fire("a", 0), at(0))], held=[fire("b", 15), fire("c", 30)])
    gate.step([], at(15))
    assert (names(gate.started), names(gate.held)) == (["b"], ["c"])


def test_what_is_held_goes_before_what_arrives() -> None:
    gate = Gate(held=[fire("b", 15)])
    gate.step([fire("a", 10, tick=5)], at(5))
    assert (names(gate.started), names(gate.held)) == (["b"], ["a"])


def test_what_started_longer_ago_than_the_window_holds_up_nobody() -> None:
    gate = Gate(in_flight=[Flight(fire("old", -40, tick=-40), at(-40))])
    gate.step([fire("a", 10)], at(0))
    assert names(gate.started) == ["a"]


def test_an_earlier_slot_swaps_with_a_later_one_that_was_pulled_forward() -> None:
    gate = Gate()
    gate.step([fire("b", 15)], at(0))
    gate.step([fire("a", 0)], at(0))
    assert (names(gate.started), [(each.name, each.deadline_at) for each in gate.held]) == (["b"], [("a", at(15))])


def test_slots_stay_distinct_over_several_swaps() -> None:
    gate = Gate()
    for each in (fire("c", 30), fire("b", 15), fire("a", 0)):
        gate.step([each], at(0))
    assert names(gate.started) == ["c"]
    assert {each.name: each.deadline_at for each in gate.held} == {"b": at(30), "a": at(15)}


def test_a_swap_never_leaves_the_window() -> None:
    gate = Gate()
    gate.step([fire("b", 30)], at(0))
    gate.step([fire("a", 0, window_s=600)], at(0))
    assert gate.held[0].deadline_at == at(10)


def test_a_peer_of_another_tick_swaps_nothing() -> None:
    gate = Gate(in_flight=[Flight(fire("b", 15, tick=-5), at(-5))])
    gate.step([fire("a", 0)], at(0))
    assert names(gate.started) == ["a"]
