"""JMESPath expressions: parsed once, evaluated over the context of an attempt, and asked what they refer to."""

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

# Strings, quoted names and literals as wholes, so that nothing inside them is taken for anything else. One without an end
# goes to the end of the text: looking for its end from every quote in it again would take the square of its length.
QUOTED = r"""'(?:\\.|[^'\\])*\\?(?:'|\Z)|"(?:\\.|[^"\\])*\\?(?:"|\Z)|`(?:\\.|[^`\\])*\\?(?:`|\Z)"""
TOKEN = re.compile(QUOTED + "|.", re.DOTALL)
LITERAL = re.compile(r"`(?:\\.|[^`\\])*`", re.DOTALL)
MOST_CHARACTERS = 10_000
MOST_SHOWN = 500
# Of what an expression comes to: characters of texts, and one for everything else. An expression can double what it reads
# with every few characters of its own.
MOST_WEIGHT = 16 * 1024 * 1024
FAULTS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)

Path = tuple[str, ...]
Node = dict[str, Any]


class BadExpression(ValueError):
    """An expression that cannot be parsed, or not be evaluated over this context."""


class Expression:
    """One parsed expression.

    paths  what it reads of the context, as leading names: `steps.a[0].b || params.x` reads ("steps", "a") and ("params", "x")
    """

    def __init__(self, text: str, tree: Node) -> None:
        self.text = text
        self.paths = frozenset(path for path in _paths(tree) if path)
        self._tree = tree

    def search(self, context: Any) -> Any:
        """Its value; None for what is not there. Raises BadExpression."""
        try:
            return bounded(_interpreter().visit(self._tree, context))
        except FAULTS as error:
            raise BadExpression(_words(error)) from None


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Raises BadExpression."""
    check_length(text)
    try:
        tree = _parser().parse(with_json_literals(text)).parsed
        _check_functions(tree)
        return Expression(text, tree)
    except FAULTS as error:
        raise BadExpression(_words(error)) from None


def check_length(text: str) -> None:
    """Raises BadExpression for one that would take too long to read."""
    if len(text) > MOST_CHARACTERS:
        raise BadExpression(f"it is longer than {MOST_CHARACTERS} characters")


def shortened(text: str) -> str:
    """An expression as messages name it."""
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def bounded(value: T) -> T:
    """A value that is not larger than MOST_WEIGHT. Raises ValueError."""
    if weigh(value) > MOST_WEIGHT:
        raise ValueError("it comes to more than can be handled")
    return value


def weigh(value: Any) -> int:
    """How large a value is when it is written out; what is in it twice is looked at once."""
    return _weigh(value, {})


def _weigh(value: Any, known: dict[int, int]) -> int:
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, list | dict):
        return 1
    if id(value) not in known:
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_weigh(item, known) for item in items)
    return known[id(value)]


def with_json_literals(text: str) -> str:
    """A bare word in backticks is a string: `` `sunny` `` is `` `"sunny"` ``."""
    return "".join(_json_literal(token) if LITERAL.fullmatch(token) else token for token in TOKEN.findall(text))


def _json_literal(token: str) -> str:
    inside = token[1:-1].replace("\\`", "`")
    try:
        json.loads(inside)
    except ValueError:
        return "`" + json.dumps(inside.lstrip()).replace("`", "\\`") + "`"
    return token


def _paths(node: Node) -> Iterator[Path]:
    """What a node reads of the value it is given: of a chain only its beginning looks at that value."""
    children: list[Any] = node["children"]
    match node["type"]:
        case "field":
            yield (node["value"],)
        case "current" | "identity" | "literal" | "slice" | "index" | "expref":
            yield ()
        case "subexpression" | "index_expression" | "pipe":
            first, *rest = children
            yield from _joined(list(_paths(first)), rest)
        case "projection" | "value_projection" | "filter_projection" | "flatten":
            yield from _paths(children[0])
        case _:
            for child in children:
                yield from _paths(child)


def _joined(starts: list[Path], rest: list[Node]) -> Iterator[Path]:
    """The beginnings of a chain, longer by the names that follow them."""
    if len(starts) != 1 or not rest:
        yield from starts
        return
    more = [path for path in _paths(rest[0]) if path]
    if not more:
        yield starts[0]
    for path in more:
        yield from _joined([starts[0] + path], rest[1:])


def _check_functions(node: Node) -> None:
    if node["type"] == "function_expression" and node["value"] not in _interpreter().known:
        raise ValueError(f"unknown function {node['value']}()")
    for child in node.get("children", ()):
        if isinstance(child, dict):
            _check_functions(child)


def _words(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(error).split()) or type(error).__name__


@cache
def _parser() -> Any:
    from jmespath.parser import Parser

    return Parser()


@cache
def _interpreter() -> Any:
    # Loaded when the first expression is, which most commands never come to.
    from jmespath.functions import Functions, signature
    from jmespath.visitor import Options, TreeInterpreter

    class Bounded(Functions):
        @signature({"types": ["string"]}, {"types": ["array-string"]})
        def _func_join(self, separator: str, texts: list[str]) -> str:
            if len(separator) * len(texts) > MOST_WEIGHT:
                raise ValueError("it comes to more than can be handled")
            return bounded(separator.join(texts))

    class Interpreter(TreeInterpreter):
        known = frozenset(Functions.FUNCTION_TABLE)

        def visit_flatten(self, node: Any, value: Any) -> Any:
            return bounded(super().visit_flatten(node, value))

        def visit_multi_select_list(self, node: Any, value: Any) -> Any:
            return bounded(super().visit_multi_select_list(node, value))

        def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
            return bounded(super().visit_multi_select_dict(node, value))

        def visit_comparator(self, node: Any, value: Any) -> Any:
            try:
                return super().visit_comparator(node, value)
            except TypeError:  # a number is neither smaller nor larger than a text
                return False

    return Interpreter(Options(custom_functions=Bounded()))
