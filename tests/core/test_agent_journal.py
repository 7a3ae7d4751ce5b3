"""What an agent's run says can be read back as it was said."""

from hypothesis import given
from hypothesis import strategies as st

from rota.core.agent import journal
from rota.core.entry import LONGEST_BYTES, plain


def lines_of(*items: str) -> list[str]:
    return b"".join(journal.encode("info", item) for item in items).decode().split("\n")[:-1]


@given(st.lists(st.text()))
def test_items_are_read_back_as_they_were_written(items):
    assert list(journal.decode(lines_of(*items))) == items


def test_a_long_item_is_several_lines_and_still_one_item():
    long = 'two\nlines\x01"' * 20_000
    lines = lines_of("before", long, "after")
    assert len(lines) > 3
    assert max(len(line.encode()) for line in lines) < LONGEST_BYTES
    assert list(journal.decode(lines)) == ["before", long, "after"]


def test_an_item_that_is_not_whole_yet_is_not_told():
    lines = lines_of("before", "x" * 25_000)
    assert list(journal.decode(lines[:-1])) == ["before"]


def test_an_item_that_a_crash_cut_short_is_not_mixed_with_what_follows():
    cut = lines_of("x" * 25_000)
    assert list(journal.decode([*cut[:-1], *lines_of("again", "y" * 25_000)])) == ["again", "y" * 25_000]
    assert list(journal.decode([*cut[1:], *lines_of("again")])) == ["again"]


def test_a_person_reads_an_item_without_its_brackets():
    assert plain(lines_of("Ask: Running")[0]) == "info Ask: Running"
