from contextlib import closing
from datetime import timedelta

from rota.store import leadership
from rota.store.connection import Connection
from rota.store.database import open_beside, open_postgres
from rota.store.leadership import Lead

TTL = timedelta(minutes=1)
OVER = timedelta(seconds=-10)


def test_one_holder_plans_at_a_time(c: Connection) -> None:
    assert leadership.find_lead(c) is None
    assert leadership.take_lead(c, "a", TTL) == Lead(1)
    assert leadership.take_lead(c, "b", TTL) is None
    assert leadership.take_lead(c, "a", TTL) == Lead(1)
    assert leadership.find_lead(c) == ("a", 1)
    assert leadership.hold_lead(c, "a", 1)
    assert not leadership.hold_lead(c, "b", 1)


def test_what_is_over_another_takes_with_a_higher_term(c: Connection) -> None:
    leadership.take_lead(c, "a", OVER)
    assert not leadership.hold_lead(c, "a", 1)
    taken = leadership.take_lead(c, "b", TTL)
    assert taken is not None and taken.term == 2
    assert timedelta(seconds=9) < taken.vacant < timedelta(seconds=30)
    assert leadership.take_lead(c, "a", TTL) is None
    assert not leadership.hold_lead(c, "a", 1)


def test_who_comes_back_to_what_nobody_took_goes_on_in_its_term(c: Connection) -> None:
    leadership.take_lead(c, "a", OVER)
    assert leadership.take_lead(c, "a", TTL) == Lead(1)
    assert leadership.hold_lead(c, "a", 1)


def test_who_lets_go_lets_another_in_at_once(c: Connection) -> None:
    leadership.take_lead(c, "a", TTL)
    leadership.release_lead(c, "b")
    assert leadership.take_lead(c, "b", TTL) is None
    leadership.release_lead(c, "a")
    taken = leadership.take_lead(c, "b", TTL)
    assert taken is not None and taken.term == 2


def test_hands_do_not_change_while_the_holder_writes_and_nobody_waits_for_that(postgres_url: str) -> None:
    with closing(open_postgres(postgres_url, schema="led")) as writer, closing(open_beside(postgres_url, "led")) as beside:
        beside.run(lambda c: c.run("SET lock_timeout = '100ms'"))
        beside.run(lambda c: leadership.take_lead(c, "a", TTL))

        def plan(c: Connection) -> None:
            assert leadership.hold_lead(c, "a", 1)
            assert beside.run(lambda other: leadership.take_lead(other, "a", OVER)) == Lead(1)
            assert beside.run(lambda other: leadership.take_lead(other, "b", TTL)) is None

        writer.run(plan)
        taken = beside.run(lambda c: leadership.take_lead(c, "b", TTL))
        assert taken is not None and taken.term == 2
