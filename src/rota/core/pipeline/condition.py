"""Conditions: whether a step runs."""

import json
import re
from typing import Any

from rota.core.pipeline.expression import QUOTED, BadExpression, Expression, check_length, parse, shortened

COMPARATORS = ("==", "!=", "<=", ">=", "<", ">")
WORDS = ("true", "false", "null")
# As `expression.TOKEN`, with comparators, numbers and names as wholes.
TOKEN = re.compile(
    QUOTED + r"""|==|!=|<=|>=|<|>|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|\s+|.""",
    re.DOTALL,
)
NUMBER = re.compile(r"-?\d")


class BadCondition(ValueError):
    """A condition that does not work; the message names it."""


def holds(text: str, context: dict[str, Any]) -> bool:
    """Whether a condition is true of a context: null, false, 0 and what is empty are not. Raises BadCondition."""
    expression = parse_condition(text)
    try:
        return bool(expression.search(context))
    except BadExpression as error:
        raise _bad(text, error) from None


def parse_condition(text: str) -> Expression:
    """Three spellings: a JMESPath expression, one with bare literals beside a comparator (`a.b > 25`), either in `${…}`.

    Raises BadCondition.
    """
    try:
        check_length(text)
        return parse(with_bare_literals(unwrapped(text)))
    except BadExpression as error:
        raise _bad(text, error) from None


def unwrapped(text: str) -> str:
    inside = text.strip()
    return inside[2:-1].strip() if inside.startswith("${") and inside.endswith("}") else inside


def with_bare_literals(text: str) -> str:
    """Numbers, true, false and null beside a comparator, put into backticks."""
    tokens: list[str] = TOKEN.findall(text)
    words = [(place, token) for place, token in enumerate(tokens) if not token.isspace()]
    for (_, before), (place, token), (_, after) in zip([(0, ""), *words], words, [*words[1:], (0, "")], strict=False):
        if _is_literal(before, token, after):
            tokens[place] = _literal(token)
    return "".join(tokens)


def _literal(token: str) -> str:
    """In backticks; what JSON does not take for a number, such as 007, is left for the parser to refuse."""
    try:
        return f"`{json.dumps(json.loads(token))}`"
    except ValueError:
        return token


def _is_literal(before: str, token: str, after: str) -> bool:
    if token in WORDS:
        return before in COMPARATORS and after not in (".", "[", "(")
    return bool(NUMBER.match(token)) and (before in COMPARATORS or after in COMPARATORS)


def _bad(text: str, error: Exception) -> BadCondition:
    return BadCondition(f"Failed to evaluate condition '{shortened(text)}': {error}")
