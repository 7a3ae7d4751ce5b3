"""Entries of logs."""

import pytest

from rota.core.entry import LONGEST_BYTES, decode_entry, encode_entry, encode_message, plain


def test_a_message_comes_back_as_it_was_said():
    line = encode_message("info", "halfway\nthere", 50)
    assert line.count(b"\n") == 1
    assert decode_entry(line.decode()) == {"level": "info", "msg": "halfway\nthere", "percent": 50}


def test_people_read_level_progress_and_message():
    assert plain(encode_message("warning", "half of it is gone", 40).decode().rstrip()) == "warning 40% half of it is gone"
    assert plain(encode_message("info", "begun").decode().rstrip()) == "info begun"


@pytest.mark.parametrize("text", ["not json", "[1]", '{"type":"tool"}', '{"level":"loud","msg":"x"}', "\ud800"])
def test_what_is_no_message_is_shown_as_it_stands(text):
    assert plain(text) == text


def test_a_long_message_is_cut_so_that_its_line_is_not():
    assert len(encode_message("error", "\x00" * 100_000, 100)) <= LONGEST_BYTES
    entry = decode_entry(encode_message("error", "\x00" * 100_000).decode())
    assert entry
    assert entry["msg"].endswith("…")


def test_an_object_that_no_line_can_hold_is_refused():
    with pytest.raises(ValueError, match="too long"):
        encode_entry({"x": "y" * LONGEST_BYTES})


def test_a_name_that_is_no_utf_8_can_be_told():
    entry = decode_entry(encode_message("info", "read caf\udce9.txt").decode())
    assert entry == {"level": "info", "msg": "read caf\\udce9.txt"}
