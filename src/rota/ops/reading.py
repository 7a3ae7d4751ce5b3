"""Turns documents from outside into structs, and what is wrong with them into problems that name the field."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import inspect

from rota.core.errors import Invalid, Problem

T = TypeVar("T")

MOST_CHARACTERS = 200
# A number that no double or 64-bit integer holds, or the one character that neither a process nor PostgreSQL takes.
_SUSPICIOUS = re.compile(rb"\\u0000|\d{19}")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$?(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`$", re.DOTALL)
_SECRET = re.compile(r"password|secret|token|\benv\b|headers", re.IGNORECASE)


class Malformed(Invalid):
    """Not JSON at all."""

    code = "malformed"


def decode(decoder: msgspec.json.Decoder[T], raw: bytes, at: str = "body", *, takes_any: bool = False) -> T:
    """A struct from JSON text. Raises Malformed, or Invalid at `<at>.<field>`.

    takes_any  numbers and characters are let in that JSON can write and no column can hold
    """
    try:
        value = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid_of(error, decoder.type, _find_json(raw), at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if not takes_any and _SUSPICIOUS.search(raw):
        _check_hostile(_find_json(raw), at)
    return value


def convert(document: Any, model: type[T], at: str = "body", *, strict: bool = True) -> T:
    """A struct from a decoded document. Raises Invalid at `<at>.<field>`."""
    try:
        return msgspec.convert(document, model, strict=strict)
    except msgspec.ValidationError as error:
        raise invalid_of(error, model, document, at) from None


def invalid_of(error: msgspec.ValidationError, model: Any, document: Any, at: str) -> Invalid:
    """msgspec's one-line error as a problem: where, what, which value, and the nearest valid word."""
    found = _PLACE.match(str(error))
    what, place = (found["what"], found["path"] or "") if found else (str(error), "")
    path = [name or index for name, index in _STEP.findall(place)]
    problem = _name_field(what, path, model, document, at)
    return Invalid(f"{problem.location}: {problem.message}", [problem])


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean x?` or the words there are."""
    close = get_close_matches(word[:MOST_CHARACTERS], known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it is one of {', '.join(known)}"


def check_known(document: dict[str, Any], known: list[str], at: str = "body") -> None:
    """Raises Invalid that names every unknown field."""
    problems = [_unknown(name, known, [at], document) for name in document if name not in known]
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def shown(value: Any, location: str = "") -> Any:
    """A value as it may be repeated to who sent it: short, and never a secret."""
    if _SECRET.search(location) or isinstance(value, dict | list):
        return None
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return value[:MOST_CHARACTERS] + "…"
    return value if not isinstance(value, int) or abs(value) < 2**63 else None


def _name_field(what: str, path: list[str], model: Any, document: Any, at: str) -> Problem:
    here = _follow(document, path)
    if unknown := _UNKNOWN.search(what):
        return _unknown(unknown[1], _fields_at(model, path, document), [at, *path], here)
    if missing := _MISSING.search(what):
        return Problem(_dotted([at, *path, missing[1]]), "is required")
    location = _dotted([at, *path])
    if "matching regex" in what and (meant := _meaning_at(model, path, document)):
        return Problem(location, f"must be {meant}", shown(here, location))
    words = _words_at(model, path, document) if isinstance(here, str) and "nvalid" in what else []
    message = f"{here[:MOST_CHARACTERS]!r} is not known here; {nearest(here, words)}" if words else what[:1].lower() + what[1:]
    return Problem(location, message, shown(here, location))


def _unknown(name: str, known: list[str], path: list[str], here: Any) -> Problem:
    location = _dotted([*path, name[:MOST_CHARACTERS]])
    value = here.get(name) if isinstance(here, dict) else None
    return Problem(location, f"is not a known field; {nearest(name, known)}", shown(value, location))


def _dotted(path: list[str]) -> str:
    return ".".join(step for step in path if step != "...")


def _follow(document: Any, path: list[str]) -> Any:
    for step in path:
        match document:
            case dict():
                document = document.get(step)
            case list() if step.isdecimal() and int(step) < len(document):
                document = document[int(step)]
            case _:
                return None
    return document


def _find_json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _fields_at(model: Any, path: list[str], document: Any) -> list[str]:
    return sorted({item.encode_name for kind in _types_at(model, path, document) for item in getattr(kind, "fields", ())})


def _words_at(model: Any, path: list[str], document: Any) -> list[str]:
    """The words a string may be: those of a Literal, or the tags of structs when the place is a tag."""
    words = {str(word) for kind in _types_at(model, path, document) for word in getattr(kind, "values", ())}
    if path:
        owners = _types_at(model, path[:-1], None)
        words |= {str(kind.tag) for kind in owners if getattr(kind, "tag_field", None) == path[-1]}
    return sorted(words)


def _meaning_at(model: Any, path: list[str], document: Any) -> str | None:
    """What a value there has to be, in the words of its type, if that has any: a pattern is none for people."""
    for kind in _types_at(model, path, document):
        if isinstance(kind, inspect.Metadata) and kind.extra:
            return kind.extra.get("meaning")
    return None


def _types_at(model: Any, path: list[str], document: Any) -> list[Any]:
    """What msgspec knows of the types that a place may have. With a document, tagged structs are told apart."""
    types = list(_choices(_described(model), document))
    for step in path:
        document = _follow(document, [step])
        types = [kind for parent in types for child in _children(parent, step) for kind in _choices(child, document)]
    return types


@lru_cache(maxsize=256)
def _described(model: Any) -> Any:
    return inspect.type_info(model)


def _children(parent: Any, step: str) -> Iterator[Any]:
    match parent:
        case inspect.StructType():
            yield from (item.type for item in parent.fields if item.encode_name == step)
        case inspect.ListType():
            yield parent.item_type
        case inspect.DictType():
            yield parent.value_type


def _choices(kind: Any, document: Any) -> Iterator[Any]:
    options: tuple[Any, ...] = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    for option in options:
        tag_field = getattr(option, "tag_field", None)
        tag = document.get(tag_field) if tag_field and isinstance(document, dict) else None
        if tag is None or tag == option.tag:
            yield option


def _check_hostile(document: Any, at: str) -> None:
    """Raises Invalid for values that JSON can write and nothing behind us can hold."""
    problems = list(_hostile(document, at))
    if problems:
        raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def _hostile(value: Any, at: str) -> Iterator[Problem]:
    match value:
        case str() if "\x00" in value:
            yield Problem(at, "must not contain a NUL character")
        case int() if not -(2**63) <= value < 2**63:
            yield Problem(at, "is too large for an integer of 64 bits")
        case dict():
            for name, item in value.items():
                yield from _hostile(name, at)
                yield from _hostile(item, f"{at}.{name[:MOST_CHARACTERS]}")
        case list():
            for index, item in enumerate(value):
                yield from _hostile(item, f"{at}.{index}")


def words_of(literal: Any) -> list[str]:
    """The words of a Literal."""
    return list(get_args(literal))
