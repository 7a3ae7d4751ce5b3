"""The language of pipelines: what a step may say, what is checked when it is saved, what can be told before it runs."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from rota.core.errors import Problem
from rota.core.pipeline.condition import BadCondition, holds, parse_condition
from rota.core.pipeline.expression import Expression
from rota.core.pipeline.template import BadTemplate, find_templates, parse_template, render

# Of all expressions of a pipeline: reading them takes the server's time.
MOST_CHARACTERS = 200_000

Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One step of a pipeline: a call of a tool (Ordinaut §5). Steps run in order; the first that fails ends the attempt.

        {"id": "get", "uses": "http.request", "with": {"url": "https://${params.host}/weather"}, "save_as": "weather"}
        {"id": "warn", "uses": "debug.log", "if": "steps.weather.json.temperature > 25", "with": {"message": "hot"}}

    id               unique in its pipeline; `step_<index>` from 0 where it is not given
    uses             the name of a tool
    with             what the tool is given; each text in it, at any depth, is a template
    save_as          the name under which later steps find its output: `steps.<save_as>`
    if               a condition; where it does not hold the step is skipped and saves nothing
    timeout_seconds  of each call of the tool, 30 unless the tool has its own; longer is the failure ToolTimeout
    max_retries      further calls if one fails, inside the attempt, after the waits of the task's retry policy

    Templates and conditions are JMESPath over this context:
        params  the run's params, over those of the pipeline
        steps   what earlier steps saved
        now     when the attempt began, `2026-11-21T20:58:17.870993+00:00`
        event   of a run that an event started: topic, payload, event_id, source_agent_id, published_at
        _task_id, _task_title, _execution_start

    A template is `${expression}`; `\\${` is a literal `${`. It becomes text: a text as it is, true, false and null as these
    words, a number as it is written, objects and arrays as JSON; what is missing becomes `null`. What it becomes is not
    rendered again. `${now+24h}` is a moment later (or earlier, `-`) by a whole number of s, m, h, d or w.

    A condition is written without `${}`, or as a whole in it. Beside a comparator 25, true, false and null may stand bare;
    elsewhere, and for other literals, `` `25` ``, `` `sunny` `` and 'sunny'. A number is neither above nor below a text.

    One expression has 10,000 characters at most, all of a pipeline 200,000, and what they come to is limited as well.
    """

    id: Word | None = None
    uses: Word
    with_: Any = field(name="with", default_factory=dict)
    save_as: Word | None = None
    if_: Annotated[str, Meta(min_length=1)] | None = field(name="if", default=None)
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] | None = None
    max_retries: Annotated[int, Meta(ge=0, le=10)] = 0


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """typed_templates a text that is exactly one `${…}` keeps the type of its value · unknown_tools over the settings' rule."""

    typed_templates: bool = False
    unknown_tools: Literal["fail", "simulate"] | None = None


Steps = Annotated[list[Step], Meta(max_length=1000)]


class StepPreview(Struct, frozen=True):
    """What can be told of a step before it runs.

    with_      rendered as far as its templates are known; those that wait for steps stay as they are written
    runs       what its condition comes to; None if that waits for steps
    waits_for  what it reads of earlier steps
    problem    why it would fail with these params
    """

    id: str
    uses: str
    with_: Any
    runs: bool | None
    waits_for: list[str]
    problem: str | None = None


def step_id(step: Step, index: int) -> str:
    return step.id or f"step_{index}"


def check(steps: Sequence[Step]) -> list[Problem]:
    """What is wrong with a pipeline, whatever it is given: at locations such as `steps.2.with.url`."""
    length = sum(len(text) for step in steps for _, text in find_templates(step.with_, "with"))
    length += sum(len(step.if_ or "") for step in steps)
    if length > MOST_CHARACTERS:
        return [Problem("steps", f"its templates and conditions have more than {MOST_CHARACTERS} characters altogether")]
    problems: list[Problem] = []
    saved: set[str] = set()
    later = {step.save_as for step in steps if step.save_as}
    seen: dict[str, int] = {}
    for index, step in enumerate(steps):
        place, name = f"steps.{index}", step_id(step, index)
        if seen.setdefault(name, index) != index:
            problems.append(Problem(f"{place}.id", f"{name} is the id of step {seen[name]} already", name))
        problems += _check_texts(step, place, saved, later)
        saved |= {step.save_as} if step.save_as else set()
    return problems


def preview(
    steps: Sequence[Step], params: dict[str, Any], *, now: str = "", typed: bool = False, **more: Any
) -> list[StepPreview]:
    """Every step with what is known of it. The pipeline is one that `check` finds nothing wrong with."""
    context = {"params": params, "now": now, **more}
    return [_preview(step, index, context, typed) for index, step in enumerate(steps)]


def _preview(step: Step, index: int, context: dict[str, Any], typed: bool) -> StepPreview:
    def is_known(expression: Expression) -> bool:
        return all(path[0] in context for path in expression.paths)

    condition = parse_condition(step.if_) if step.if_ else None
    expressions = [parse_template(text) for _, text in find_templates(step.with_, "with")]
    read = {name for each in [*expressions, *([condition] if condition else [])] for name in _saved_names(each)}
    told = StepPreview(step_id(step, index), step.uses, step.with_, None, sorted(read))
    try:
        runs = holds(step.if_ or "`true`", context) if condition is None or is_known(condition) else None
        return replace(told, runs=runs, with_=render(step.with_, context, typed=typed, is_known=is_known))
    except (BadCondition, BadTemplate) as error:
        return replace(told, problem=str(error))


def _check_texts(step: Step, place: str, saved: set[str], later: set[str]) -> Iterator[Problem]:
    for where, text in find_templates(step.with_, f"{place}.with"):
        try:
            yield from _check_references(where, parse_template(text), saved, later)
        except BadTemplate as error:
            yield Problem(where, str(error))
    if step.if_ is not None:
        try:
            yield from _check_references(f"{place}.if", parse_condition(step.if_), saved, later)
        except BadCondition as error:
            yield Problem(f"{place}.if", str(error))


def _check_references(where: str, expression: Expression, saved: set[str], later: set[str]) -> Iterator[Problem]:
    for name in sorted(_saved_names(expression) - saved):
        why = "is saved only by this step or a later one" if name in later else "is saved by no step (`save_as`)"
        yield Problem(where, f"steps.{name} {why}")


def _saved_names(expression: Expression) -> set[str]:
    return {path[1] for path in expression.paths if path[0] == "steps" and len(path) > 1}
