"""Modules and their parameters."""

import pytest

from rota.core.errors import Invalid
from rota.core.module import Definition, Parameter, Section, check_params, find_misfit, text_in, with_defaults

SLEEP = Definition(
    name="sleep",
    params=[
        Section(
            name="sleep",
            parameters={
                "runtime": Parameter(type="int", default=0, minimum=0),
                "secret": Parameter(type="secret", position=1),
                "input": Parameter(type="text", position=2, default="default test string"),
            },
        ),
        Section(name="more", parameters={"target": Parameter(type="int", required=True)}),
    ],
)


def problems_of(params):
    with pytest.raises(Invalid) as raised:
        check_params(SLEEP, params, "body.executor.params")
    return {problem.location: problem.message for problem in raised.value.problems}


def test_values_that_fit_are_taken():
    check_params(SLEEP, {"runtime": 5, "secret": "s", "target": 1})


def test_each_misfit_is_told_at_its_name_and_what_is_missing_too():
    found = problems_of({"runtime": "5", "runtim": 3})
    assert found == {
        "body.executor.params.runtime": "must be a whole number",
        "body.executor.params.runtim": "is not a parameter of this module; did you mean runtime?",
        "body.executor.params.target": "is required",
    }


def test_the_value_of_a_secret_is_not_repeated():
    with pytest.raises(Invalid) as raised:
        check_params(SLEEP, {"secret": 12345, "target": 1})
    assert raised.value.problems[0].value is None


def test_defaults_stand_where_nothing_is_given():
    assert with_defaults(SLEEP, {"target": 1}) == {"runtime": 0, "input": "default test string", "target": 1}
    assert with_defaults(SLEEP, {"target": 1, "runtime": 2})["runtime"] == 2


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int", [0, -3], [True, 1.5, "1"]),
        ("float", [1, 1.5], [False, "1.5"]),
        ("text", ["", "a"], [1, None]),
        ("bool", [True, False], [0, "true"]),
        ("json", [{"a": [1]}, [], 3], []),
        ("int-list", [[], [1, 2]], [[True], ["1"], 1]),
        ("text-list", [["a"]], [[1], "a"]),
        ("secret", ["s"], [1]),
        ("date", ["2026-05-30"], ["2026-02-30", "20260530", 1]),
        ("datetime", ["2026-05-30T12:00:00Z", "2026-05-30T12:00:00+02:00"], ["2026-05-30T12:00:00", "2026-05-30", 5]),
    ],
)
def test_each_type_takes_its_values_alone(kind, good, bad):
    parameter = Parameter(type=kind)
    assert [find_misfit(parameter, value) for value in good] == [None] * len(good)
    assert all(find_misfit(parameter, value) for value in bad)


def test_null_is_a_value_only_where_that_is_said():
    assert find_misfit(Parameter(type="int"), None) == "must not be null"
    assert find_misfit(Parameter(type="int", nullable=True), None) is None


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Parameter(type="select", options=["a", "b"]), "c"),
        (Parameter(type="int", minimum=1), 0),
        (Parameter(type="float", maximum=1.5), 2),
        (Parameter(type="int-list", minimum=1), [1, 0]),
        (Parameter(type="int-list", unique=True), [1, 1]),
        (Parameter(type="text", min_length=1), ""),
        (Parameter(type="text-list", max_length=1), ["a", "b"]),
        (Parameter(type="text", pattern="^a"), "b"),
    ],
)
def test_bounds_hold(parameter, value):
    assert find_misfit(parameter, value)


def test_a_text_is_shown_in_the_language_asked_for_or_the_nearest_there_is():
    texts = {"und": "sleep", "en-US": "Sleep", "de-DE": "Schlafen"}
    assert text_in(texts, "de-DE") == text_in(texts, "de-AT") == text_in(texts, "de") == "Schlafen"
    assert text_in(texts, "fr") == "sleep"
    assert text_in({}) == ""
