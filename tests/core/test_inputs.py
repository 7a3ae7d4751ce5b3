"""What a run may be given (RunWisp §11)."""

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.errors import Invalid
from rota.core.inputs import Input, append_tokens, check_inputs, plain_text, quote, render, resolve, swallows_tokens

DB = Input(kind="option", key="--db", choices=["main", "audit"], default="main")
DRY = Input(kind="flag", key="--dry-run")
DEPTH = Input(kind="option", key="--depth=", type="number")
TARGET = Input(kind="arg", key="target", required=True)
TOKEN = Input(kind="env", key="TOKEN", default="x")


def test_a_value_that_is_not_given_takes_its_default() -> None:
    assert resolve([DB, TOKEN], {}) == {"--db": "main", "TOKEN": "x"}


def test_null_omits_a_value_even_if_it_has_a_default() -> None:
    assert resolve([DB, TOKEN], {"TOKEN": None}) == {"--db": "main"}


def test_an_empty_string_is_a_value() -> None:
    assert resolve([TOKEN, TARGET], {"TOKEN": "", "target": ""}) == {"TOKEN": "", "target": ""}


@pytest.mark.parametrize("said", [True, "true", "TRUE", "1", 1])
def test_a_flag_is_recorded_as_true(said: Any) -> None:
    assert resolve([DRY], {"--dry-run": said}) == {"--dry-run": "true"}


@pytest.mark.parametrize("params", [{}, {"--dry-run": False}, {"--dry-run": "0"}, {"--dry-run": None}])
def test_a_flag_is_recorded_as_false(params: dict[str, Any]) -> None:
    assert resolve([DRY], params) == {"--dry-run": "false"}


@pytest.mark.parametrize(
    ("params", "location", "message"),
    [
        ({"target": "a", "--bd": "main"}, "params.--bd", "is not a parameter"),
        ({"target": "a", "--db": "prod"}, "params.--db", "must be one of main, audit"),
        ({"target": "a", "--depth=": "deep"}, "params.--depth=", "must be a number"),
        ({"target": "a\x00b"}, "params.target", "NUL"),
        ({"target": "ä" * 16_385}, "params.target", "32 KiB"),
        ({}, "params.target", "is required"),
        ({"target": None}, "params.target", "is required"),
        ({"target": ["a"]}, "params.target", "must be a string"),
        ({"target": "a", "--dry-run": "yes"}, "params.--dry-run", "true or false"),
    ],
)
def test_it_refuses_unusable_values(params: dict[str, Any], location: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        resolve([DB, DRY, DEPTH, TARGET], params)
    assert [problem.location for problem in caught.value.problems] == [location]
    assert message in caught.value.problems[0].message


def test_a_refusal_tells_all_problems_and_repeats_no_value() -> None:
    with pytest.raises(Invalid) as caught:
        resolve([DB, DEPTH], {"--db": "hunter2", "--depth=": "hunter2"})
    assert len(caught.value.problems) == 2
    assert "hunter2" not in str(caught.value) + repr(caught.value.problems)


def test_custom_values_pass_where_they_are_allowed() -> None:
    item = Input(kind="arg", key="db", choices=["main"], allow_custom=True)
    assert resolve([item], {"db": "other"}) == {"db": "other"}


def test_tokens_follow_the_order_of_declaration() -> None:
    params = {"target": "t", "--dry-run": "true", "--depth=": "3", "TOKEN": "x", "--db": "audit"}
    rendered = render([DB, DRY, TOKEN, DEPTH, TARGET], params)
    assert rendered.tokens == ["--db", "audit", "--dry-run", "--depth=3", "t"]
    assert rendered.env == {"TOKEN": "x"}


def test_omitted_values_and_false_flags_render_as_nothing() -> None:
    rendered = render([DB, DRY, TOKEN], {"--dry-run": "false"})
    assert (rendered.env, rendered.tokens) == ({}, [])


def test_tokens_reach_the_final_command() -> None:
    script = append_tokens("set -e\nprintf '%s|'\n\n", ["--db", "'; echo gone; '"])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "--db|'; echo gone; '|"


def test_a_script_without_tokens_is_left_as_it_is() -> None:
    assert append_tokens("true\n", []) == "true\n"


@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=200))
def test_any_value_arrives_as_one_inert_argument(values: list[str]) -> None:
    script = append_tokens("printf '%s\\0'", [*values, "'; rm -rf /"])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\x00")[:-1] == [*values, "'; rm -rf /"]


def test_even_harmless_words_are_quoted() -> None:
    assert quote("=ls") == "'=ls'"


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("true\n# done\n", "a comment"),
        ("cat <<EOF\nhello\nEOF\n", "the end of a here-document"),
        ("cat <<-'END'\n\thello\n\tEND", "the end of a here-document"),
        ("echo hello # with a remark", None),
        ("cat <<EOF\nhello\nEOF\ntrue", None),
        ("EOF", None),
    ],
)
def test_it_sees_when_tokens_would_not_reach_a_command(script: str, what: str | None) -> None:
    assert swallows_tokens(script) == what


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (1e21, "1000000000000000000000"),
        (1e-7, "0.0000001"),
        (2.5, "2.5"),
        (1e3, "1000"),
    ],
)
def test_plain_values_are_stored_as_text_without_exponent(value: Any, text: str) -> None:
    assert plain_text(value) == text


@pytest.mark.parametrize("value", [float("inf"), float("nan"), None, [], {}])
def test_other_values_are_not_plain(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a string"):
        plain_text(value)


@pytest.mark.parametrize(
    ("item", "location"),
    [
        (Input(kind="env", key="1ST"), "0.key"),
        (Input(kind="arg", key="my-arg"), "0.key"),
        (Input(kind="option", key="db"), "0.key"),
        (Input(kind="flag", key="dry"), "0.key"),
        (Input(kind="flag", key="--dry\x00"), "0.key"),
        (Input(kind="env", key="PATH"), "0.key"),
        (Input(kind="flag", key="-n", choices=["true"]), "0.choices"),
        (Input(kind="flag", key="-n", type="number"), "0.type"),
        (Input(kind="flag", key="-n", required=True), "0.required"),
        (Input(kind="flag", key="-n", default="yes"), "0.default"),
        (Input(kind="arg", key="a", allow_custom=True), "0.allow_custom"),
        (Input(kind="arg", key="a", choices=[]), "0.choices"),
        (Input(kind="arg", key="a", type="number", choices=["1", "two"]), "0.choices"),
        (Input(kind="arg", key="a", type="number", default="two"), "0.default"),
        (Input(kind="arg", key="a", choices=["x"], default="y"), "0.default"),
    ],
)
def test_it_names_what_is_wrong_with_an_input(item: Input, location: str) -> None:
    assert location in [problem.location for problem in check_inputs([item], taken={"PATH"})]


def test_a_key_is_given_once() -> None:
    assert [problem.location for problem in check_inputs([DB, DRY, DB])] == ["2.key"]


def test_a_required_input_needs_a_default_only_where_nobody_can_be_asked() -> None:
    assert check_inputs([TARGET]) == []
    assert [problem.location for problem in check_inputs([TARGET], unattended=True)] == ["0.required"]


@pytest.mark.parametrize("default", ["true", "FALSE", "1", "0"])
def test_a_flag_may_have_a_boolean_default(default: str) -> None:
    assert check_inputs([Input(kind="flag", key="-n", default=default)]) == []
