"""Templates: `${…}` in texts, replaced once by what the expression inside comes to."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from rota.core.pipeline.expression import MOST_WEIGHT, BadExpression, Expression, parse, shortened, weigh

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

    One pass: what a template comes to is not rendered again. Raises BadTemplate, also where they come to too much together.
    """
    return _Rendering(context, typed, is_known).value(value)


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
            yield from ((place, text.strip()) for text in HIT.findall(value, 0, _last_end(value)) if text)
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


class _Rendering:
    """One value with all its templates; `_room` is what they may come to yet."""

    def __init__(self, context: Context, typed: bool, is_known: IsKnown) -> None:
        self._context = context
        self._typed = typed
        self._is_known = is_known
        self._room = MOST_WEIGHT

    def value(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value) if "${" in value else value
            case dict():
                return {key: self.value(item) for key, item in value.items()}
            case list():
                return [self.value(item) for item in value]
            case _:
                return value

    def _text(self, text: str) -> Any:
        whole = HIT.fullmatch(text) if self._typed else None
        if whole and whole[1] and self._is_known(parse_template(whole[1].strip())):
            found = _evaluate(whole[1].strip(), self._context)
            self._take(weigh(found))
            return found
        end = _last_end(text)
        return HIT.sub(self._replace, text[:end]) + text[end:].replace("\\${", "${")

    def _replace(self, hit: re.Match[str]) -> str:
        if hit[1] is None:
            return "${"
        inside = hit[1].strip()
        if not self._is_known(parse_template(inside)):
            return hit[0]
        text = to_text(_evaluate(inside, self._context))
        self._take(len(text))
        return text

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise BadTemplate("its templates come to more than can be handled")


def _last_end(text: str) -> int:
    """Behind it there is no template. Looking for an end from every `${` there would take the square of the length."""
    return text.rfind("}") + 1


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
    return BadTemplate(f"Failed to evaluate JMESPath expression '{shortened(text)}': {error}")
