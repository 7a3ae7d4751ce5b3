"""From the type hints of a function to the parameters of its module, and from JSON to the values it is called with."""

import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct, structs

from rota.core.module import Parameter, ParameterType, Section, Texts, find_misfit
from rota.modules.context import Context

Convert = Callable[[Any], Any]
_SIMPLE: dict[Any, ParameterType] = {int: "int", float: "float", str: "text", bool: "bool", date: "date", datetime: "datetime"}
_LISTS: dict[Any, ParameterType] = {int: "int-list", str: "text-list"}


class Secret(str):
    """A text that shows itself nowhere by accident: neither in `repr` nor in a traceback. `str(secret)` is the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "".join(self)


class Param(Struct, frozen=True, kw_only=True):
    """More of a parameter than its type can say, inside `Annotated[...]`. None: as the hint says.

    type                      over what follows from the hint, such as `json` or `secret`
    displayname, description  by language
    section, group            where it is shown; the section is the module's own unless given
    minimum, maximum          of a number, or of each number of a list
    """

    type: ParameterType | None = None
    displayname: Texts | str = {}
    description: Texts | str = {}
    section: str | None = None
    group: str = ""
    options: list[str] | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    unique: bool = False


class Schema(Struct, frozen=True):
    """What follows from a signature. `converts`: how a parameter's JSON becomes what the function takes."""

    sections: list[Section]
    converts: dict[str, Convert]
    context_name: str | None


def texts(value: Texts | str | None) -> Texts:
    """A text that is given alone is shown in every language."""
    return {"und": value} if isinstance(value, str) else dict(value or {})


def read_signature(function: Callable[..., Any], name: str) -> Schema:
    """The parameters of a function. Raises TypeError that names the one that cannot be one."""
    hints = get_type_hints(function, include_extras=True)
    converts: dict[str, Convert] = {}
    sections: dict[tuple[str, str], dict[str, Parameter]] = {}
    context_name = None
    for number, parameter in enumerate(inspect.signature(function).parameters.values()):
        hint = hints.get(parameter.name, Any)
        if hint is Context or (number == 0 and parameter.name == "ctx"):
            context_name = parameter.name
            continue
        more, found, convert = _read(parameter, hint, number)
        place = (more.section or name, more.group)
        at = sections.setdefault(place, {})
        at[parameter.name] = structs.replace(found, position=len(at))
        converts[parameter.name] = convert
    told = [Section(name=section, group=group, parameters=params) for (section, group), params in sections.items()]
    return Schema(told, converts, context_name)


def _read(parameter: inspect.Parameter, hint: Any, number: int) -> tuple[Param, Parameter, Convert]:
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"the parameter {parameter.name} must be one that can be given by name")
    bare, notes = _unwrap(hint)
    more = next((note for note in notes if isinstance(note, Param)), Param())
    bare, nullable = _without_none(bare)
    inner, inner_notes = _unwrap(bare)
    kind, options, convert = _kind_of(parameter.name, inner, more.type)
    found = Parameter(
        type=kind,
        position=number,
        required=parameter.default is parameter.empty,
        nullable=nullable,
        options=more.options or options,
        unique=more.unique,
        displayname=texts(more.displayname),
        description=texts(more.description),
        **_bounds([*notes, *inner_notes], kind),
    )
    return more, _with_default(found, parameter, convert), _or_none(convert)


def _with_default(found: Parameter, parameter: inspect.Parameter, convert: Convert) -> Parameter:
    """A default of None needs not be told: what is not given is not passed."""
    default = parameter.default
    if default is parameter.empty or default is None:
        return found
    told = _to_json(default)
    why = find_misfit(found, told)
    if why:
        raise TypeError(f"the default of {parameter.name} {why}")
    # A secret with a default is shown without it.
    return found if found.type == "secret" else structs.replace(found, default=told)


def _kind_of(name: str, hint: Any, told: ParameterType | None) -> tuple[ParameterType, list[str] | None, Convert]:
    """Type, options, and how a value is made of JSON."""
    if get_origin(hint) is Literal:
        choices = {str(value): value for value in get_args(hint)}
        return told or "select", list(choices), choices.__getitem__
    if isinstance(hint, type) and issubclass(hint, Enum):
        members = {str(member.value): member for member in hint}
        return told or "select", list(members), members.__getitem__
    if hint is Secret or told == "secret":
        return "secret", None, Secret
    kind = told or _plain_kind(hint)
    if kind is None:
        raise TypeError(f"the parameter {name} has a type that no parameter can have: {hint}")
    return kind, None, _CONVERTS.get(kind, _same)


def _plain_kind(hint: Any) -> ParameterType | None:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin in (list, tuple, Sequence, Iterable):
        element = _unwrap(arguments[0])[0] if arguments else Any
        return _LISTS.get(element, "json")
    return "json" if hint in (Any, object) or origin in (dict, Mapping, MutableMapping) else None


def _bounds(notes: list[Any], kind: ParameterType) -> dict[str, Any]:
    """Those of `Param`, of msgspec's `Meta`, and of the like."""
    found: dict[str, Any] = {}
    step = 1 if kind in ("int", "int-list") else 0
    for note in notes:
        found.update((name, bound) for name, bound in _each_bound(note, step) if bound is not None)
    return found


def _each_bound(note: Any, step: int) -> Iterator[tuple[str, Any]]:
    for name in ("minimum", "maximum", "min_length", "max_length", "pattern"):
        yield name, getattr(note, name, None)
    yield "minimum", getattr(note, "ge", None)
    yield "maximum", getattr(note, "le", None)
    above, below = getattr(note, "gt", None), getattr(note, "lt", None)
    yield "minimum", None if above is None else above + step
    yield "maximum", None if below is None else below - step


def _unwrap(hint: Any) -> tuple[Any, list[Any]]:
    """A hint without its `Annotated`, and what stood in it."""
    if get_origin(hint) is Annotated:
        bare, *notes = get_args(hint)
        return bare, notes
    return hint, []


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    others = [each for each in get_args(hint) if each is not type(None)]
    return (others[0], True) if len(others) == 1 else (hint, False)


def _to_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value


_CONVERTS: dict[ParameterType, Convert] = {
    "float": float,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}
