"""Secrets in a stream."""

from hypothesis import given
from hypothesis import strategies as st

from rota.logs.mask import MaskedStream, Secrets

SMALL = st.text("ab\n", min_size=4, max_size=7)


def _mask(secrets: Secrets, chunks: list[bytes]) -> bytes:
    stream = MaskedStream(secrets)
    return b"".join([stream.feed(chunk) for chunk in chunks] + [stream.flush()])


def test_every_split_position_gives_the_same_text() -> None:
    secrets = Secrets(["hunter22", "hunter22-and-more", "multi\nline\nsecret", "22-and"])
    text = b"x hunter22 y hunter22-and-more z hunter22-and-m multi\nline\nsecret line hunter2"
    whole = _mask(secrets, [text])
    assert whole == b"x [redacted] y [redacted] z [redacted]-m [redacted] [redacted] hunter2"
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert _mask(secrets, [text[:first], text[first:second], text[second:]]) == whole


@given(st.lists(SMALL, min_size=1, max_size=4), st.text("ab\n", max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_any_chunking_hides_every_secret_and_nothing_else(values: list[str], text: str, at: list[int]) -> None:
    secrets, data = Secrets(values), text.encode()
    cuts = sorted(min(cut, len(data)) for cut in at)
    chunks = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _mask(secrets, chunks) == _naive(secrets, data)


def _naive(secrets: Secrets, data: bytes) -> bytes:
    """Marks each byte of each occurrence of each value; those that overlap become one marker."""
    occurrences = sorted(
        (start, start + len(value)) for value in secrets._values for start in range(len(data)) if data.startswith(value, start)
    )
    out, shown = b"", 0
    for start, end in occurrences:
        if start >= shown:
            out += data[shown:start] + b"[redacted]"
        shown = max(shown, end)
    return out + data[shown:]


def test_values_that_are_too_short_are_left() -> None:
    secrets = Secrets(["", "abc", "\n"])
    assert not secrets
    assert secrets.redact(b"abc") == b"abc"


def test_each_line_of_a_multi_line_secret_is_one() -> None:
    secrets = Secrets(["BEGIN KEY\n  0123\nEND KEY\n"])
    assert secrets.redact(b"BEGIN KEY\r\n0123\r\nEND KEY") == b"[redacted]\r\n[redacted]\r\n[redacted]"
    assert secrets.redact(b"BEGIN KEY\n  0123\nEND KEY\n") == b"[redacted]\n"


def test_nothing_is_held_back_that_cannot_begin_a_secret() -> None:
    stream = MaskedStream(Secrets(["hunter22"]))
    assert stream.feed(b"a line\n") == b"a line\n"
    assert stream.feed(b"a hu") == b"a "
    assert stream.feed(b"m\n") == b"hum\n"


def test_a_self_overlapping_secret_is_not_held_for_ever() -> None:
    stream = MaskedStream(Secrets(["aaaa"]))
    shown = b"".join(stream.feed(b"a" * 100) for _ in range(100))
    assert len(stream._held) < 4
    assert shown + stream.feed(b"b") + stream.flush() == b"[redacted]b"
