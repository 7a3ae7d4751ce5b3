"""Documents as the database keeps them: JSON text."""

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_text(value: Any) -> str:
    """JSON of any value that msgspec can write."""
    return _encode(value).decode()


def to_text_or_none(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


def from_text(text: str | None) -> Any:
    """The value; None for no text."""
    return None if text is None else _decode(text)


def without_nul(text: str | None) -> str | None:
    """Free text as PostgreSQL takes it: it knows no NUL, and what a process writes may hold some."""
    return text if text is None or "\x00" not in text else text.replace("\x00", "\ufffd")
