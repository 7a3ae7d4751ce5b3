"""Outputs held to schemas that somebody else wrote."""

from typing import Any

import pytest

from rota.tools import misfit
from rota.tools.misfit import TOO_LONG, find_misfit

pytestmark = pytest.mark.e2e

BOMB: dict[str, Any] = {"$defs": {"a0": {"type": "integer"}}, "$ref": "#/$defs/a40"}
for number in range(40):
    below = {"$ref": f"#/$defs/a{number}"}
    BOMB["$defs"][f"a{number + 1}"] = {"allOf": [below, below]}


@pytest.mark.parametrize(
    ("schema", "output", "problem"),
    [
        (True, 5, None),
        (False, 5, "nothing fits this schema"),
        ({}, None, None),
        ({"type": "object", "required": ["a"]}, {"a": 1}, None),
        ({"type": "object", "required": ["a"]}, {}, "'a' is a required property"),
        ({"properties": {"a": {"type": "string", "pattern": "^x"}}}, {"a": "xy"}, None),
        ({"properties": {"a": {"type": "string", "pattern": "^x"}}}, {"a": "y"}, "a: 'y' does not match '^x'"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}, 5, None),
        ({"$ref": "#/nowhere"}, 5, "the schema refers to what it does not have: PointerToNowhere: '/nowhere' does not exist"),
        ({"$ref": "#"}, 5, "it is nested too deeply"),
    ],
)
def test_an_output_is_judged(schema: Any, output: Any, problem: str | None) -> None:
    found = find_misfit(schema, output)
    assert found == problem or (found is not None and problem is not None and found.startswith(problem[:44]))


@pytest.mark.parametrize(("schema", "output"), [({"pattern": "^(a|a)*$"}, "a" * 40 + "b"), (BOMB, 5)])
def test_what_would_take_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch, schema: Any, output: Any) -> None:
    monkeypatch.setattr(misfit, "LIMIT_S", 0.5)
    assert find_misfit(schema, output) == TOO_LONG
