"""The table of states, every pair of it."""

from itertools import product

import pytest

from rota.core.errors import Conflict
from rota.core.states import ENDED, FAILURES, LIVE, NEXT, REFUSED, move

ALLOWED = [(state, to) for state in NEXT for to in NEXT[state]]
REFUSED_MOVES = [(state, to) for state, to in product(NEXT, NEXT) if to not in NEXT[state]]


@pytest.mark.parametrize(("state", "to"), ALLOWED)
def test_a_listed_move_is_made(state, to):
    assert move(state, to) == to


@pytest.mark.parametrize(("state", "to"), REFUSED_MOVES)
def test_a_move_that_is_not_listed_is_refused(state, to):
    with pytest.raises(Conflict, match=f"{state} cannot become {to}"):
        move(state, to)


def test_every_state_is_live_or_ended_and_not_both():
    assert set(NEXT) == LIVE | ENDED
    assert not LIVE & ENDED


def test_an_ended_run_stays_ended():
    assert all(not NEXT[state] for state in ENDED)


def test_what_never_started_is_no_failure():
    assert not REFUSED & FAILURES
