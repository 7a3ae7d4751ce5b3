"""Values held to schemas that users wrote."""

from typing import Any

import pytest

from rota.tools import misfit
from rota.tools.misfit import find_misfit


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        (True, 1, None),
        (False, 1, "nothing fits this schema"),
        ({"type": "string"}, "a", None),
        ({"type": "string"}, 1, "1 is not of type 'string'"),
        ({"pattern": "^a+$"}, "aa", None),
        ({"pattern": "^a+$"}, "b", "'b' does not match '^a+$'"),
    ],
)
def test_it_says_what_does_not_fit(schema: Any, value: Any, problem: str | None) -> None:
    assert find_misfit(schema, value) == problem


def test_a_reference_to_nothing_fits_nothing() -> None:
    assert (find_misfit({"$ref": "#/no"}, 1) or "").startswith("the schema refers to what it does not have")


def test_an_expression_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misfit, "LIMIT_S", 0.5)
    assert find_misfit({"pattern": "^(a+)+$"}, "a" * 40 + "!") == "an expression of the schema took longer than 0.5 s"
