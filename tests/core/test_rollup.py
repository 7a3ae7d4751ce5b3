"""How a service is doing, from how its instances are."""

import pytest

from rota.core.rollup import roll_up, slot_state
from rota.core.service import stop_first


@pytest.mark.parametrize(
    ("wanted", "slots", "state"),
    [
        (True, ["running", "running"], "running"),
        (True, ["running", "restarting"], "degraded"),
        (True, ["running", "fatal"], "degraded"),
        (True, ["restarting", "fatal"], "degraded"),
        (True, ["fatal", "fatal"], "fatal"),
        (True, ["restarting"], "degraded"),
        (True, ["stopped"], "stopped"),
        (False, ["stopped", "stopped"], "stopped"),
        (False, ["running", "stopped"], "degraded"),
        (False, ["fatal", "stopped"], "stopped"),
    ],
)
def test_a_service_is_as_its_instances_are(wanted, slots, state):
    assert roll_up(wanted, slots) == state


def test_an_instance_that_is_down_is_restarting_unless_it_gave_up_or_nobody_wants_it():
    assert slot_state(is_wanted=True, is_running=False, is_fatal=False) == "restarting"
    assert slot_state(is_wanted=True, is_running=False, is_fatal=True) == "fatal"
    assert slot_state(is_wanted=False, is_running=False, is_fatal=False) == "stopped"
    assert slot_state(is_wanted=True, is_running=False, is_fatal=False, is_done=True) == "stopped"
    assert slot_state(is_wanted=False, is_running=True, is_fatal=False) == "running"


def test_what_others_need_is_stopped_after_them():
    live = {"db": [], "queue": ["db"], "web": ["queue", "db"], "alone": ["gone"]}
    assert stop_first(live) == ["web", "alone"]
    assert stop_first({"db": [], "queue": ["db"]}) == ["queue"]
    assert stop_first({"db": []}) == ["db"]


def test_a_circle_holds_up_no_shutdown():
    assert sorted(stop_first({"a": ["b"], "b": ["a"]})) == ["a", "b"]
