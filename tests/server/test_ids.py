"""Ids that every thread of a server makes."""

import sys
from concurrent.futures import ThreadPoolExecutor

from rota.clock import SystemClock
from rota.ids import Ids

COUNT = 8_000
# Up to here an id is time and count; chance makes up the rest.
PLACE = len("01a200c3-a2f1-7000")


def test_ids_that_threads_make_at_once_have_places_of_their_own_and_are_in_order() -> None:
    ids, before = Ids(SystemClock()), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as threads:
            made = list(threads.map(lambda _: [ids.new() for _ in range(COUNT)], range(3)))
    finally:
        sys.setswitchinterval(before)
    assert all(each == sorted(each) for each in made)
    assert len({each[:PLACE] for row in made for each in row}) == 3 * COUNT
