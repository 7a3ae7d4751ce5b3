"""Modules: what one is called, which parameters it takes, and whether values fit them."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from rota.core.errors import Invalid, Problem

ParameterType = Literal["int", "float", "text", "bool", "select", "json", "int-list", "text-list", "secret", "date", "datetime"]
ModuleName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$(?!\n)")]
# Language to text, such as `de-DE`; `und` is what is shown where no other fits.
Texts = dict[str, str]

_SHOWN = 100


class Parameter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter of a module (fylr §7).

    position    its place among those of its section
    default     taken where no value is given; UNSET for none
    nullable    whether null is a value
    options     of a select: all that may be given
    minimum     of a number, or of each number of a list; so is maximum
    min_length  of a text in characters, of a list in elements; so is max_length
    pattern     a regular expression that is somewhere in a text
    unique      of a list: no element twice
    """

    type: ParameterType
    position: int = 0
    default: Any = UNSET
    required: bool = False
    nullable: bool = False
    options: list[str] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    unique: bool = False
    displayname: Texts = {}
    description: Texts = {}


class Section(Struct, frozen=True, kw_only=True):
    """Parameters that are shown together; sections of one group too."""

    name: str
    group: str = ""
    parameters: dict[str, Parameter] = {}


class Definition(Struct, frozen=True, kw_only=True, dict=True):
    """A module as it is shown (fylr §7).

    debug  for development: people are not offered it
    """

    name: ModuleName
    displayname: Texts = {}
    description: Texts = {}
    debug: bool = False
    params: list[Section] = []

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Those of all sections."""
        return {name: parameter for section in self.params for name, parameter in section.parameters.items()}

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """Parameters whose values are shown nowhere."""
        return frozenset(name for name, parameter in self.parameters.items() if parameter.type == "secret")


def text_in(texts: Texts, language: str = "en-US") -> str:
    """The text in a language, in another form of it, or in whatever there is; empty for no texts at all."""
    for wanted in (language, language.split("-")[0]):
        for known, text in texts.items():
            if known == wanted or known.split("-")[0] == wanted:
                return text
    return texts.get("und") or next(iter(texts.values()), "")


def check_params(definition: Definition, params: Mapping[str, Any], at: str = "params") -> None:
    """Raises Invalid with locations `<at>.<name>`; the values of secrets are never repeated."""
    problems = find_problems(definition, params, at)
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def find_problems(definition: Definition, params: Mapping[str, Any], at: str = "params") -> list[Problem]:
    """What is wrong with values, in the order they were given; what is missing comes last."""
    known = definition.parameters
    problems = []
    for name, value in params.items():
        parameter = known.get(name)
        why = _unknown(name, known) if parameter is None else find_misfit(parameter, value)
        if why:
            shown = None if parameter is None or parameter.type == "secret" else _shown(value)
            problems.append(Problem(f"{at}.{name}", why, shown))
    missing = [name for name, parameter in known.items() if parameter.required and name not in params]
    return problems + [Problem(f"{at}.{name}", "is required") for name in missing]


def with_defaults(definition: Definition, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values that take effect: what is not given has its default, or is absent."""
    defaults = {
        name: parameter.default
        for name, parameter in definition.parameters.items()
        if not isinstance(parameter.default, UnsetType)
    }
    return {**defaults, **params}


def find_misfit(parameter: Parameter, value: Any) -> str | None:
    """Why a value does not fit a parameter."""
    if value is None:
        return None if parameter.nullable else "must not be null"
    return next(_misfits(parameter, value), None)


def _misfits(parameter: Parameter, value: Any) -> Iterator[str]:
    wanted, fits = _TYPES[parameter.type]
    if not fits(value):
        yield f"must be {wanted}"
        return
    if parameter.options is not None and value not in parameter.options:
        yield f"must be one of {', '.join(parameter.options)}"
    if isinstance(value, str | list):
        yield from _length_misfits(parameter, value)
    if isinstance(value, str) and parameter.pattern and re.search(parameter.pattern, value) is None:
        yield f"must match {parameter.pattern}"
    numbers = value if parameter.type == "int-list" else [value] if _is_number(value) else []
    for number in numbers:
        yield from _bound_misfits(parameter, number)
    if parameter.unique and isinstance(value, list) and len(set(value)) < len(value):
        yield "must not have an element twice"


def _length_misfits(parameter: Parameter, value: str | list[Any]) -> Iterator[str]:
    unit = "characters" if isinstance(value, str) else "elements"
    if parameter.min_length is not None and len(value) < parameter.min_length:
        yield f"must have {parameter.min_length} {unit} at least"
    if parameter.max_length is not None and len(value) > parameter.max_length:
        yield f"must have {parameter.max_length} {unit} at most"


def _bound_misfits(parameter: Parameter, number: float) -> Iterator[str]:
    if parameter.minimum is not None and number < parameter.minimum:
        yield f"must be {parameter.minimum:g} or more"
    if parameter.maximum is not None and number > parameter.maximum:
        yield f"must be {parameter.maximum:g} or less"


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    near = get_close_matches(name[:_SHOWN], known, n=1)
    if near:
        return f"is not a parameter of this module; did you mean {near[0]}?"
    return f"is not a parameter of this module; it has {', '.join(sorted(known)) or 'none'}"


def _shown(value: Any) -> Any:
    return value[:_SHOWN] if isinstance(value, str) else value if isinstance(value, int | float) else None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_list(of: type) -> Any:
    fits = _is_int if of is int else _is_text
    return lambda value: isinstance(value, list) and all(map(fits, value))


_TYPES: dict[ParameterType, tuple[str, Any]] = {
    "int": ("a whole number", _is_int),
    "float": ("a number", _is_number),
    "text": ("a text", _is_text),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "select": ("a text", _is_text),
    "json": ("any JSON", lambda value: True),
    "int-list": ("a list of whole numbers", _is_list(int)),
    "text-list": ("a list of texts", _is_list(str)),
    "secret": ("a text", _is_text),
    "date": ("a date such as 2026-05-30", _is_date),
    "datetime": ("a moment such as 2026-05-30T12:00:00Z", _is_moment),
}
