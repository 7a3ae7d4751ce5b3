"""Documents from outside, and what is wrong with them."""

from typing import Any, Literal

import msgspec
import pytest
from msgspec import Struct

from rota.core.errors import Invalid
from rota.core.task import Email
from rota.ops import reading


class Cat(Struct, tag_field="kind", tag="cat", forbid_unknown_fields=True):
    lives: int = 9


class Dog(Struct, tag_field="kind", tag="dog", forbid_unknown_fields=True):
    tricks: list[Literal["sit", "roll"]] = []


class Home(Struct, forbid_unknown_fields=True):
    pets: list[Cat | Dog] = []
    rooms: dict[str, int] = {}
    notes: dict[str, Any] = {}


class Friend(Struct):
    email: Email


UNKNOWN, NOT_HERE = "is not a known field;", "is not known here;"
HOME = msgspec.json.Decoder(Home)


@pytest.mark.parametrize(
    ("text", "location", "message"),
    [
        ('{"pest": []}', "body.pest", "is not a known field; did you mean 'pets'?"),
        (
            '{"pets": [{"kind": "cat"}, {"kind": "cat", "live": 1}]}',
            "body.pets.1.live",
            "is not a known field; did you mean 'lives'?",
        ),
        ('{"pets": [{"kind": "dog", "lives": 1}]}', "body.pets.0.lives", "is not a known field; it is one of tricks"),
        ('{"pets": [{"kind": "cow"}]}', "body.pets.0.kind", "'cow' is not known here; it is one of cat, dog"),
        (
            '{"pets": [{"kind": "dog", "tricks": ["rol"]}]}',
            "body.pets.0.tricks.0",
            "'rol' is not known here; did you mean 'roll'?",
        ),
        ('{"pets": [{"lives": 1}]}', "body.pets.0.kind", "is required"),
        ('{"rooms": {"bath": "one"}}', "body.rooms", "expected `int`, got `str`"),
        ('{"notes": {"a": [1, {"b": "x\\u0000"}]}}', "body.notes.a.1.b", "must not contain a NUL character"),
        ('{"notes": {"a": 18446744073709551616}}', "body.notes.a", "is too large for an integer of 64 bits"),
    ],
)
def test_a_problem_names_the_field_and_the_nearest_word(text: str, location: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        reading.decode(HOME, text.encode())
    [problem] = refused.value.problems
    assert (problem.location, problem.message) == (location, message)


def test_long_numbers_and_escapes_in_text_are_no_harm() -> None:
    home = reading.decode(HOME, b'{"notes": {"card": "1234567890123456789012", "path": "C:\\\\u0000", "n": 9007199254740993}}')
    assert home.notes == {"card": "1234567890123456789012", "path": "C:\\u0000", "n": 9007199254740993}


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"notes": ' + b'{"a":' * 5000, b'{"x": "\xed\xa0\x80"'])
def test_what_is_no_json_is_malformed_or_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        reading.decode(HOME, raw)


def test_values_are_shown_short_and_secrets_not_at_all() -> None:
    assert reading.shown("x" * 500) == "x" * 200 + "…"
    assert reading.shown("hunter2", "body.executor.env.A") is None
    assert reading.shown("hunter2", "body.password") is None
    assert reading.shown([1]) is None
    assert reading.shown(2**70) is None
    assert reading.shown(7, "body.count") == 7


@pytest.mark.parametrize(
    ("address", "told"), [("nobody", "must be an e-mail address, as ann@example.org"), (5, "expected `str`, got `int`")]
)
def test_what_has_to_look_like_something_is_told_so_in_words(address: Any, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        reading.convert([{"email": address}], list[Friend])
    problem = refused.value.problems[0]
    assert (problem.location, problem.message) == ("body.0.email", told)
