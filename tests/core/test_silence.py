"""What a machine promises to those who may take its work."""

import pytest

from rota.core.silence import Silence


@pytest.mark.parametrize("lost_after_s", [4.0, 8.0, 60.0, 600.0])
def test_a_machine_has_ended_its_work_well_before_others_may_take_it(lost_after_s: float) -> None:
    silence = Silence(lost_after_s)
    assert silence.lost_after.total_seconds() - silence.hold_s >= 1
    assert silence.hold_s >= 2 * silence.beat_s, "one sign of life may get lost"


def test_nobody_says_less_often_that_he_lives_because_he_may_be_away_for_longer() -> None:
    assert (Silence(8).beat_s, Silence(600).beat_s, Silence(4).beat_s) == (2.0, 2.0, 1.0)
