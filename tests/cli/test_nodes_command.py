"""What `rota nodes` says beside its table. The table itself: tests/e2e/test_several_nodes.py."""

from rota.cli.nodes import list_remarks

WELL = {"silent_s": 1.5, "lost_after_s": 8.0, "differs": [], "clock_off_s": -0.3}


def test_of_a_node_that_is_well_nothing_more_is_said() -> None:
    assert list(list_remarks(WELL)) == []


def test_what_an_operator_should_look_at_is_said() -> None:
    node = {"silent_s": 45.2, "lost_after_s": 60.0, "differs": ["settings", "version"], "clock_off_s": 12.4}
    assert list(list_remarks(node)) == [
        "not heard of for 45 s; others take what it had after 60 s",
        "differs in settings, version",
        "its clock is +12 s off",
    ]
