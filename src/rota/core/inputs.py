"""What a run may be given, how it is checked, and how it reaches a script (RunWisp §11)."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from rota.core.errors import Invalid, Problem

LONGEST_BYTES = 32_768
TRUTH = {"true": "true", "1": "true", "false": "false", "0": "false"}

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")


class Input(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One value a run may be given.

    kind  env = a variable of the process · arg = one token · option = `key value` (glued if the key ends in `=`) ·
          flag = the key itself when true
    """

    kind: Literal["env", "arg", "option", "flag"]
    key: Annotated[str, Meta(min_length=1, max_length=100)]
    type: Literal["string", "number"] = "string"
    default: str | None = None
    required: bool = False
    choices: list[str] | None = None
    allow_custom: bool = False
    description: str | None = None


class Rendered(Struct, frozen=True):
    """What a run's values come to: variables of the process, and tokens for the script's last command."""

    env: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)


def check_inputs(inputs: Sequence[Input], *, unattended: bool = False, taken: Collection[str] = ()) -> list[Problem]:
    """What is wrong with a task's inputs, at locations such as `0.key`.

    unattended  something but a person starts the task, so that each required input needs a default
    taken       variables that the task sets already and an `env` input may not set again
    """
    problems, seen = [], set[str]()
    for number, item in enumerate(inputs):
        found = [*_check_key(item), *_check_value_rules(item), *_check_default(item, unattended)]
        if item.key in seen:
            found.append(Problem("key", f"{item.key} is given twice"))
        if item.kind == "env" and item.key in taken:
            found.append(Problem("key", f"{item.key} is set by env or secrets already"))
        seen.add(item.key)
        problems += [Problem(f"{number}.{problem.location}", problem.message) for problem in found]
    return problems


def resolve(inputs: Sequence[Input], given: Mapping[str, Any]) -> dict[str, str]:
    """The values that take effect, in order of declaration; an omitted input is absent.

    A key that is not given takes its default, None omits it even so, "" is an empty value. Flags are always "true" or
    "false". A retry replays the recorded result and does not come here again.

    Raises Invalid with locations `params.<key>`; values are never repeated in its messages.
    """
    known = {item.key for item in inputs}
    problems = [Problem(f"params.{key}", _unknown_key(known)) for key in given if key not in known]
    values: dict[str, str] = {}
    for item in inputs:
        try:
            value = _resolve_one(item, given)
        except ValueError as error:
            problems.append(Problem(f"params.{item.key}", str(error)))
        else:
            if value is not None:
                values[item.key] = value
    if problems:
        summary = "; ".join(f"{problem.location.removeprefix('params.')} {problem.message}" for problem in problems)
        raise Invalid(f"invalid parameters: {summary}", problems)
    return values


def render(inputs: Iterable[Input], params: Mapping[str, str]) -> Rendered:
    """How resolved values reach the process. Tokens follow the order of declaration, whatever the order of `params`."""
    env: dict[str, str] = {}
    tokens: list[str] = []
    for item in inputs:
        value = params.get(item.key)
        if value is None:
            continue
        if item.kind == "env":
            env[item.key] = value
        else:
            tokens += _tokens(item, value)
    return Rendered(env, tokens)


def append_tokens(script: str, tokens: Iterable[str]) -> str:
    """The script with tokens at the end of its final command, each quoted to arrive as one inert argument."""
    quoted = [quote(token) for token in tokens]
    return " ".join([script.rstrip("\r\n"), *quoted]) if quoted else script


def quote(token: str) -> str:
    """Always in single quotes: what needs none differs from shell to shell (`=ls` is expanded by zsh)."""
    return "'" + token.replace("'", "'\"'\"'") + "'"


def swallows_tokens(script: str) -> str | None:
    """What the script's last line is, when tokens put there would not reach a command; else None."""
    lines = script.rstrip("\r\n").splitlines()
    last = lines[-1] if lines else ""
    if last.lstrip().startswith("#"):
        return "a comment"
    words = {match[2] for line in lines[:-1] for match in _HEREDOC.finditer(line)}
    return "the end of a here-document" if last.strip() in words else None


def plain_text(value: Any) -> str:
    """A string, number or boolean as it is stored: numbers without exponent. Raises ValueError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value))
        if number.is_finite():
            text = format(number, "f")
            return text.rstrip("0").rstrip(".") if "." in text else text
    raise ValueError("must be a string, a number, true or false")


def _resolve_one(item: Input, given: Mapping[str, Any]) -> str | None:
    value = given.get(item.key, item.default)
    if item.kind == "flag":
        return "false" if value is None else _flag(plain_text(value))
    if value is None:
        if item.required:
            raise ValueError("is required")
        return None
    text = plain_text(value)
    _check_text(item, text)
    return text


def _check_text(item: Input, text: str) -> None:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        raise ValueError("must not be longer than 32 KiB")
    if item.type == "number" and not _NUMBER.fullmatch(text):
        raise ValueError("must be a number")
    if item.choices is not None and not item.allow_custom and text not in item.choices:
        raise ValueError(f"must be one of {', '.join(item.choices)}")


def _flag(text: str) -> str:
    try:
        return TRUTH[text.lower()]
    except KeyError:
        raise ValueError("is a flag: true or false") from None


def _tokens(item: Input, value: str) -> list[str]:
    if item.kind == "flag":
        return [item.key] if value == "true" else []
    if item.kind == "arg":
        return [value]
    return [item.key + value] if item.key.endswith("=") else [item.key, value]


def _unknown_key(known: Collection[str]) -> str:
    return f"is not a parameter of this task; it has {', '.join(sorted(known)) or 'none'}"


def _check_key(item: Input) -> list[Problem]:
    if "\x00" in item.key:
        return [Problem("key", "must not contain a NUL character")]
    if item.kind in ("env", "arg"):
        good = _ENV_NAME.fullmatch(item.key) is not None
        return [] if good else [Problem("key", "must be letters, digits and _, and not begin with a digit")]
    return [] if item.key.startswith("-") else [Problem("key", "must begin with -")]


def _check_value_rules(item: Input) -> list[Problem]:
    problems = []
    if item.kind == "flag":
        rules = {"choices": item.choices is not None, "type": item.type != "string", "required": item.required}
        problems += [Problem(name, f"a flag has no {name}") for name, used in rules.items() if used]
    if item.allow_custom and item.choices is None:
        problems.append(Problem("allow_custom", "needs choices to go beyond"))
    if item.choices is not None and not item.choices:
        problems.append(Problem("choices", "must not be empty"))
    if item.type == "number" and not all(map(_NUMBER.fullmatch, item.choices or [])):
        problems.append(Problem("choices", "must all be numbers, as type says"))
    return problems


def _check_default(item: Input, unattended: bool) -> list[Problem]:
    if item.default is None:
        if item.required and unattended:
            return [Problem("required", "needs a default, because the task also starts without anyone to ask")]
        return []
    try:
        if item.kind == "flag":
            _flag(item.default)
        else:
            _check_text(item, item.default)
    except ValueError as error:
        return [Problem("default", str(error))]
    return []
