"""How many streams may be open."""

from contextlib import ExitStack

import pytest

from rota.core.errors import Unavailable
from rota.http.streams import StreamLimit


def test_each_address_has_its_share_and_gets_it_back() -> None:
    limit = StreamLimit(most=64, most_each=2)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(limit.hold("192.0.2.1"))
        with pytest.raises(Unavailable, match="2 open streams from this address"), limit.hold("192.0.2.1"):
            pass
        with limit.hold("192.0.2.2"):
            pass
    with limit.hold("192.0.2.1"):
        pass


def test_all_together_have_a_limit_and_the_control_socket_none() -> None:
    limit = StreamLimit(most=3, most_each=8)
    with ExitStack() as held:
        for number in range(3):
            held.enter_context(limit.hold(f"192.0.2.{number}"))
        with pytest.raises(Unavailable, match="3 open streams"), limit.hold("192.0.2.9"):
            pass
        for _ in range(10):
            held.enter_context(limit.hold(None))
