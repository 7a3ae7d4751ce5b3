"""The step language, example by example, and whatever it may be given."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import NOON, make_run, make_task, spec

from rota.core.pipeline.account import Checkpoint, Fault, account, context_of, find_change
from rota.core.pipeline.condition import BadCondition, holds
from rota.core.pipeline.expression import BadExpression, parse
from rota.core.pipeline.language import Step, check, preview
from rota.core.pipeline.template import BadTemplate, find_templates, render
from rota.core.work import Pipeline

NOW = "2026-11-21T20:58:17.870993+00:00"
CONTEXT: dict[str, Any] = {
    "now": NOW,
    "params": {"user": "Ana", "n": 25.5, "i": 3, "on": True, "off": None, "l": [1, 2], "o": {"a": 1}, "k-y": "odd", "é": "naïve"},
    "steps": {
        "weather": {"temperature": 26, "summary": "sunny", "ok": True, "none": None, "days": [{"t": 20}, {"t": 30}]},
        "approval": {"status": "approved"},
        "template": {"text": "${params.user}"},
    },
}
QUICK_START: list[dict[str, Any]] = [
    {
        "id": "get",
        "uses": "debug.echo",
        "with": {"message": "Hello, ${params.user}!", "details": {"timestamp": "${now}"}},
        "save_as": "greeting",
    },
    {
        "id": "say",
        "uses": "debug.log",
        "with": {"message": "Step 1 said: '${steps.greeting.message}' at ${steps.greeting.details.timestamp}"},
    },
    {"id": "warn", "uses": "noop", "if": "length(steps.greeting.message) > 100", "timeout_seconds": 5, "max_retries": 1},
]


def read(*documents: dict[str, Any]) -> list[Step]:
    return msgspec.convert(list(documents), list[Step])


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hello, ${params.user}!", "Hello, Ana!"),
        ("${ params.user }", "Ana"),
        ("${now}", NOW),
        ("${now+24h}", "2026-11-22T20:58:17.870993+00:00"),
        ("${now - 90m}", "2026-11-21T19:28:17.870993+00:00"),
        ("${now+30s}", "2026-11-21T20:58:47.870993+00:00"),
        ("${now+2d} ${now-1w}", "2026-11-23T20:58:17.870993+00:00 2026-11-14T20:58:17.870993+00:00"),
        ("${params.n}", "25.5"),
        ("${params.i}", "3"),
        ("${params.on}", "true"),
        ("${params.off}", "null"),
        ("${params.nothing.at.all}", "null"),
        ("${params.l}", "[1, 2]"),
        ("${params.o}", '{"a": 1}'),
        ('${params."é"}', "naïve"),
        ('${params."k-y"}', "odd"),
        ("${steps.weather.days[0].t}", "20"),
        ("${steps.weather.days[-1].t}", "30"),
        ("${steps.weather.days[*].t}", "[20, 30]"),
        ("${steps.weather.days[?t > `25`].t | [0]}", "30"),
        ("${steps.weather.days[0:1]}", '[{"t": 20}]'),
        ("${params.missing || 'default'}", "default"),
        ("${sort(keys(params.o))}", '["a"]'),
        ("${length(params.l)} ${join(', ', to_array('x'))} ${max(params.l)}", "2 x 2"),
        ("${type(params.on)} ${to_string(params.o)}", 'boolean {"a":1}'),
        # nothing but text
        ("$${params.user}", "$Ana"),
        ("${}", "${}"),
        ("${params.user", "${params.user"),
        (r"\${params.user}", "${params.user}"),
        (r"\${a} ${params.i}", "${a} 3"),
        ("$x {y} }", "$x {y} }"),
        ("${steps.template.text}", "${params.user}"),
    ],
)
def test_a_template_becomes_text(template: str, text: str) -> None:
    assert render(template, CONTEXT) == text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${params.l}", [1, 2]),
        ("${params.i}", 3),
        ("${params.off}", None),
        (" ${params.i}", " 3"),
        (r"\${params.i}", "${params.i}"),
    ],
)
def test_with_typed_templates_a_lone_template_keeps_its_type(template: str, value: Any) -> None:
    assert render(template, CONTEXT, typed=True) == value


def test_rendering_goes_through_objects_and_arrays_but_not_keys() -> None:
    value = {"${params.user}": ["${params.i}", {"deep": "${params.on}"}, 7, None, True]}
    assert render(value, CONTEXT) == {"${params.user}": ["3", {"deep": "true"}, 7, None, True]}


@pytest.mark.parametrize(
    "expression", ["params.", "a b", "nope(params)", "abs('x')", "length(params.nothing)", "`{`x", "now+99999999d"]
)
def test_a_bad_expression_says_which_it_is(expression: str) -> None:
    with pytest.raises(BadTemplate, match=r"^Failed to evaluate JMESPath expression '") as error:
        render("${" + expression + "}", CONTEXT)
    assert expression in str(error.value)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("steps.weather.temperature > 25", True),
        ("steps.weather.temperature > `25`", True),
        ("${steps.weather.temperature > 25}", True),
        ("25 < steps.weather.temperature", True),
        ("steps.weather.temperature <= -2.5e1", False),
        ("${steps.approval.status == 'approved'}", True),
        ("steps.approval.status != 'approved'", False),
        ("steps.weather.summary == `sunny`", True),
        ('steps.weather.summary == `"sunny"`', True),
        ("steps.weather.ok == true", True),
        ("steps.weather.ok == `true`", True),
        ("steps.weather.none == null && !(steps.weather.ok == false)", True),
        ("steps.weather.days[0].t == 20 || nothing", True),
        ("!steps.weather.ok", False),
        ("length(params.l) > 100", False),
        ("contains(steps.weather.summary, 'sun')", True),
        # a number is neither above nor below a text
        ("steps.weather.summary > 3", False),
        ("steps.weather.summary < 3", False),
        # what counts as nothing
        ("nothing", False),
        ("params.off", False),
        ("`[]`", False),
        ("`{}`", False),
        ("''", False),
        ("`0`", False),
        ("params.o", True),
        ("'no'", True),
        # text that only looks like literals
        ("'== 25' == '== 25'", True),
        ("params.\"k-y\" == 'odd'", True),
    ],
)
def test_a_condition_holds(condition: str, expected: bool) -> None:
    assert holds(condition, CONTEXT) is expected


@pytest.mark.parametrize("condition", ["a ==", "steps.x = 3", "${a} == ${b}", "unknown(a)", "sum('x')"])
def test_a_bad_condition_says_which_it_is(condition: str) -> None:
    with pytest.raises(BadCondition, match=r"^Failed to evaluate condition '"):
        holds(condition, CONTEXT)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("steps.a[0].b || params.x", {("steps", "a"), ("params", "x")}),
        ("@.steps.a | b", {("steps", "a", "b")}),
        ("steps.{x: a, y: b.c}", {("steps", "a"), ("steps", "b", "c")}),
        ("sort_by(steps.a, &steps)", {("steps", "a")}),
        ("steps.a[?steps.b].c", {("steps", "a")}),
        ("steps.*.a", {("steps",)}),
    ],
)
def test_an_expression_tells_what_it_reads(text: str, paths: set[tuple[str, ...]]) -> None:
    found = parse(text).paths
    assert paths <= found or {path[:2] for path in found} == paths


def test_the_quick_start_pipeline_is_right_and_can_be_previewed() -> None:
    steps = read(*QUICK_START)
    assert check(steps) == []
    get, say, warn = preview(steps, {"user": "Ana"}, now=NOW)
    assert (get.with_, get.runs) == ({"message": "Hello, Ana!", "details": {"timestamp": NOW}}, True)
    assert say.with_ == QUICK_START[1]["with"]
    assert (say.waits_for, warn.runs, warn.waits_for) == (["greeting"], None, ["greeting"])


def test_a_preview_tells_what_would_fail_with_these_params() -> None:
    (step,) = preview(read({"uses": "noop", "if": "length(params.list) > 1"}), {})
    assert step.problem is not None
    assert "length" in step.problem


@pytest.mark.parametrize(
    ("steps", "location", "message"),
    [
        ([{"uses": "a", "id": "x"}, {"uses": "b", "id": "x"}], "steps.1.id", "x is the id of step 0 already"),
        ([{"uses": "a"}, {"uses": "b", "id": "step_0"}], "steps.1.id", "step_0"),
        ([{"uses": "a", "with": {"url": "${steps.b.c}"}}], "steps.0.with.url", "no step"),
        ([{"uses": "a", "save_as": "b", "with": ["${steps.b}"]}], "steps.0.with.0", "this step or a later one"),
        ([{"uses": "a", "if": "steps.b"}, {"uses": "b", "save_as": "b"}], "steps.0.if", "later"),
        ([{"uses": "a", "id": "b"}, {"uses": "a", "with": {"x": {"y": "${steps.b}"}}}], "steps.1.with.x.y", "save_as"),
        ([{"uses": "a", "with": "${params.}"}], "steps.0.with", "Failed to evaluate JMESPath expression 'params.'"),
        ([{"uses": "a", "if": "a = b"}], "steps.0.if", "Failed to evaluate condition 'a = b'"),
        ([{"uses": "a", "if": "missing(params)"}], "steps.0.if", "unknown function missing()"),
    ],
)
def test_a_pipeline_that_cannot_work_is_told_where(steps: list[dict[str, Any]], location: str, message: str) -> None:
    (problem,) = check(read(*steps))
    assert problem.location == location
    assert message in problem.message


@pytest.mark.parametrize(
    "step",
    [
        {"uses": " "},
        {},
        {"uses": "a", "save_as": ""},
        {"uses": "a", "timeout_seconds": 0},
        {"uses": "a", "timeout_seconds": 3601},
        {"uses": "a", "max_retries": 11},
        {"uses": "a", "wiht": {}},
    ],
)
def test_a_step_that_says_too_little_or_too_much_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(step)


def test_an_empty_pipeline_is_right() -> None:
    assert check([]) == []
    assert msgspec.convert({"kind": "pipeline", "steps": []}, Pipeline).steps == []


def test_steps_see_params_and_the_event_that_started_them() -> None:
    event = {"id": "e1", "topic": "door", "payload": {"open": True}, "at": "2026-03-02T12:00:00Z", "actor_id": "u1"}
    task = make_task(spec=spec(name="t", title="Title"))
    context = context_of(task, make_run(task, trigger="event", params={"b": 2, "event": event}), {"a": 1, "b": 1}, NOON)
    assert context["params"] == {"a": 1, "b": 2}
    assert context["event"] == {
        "topic": "door", "payload": {"open": True}, "event_id": "e1", "source_agent_id": "u1",
        "published_at": "2026-03-02T12:00:00Z",
    }  # fmt: skip
    assert (context["_task_title"], context["now"]) == ("Title", "2026-03-02T12:00:00+00:00")
    assert "event" not in context_of(task, make_run(task, params={"event": 1}), {}, NOON)


def test_an_account_of_a_failure_keeps_what_there_was() -> None:
    steps = read({"uses": "a"}, {"uses": "b"}, {"uses": "c", "id": "last"})
    done = [done_step(0, "step_0"), done_step(1, "step_1", status="skipped")]
    fault = Fault(position=2, name="last", error="no", error_type="ToolFailed")
    output = account({"steps": {"a": 1}}, steps, done, 1.23456, fault)
    assert (output["success"], output["steps"]) == (False, {"a": 1})
    assert output["_execution_summary"] == {
        "success": False, "total_steps": 3, "executed_steps": 1, "skipped_steps": 1, "execution_time_seconds": 1.235,
        "failed_step_index": 2, "failed_step_id": "last", "error": "no", "error_type": "ToolFailed",
    }  # fmt: skip


def test_finished_steps_of_another_pipeline_are_noticed() -> None:
    steps = read({"uses": "a", "id": "a"}, {"uses": "b", "id": "b"})
    assert find_change(steps, [done_step(0, "a"), done_step(1, "b")]) is None
    assert find_change(steps, [done_step(0, "b")]) is not None
    assert find_change(steps[:1], [done_step(0, "a"), done_step(1, "b")]) is not None


def done_step(position: int, name: str, **fields: Any) -> Checkpoint:
    return Checkpoint(**{"position": position, "name": name, "status": "done", "ended_at": NOON, **fields})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_a_lone_typed_template_gives_any_value_back(value: Any) -> None:
    assert render("${params.v}", {"params": {"v": value}}, typed=True) == value


@given(JSON)
def test_what_a_template_becomes_is_the_value_as_json_unless_it_is_text(value: Any) -> None:
    text = render("${params.v}", {"params": {"v": value}})
    assert text == value if isinstance(value, str) else json.loads(text) == value


@given(st.text())
def test_text_without_a_template_stays_as_it_is(text: str) -> None:
    if "${" not in text:
        assert render(text, {}) == text


@given(st.text(alphabet="abst.[]()'`\"\\${}&|!<>=?*@-0123 ,:+nowe", max_size=40))
def test_no_text_does_anything_but_become_text_or_be_refused(text: str) -> None:
    problems = check(read({"uses": "a", "with": text, "if": text or "x"}))
    for _, inside in find_templates(text, "with"):
        try:
            parse(inside)
        except BadExpression as error:
            assert str(error)
    try:
        assert isinstance(render(text, CONTEXT), str)
        holds(text or "x", CONTEXT)
    except (BadTemplate, BadCondition) as error:
        assert str(error)
    assert all(problem.location.startswith("steps.0.") for problem in problems)


@pytest.mark.parametrize("text", ["${" * 100_000, "${a" * 100_000, "\\${" * 100_000, "a} ${" + "${" * 100_000])
def test_text_that_only_looks_like_templates_is_passed_over_at_once(text: str) -> None:
    assert list(find_templates(text, "with")) == []
    assert render(text, CONTEXT) == text.replace("\\${", "${")


@pytest.mark.parametrize("text", ["'\\" * 4900, "`\\" * 4900, '"\\' * 4900, "a." * 4900 + "a", "(" * 4900, "a" * 10_001])
def test_an_expression_that_is_hard_to_read_is_refused_at_once(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text)
    with pytest.raises(BadCondition) as refused:
        holds(text, CONTEXT)
    assert len(str(refused.value)) < 1000 + len(text)


@pytest.mark.parametrize("text", ["`abc", "`ab\\`", "a == `1", "'abc", "'ab\\"])
def test_a_quote_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text)


@pytest.mark.parametrize(
    "bomb",
    [
        "|".join(["[@,@]"] * 40),
        "|".join(["[@,@][]"] * 40),
        "join(params.wide, params.many)",
        "to_string(" + "|".join(["[@,@]"] * 40) + ")",
    ],
)
def test_an_expression_that_doubles_what_it_reads_over_and_over_is_stopped(bomb: str) -> None:
    context = {"params": {"wide": "x" * 10_000, "many": ["y"] * 10_000}}
    with pytest.raises(BadTemplate, match="more than can be handled"):
        render("${" + bomb + "}", context)


@pytest.mark.parametrize("typed", [True, False])
def test_templates_that_come_to_too_much_together_are_stopped(typed: bool) -> None:
    context = {"params": {"wide": "x" * 1_000_000}}
    with pytest.raises(BadTemplate, match="more than can be handled"):
        render(["${params.wide}"] * 1000, context, typed=typed)


def test_a_pipeline_with_more_expressions_than_can_be_read_is_refused() -> None:
    steps = [Step(uses="noop", with_={str(n): "${params." + "a" * 100 + str(n) + "}" for n in range(2000)})]
    assert [problem.location for problem in check(steps)] == ["steps"]
