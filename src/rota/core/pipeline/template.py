"""Templates: `${…}` in texts, replaced once by what the expression inside comes to."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from rota.core.pipeline.expression import BadExpression, Expression, parse

# `\${` stands for a literal `${`. What holds a `}` ends there; `${}` and `${` without an end are no templates.
HIT = re.compile(r"\\\$\{|\$\{([^}]+)\}")
SHIFT = re.compile(r"now\s*([+-])\s*(\d{1,9})\s*([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Context = dict[str, Any]
IsKnown = Callable[[Expression], bool]


class BadTemplate(ValueError):
    """A template whose expression does not work; the message names it."""


def render(value: Any, context: Context, *, typed: bool = False, is_known: IsKnown = lambda _: True) -> Any:
    """A value with all templates in its texts replaced, through objects (not their keys) and arrays; the rest as it is.

    typed     a text that is exactly one `${…}` keeps the type of what it comes to
    is_known  templates whose expression it refuses stay as they are written

    One pass: what a template comes to is not rendered again. Raises BadTemplate.
    """
    match value:
        case str():
            return _render_text(value, context, typed, is_known) if "${" in value else value
        case dict():
            return {key: render(item, context, typed=typed, is_known=is_known) for key, item in value.items()}
        case list():
            return [render(item, context, typed=typed, is_known=is_known) for item in value]
        case _:
            return value


def to_text(value: Any) -> str:
    """How a value reads inside a text."""
    match value:
        case str():
            return value
        case None | bool() | dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def find_templates(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each template in a value: where it stands (`with.items.0`), and the expression in it."""
    match value:
        case str():
            yield from ((place, text.strip()) for text in HIT.findall(value) if text)
        case dict():
            for key, item in value.items():
                yield from find_templates(item, f"{place}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from find_templates(item, f"{place}.{index}")


def parse_template(text: str) -> Expression:
    """The expression of a template; that of `now+24h` is `now`. Raises BadTemplate."""
    try:
        return parse("now" if SHIFT.fullmatch(text) else text)
    except BadExpression as error:
        raise _bad(text, error) from None


def _render_text(text: str, context: Context, typed: bool, is_known: IsKnown) -> Any:
    def replace(hit: re.Match[str]) -> str:
        if hit[1] is None:
            return "${"
        inside = hit[1].strip()
        return to_text(_evaluate(inside, context)) if is_known(parse_template(inside)) else hit[0]

    whole = HIT.fullmatch(text) if typed else None
    if whole and whole[1] and is_known(parse_template(whole[1].strip())):
        return _evaluate(whole[1].strip(), context)
    return HIT.sub(replace, text)


def _evaluate(text: str, context: Context) -> Any:
    expression = parse_template(text)
    try:
        shift = SHIFT.fullmatch(text)
        return _shifted(str(context["now"]), shift) if shift else expression.search(context)
    except (BadExpression, OverflowError) as error:
        raise _bad(text, error) from None


def _shifted(now: str, shift: re.Match[str]) -> str:
    sign, number, unit = shift.groups()
    return (datetime.fromisoformat(now) + timedelta(**{UNITS[unit]: int(sign + number)})).isoformat()


def _bad(text: str, error: Exception) -> BadTemplate:
    return BadTemplate(f"Failed to evaluate JMESPath expression '{text}': {error}")
