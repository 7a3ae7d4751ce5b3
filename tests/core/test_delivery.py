import pytest
from tests.factories import NOON, at

from rota.core.delivery import Delivery, Sent, judge_answer, next_try_at


def delivery(attempts: int = 1, budget_s: float | None = 300) -> Delivery:
    return Delivery(
        id="d",
        lane="l",
        target="t",
        address={"url": "x"},
        created_at=NOON,
        due_at=NOON,
        attempts=attempts,
        give_up_at=None if budget_s is None else at(budget_s),
    )


def test_the_wait_doubles_from_one_second_to_a_minute() -> None:
    waits = [next_try_at(delivery(attempts, 1e6), Sent(error="x"), NOON) for attempts in range(1, 10)]
    assert waits == [at(seconds) for seconds in (1, 2, 4, 8, 16, 32, 60, 60, 60)]


def test_no_try_begins_after_the_budget() -> None:
    assert next_try_at(delivery(7, 300), Sent(error="x"), at(240)) == at(300)
    assert next_try_at(delivery(7, 300), Sent(error="x"), at(241)) is None


def test_a_single_try_is_not_repeated() -> None:
    assert next_try_at(delivery(1, None), Sent(error="x"), NOON) is None


@pytest.mark.parametrize(("asked_s", "wait_s"), [(0.5, 1), (30, 30), (7200, 3600)])
def test_the_receiver_may_ask_for_more_time(asked_s: float, wait_s: float) -> None:
    assert next_try_at(delivery(1, 1e6), Sent(error="x", retry_after_s=asked_s), NOON) == at(wait_s)


@pytest.mark.parametrize("code", [200, 201, 204, 299])
def test_any_2xx_is_a_success(code: int) -> None:
    assert judge_answer(code) == Sent(code=code)


@pytest.mark.parametrize("code", [301, 302, 307, 308, 400, 401, 403, 405, 410, 413, 422])
def test_what_would_be_refused_again_is_final(code: int) -> None:
    assert judge_answer(code).is_final


@pytest.mark.parametrize("code", [404, 408, 409, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(code: int) -> None:
    sent = judge_answer(code, 7)
    assert (sent.is_final, sent.error, sent.retry_after_s) == (False, f"answered {code}", 7)
