"""From a function's type hints to the parameters of its module."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import UNSET, Meta

import rota
from rota.core.module import Parameter
from rota.modules.decorator import Module, find_module


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def module_of(function: Any) -> Module:
    found = find_module(rota.module(function))
    assert found
    return found


def parameters_of(function: Any) -> dict[str, Parameter]:
    return module_of(function).definition.parameters


def test_each_hint_becomes_a_type() -> None:
    def typed(
        a: int, b: float, c: str, d: bool, e: Literal["x", "y"], f: Colour, g: dict[str, Any], h: list[int], i: Sequence[str],
        j: rota.Secret, k: date, l: datetime, m: Any, n: Mapping[str, int], o: list[dict[str, int]], p,  # noqa: E741
    ) -> None: ...  # fmt: skip

    found = parameters_of(typed)
    assert " ".join(parameter.type for parameter in found.values()) == (
        "int float text bool select select json int-list text-list secret date datetime json json json json"
    )
    assert found["e"].options == ["x", "y"]
    assert found["f"].options == ["red", "blue"]
    assert all(parameter.required for parameter in found.values())


def test_bounds_defaults_and_null_come_from_the_hint() -> None:
    def bounded(
        a: Annotated[int, Meta(ge=1, lt=10)],
        b: Annotated[str, rota.Param(min_length=1, pattern="^a")] = "ab",
        c: int | None = None,
        d: Colour = Colour.BLUE,
        e: rota.Secret = rota.Secret("hidden"),  # noqa: B008
    ) -> None: ...

    found = parameters_of(bounded)
    assert (found["a"].minimum, found["a"].maximum, found["a"].required) == (1, 9, True)
    assert (found["b"].default, found["b"].min_length, found["b"].required) == ("ab", 1, False)
    assert (found["c"].nullable, found["c"].default, found["c"].required) == (True, UNSET, False)
    assert found["d"].default == "blue"
    assert found["e"].default is UNSET


def test_parameters_stand_in_their_sections_with_their_names_in_several_languages() -> None:
    @rota.module(displayname={"de-DE": "Eins"}, description="about it")
    def one(
        ctx: rota.Context,
        plain: int = 0,
        other: Annotated[int, rota.Param(section="more", group="rare", displayname={"de-DE": "Anderes"})] = 1,
    ) -> None:
        ctx.info(str(plain + other))

    found = find_module(one)
    assert found
    assert [(section.name, section.group, list(section.parameters)) for section in found.definition.params] == [
        ("one", "", ["plain"]),
        ("more", "rare", ["other"]),
    ]
    assert found.definition.displayname == {"de-DE": "Eins"}
    assert found.definition.description == {"und": "about it"}
    assert found.definition.parameters["other"].displayname == {"de-DE": "Anderes"}


def test_what_no_parameter_can_have_is_refused_by_name() -> None:
    def bad(numbers: set[int]) -> None: ...
    def positional(*numbers: int) -> None: ...
    def wrong(number: Annotated[int, Meta(ge=1)] = 0) -> None: ...

    for function, name in ((bad, "numbers"), (positional, "numbers"), (wrong, "number")):
        with pytest.raises(TypeError, match=name):
            rota.module(function)


def test_values_arrive_as_the_function_takes_them() -> None:
    def take(a: Colour, b: date, c: datetime, d: rota.Secret, e: float, f: Literal[1, 2], g: date | None = None) -> Any:
        return a, b, c, d, e, f, g

    module = module_of(take)
    given = {"a": "red", "b": "2026-05-30", "c": "2026-05-30T12:00:00Z", "d": "s", "e": 1, "f": "2", "g": None}
    assert module.call(given, context=None) == (  # type: ignore[arg-type]
        Colour.RED, date(2026, 5, 30), datetime(2026, 5, 30, 12, tzinfo=UTC), "s", 1.0, 2, None
    )  # fmt: skip


def test_a_secret_shows_itself_only_when_it_is_asked_to() -> None:
    secret = rota.Secret("hunter22")
    assert repr(secret) == "Secret(…)"
    assert f"{[secret]}" == "[Secret(…)]"
    assert str(secret) == secret == "hunter22"


def test_a_module_is_still_a_function() -> None:
    @rota.module
    def double(number: int) -> int:
        """Twice it.

        And more.
        """
        return 2 * number

    assert double(4) == 8
    found = find_module(double)
    assert found
    assert found.definition.description == {"und": "Twice it."}
