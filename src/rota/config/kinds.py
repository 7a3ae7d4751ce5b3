"""Kinds of values a setting can have: how each is read, and what it is called in messages and docs."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from rota.config.findings import nearest
from rota.config.positions import KeyPath
from rota.config.secret import Secret
from rota.core.errors import Invalid
from rota.core.placement import MOST_LABELS, PLACE_LABEL
from rota.core.schedule.zone import get_clock

LONGEST_ENV_BYTES = 32_768
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BadValue(ValueError):
    """A value that does not fit. `problems` are messages, each with its place inside the value. Never repeats the value."""

    def __init__(self, message: str, *more: tuple[KeyPath, str]) -> None:
        super().__init__(message)
        self.problems: list[tuple[KeyPath, str]] = list(more) or [((), message)]


class Kind(Struct, frozen=True):
    """name what it is called · parse from a TOML value · from_text from a flag or an environment variable.

    Both raise BadValue.
    """

    name: str
    parse: Callable[[Any], Any]
    from_text: Callable[[str], Any]


def said_as(value: Any) -> str:
    """What a TOML value is, for a message about its type."""
    names = {bool: "true or false", str: "a string", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or time")


def expect(kind: type, value: Any, wanted: str, hint: str = "") -> None:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadValue(f"must be {wanted}, not {said_as(value)}{hint}")


def text_kind(name: str, check: Callable[[str], Any]) -> Kind:
    """A kind whose values are strings, read by `check`."""

    def parse(value: Any) -> Any:
        expect(str, value, "a string")
        return check(value)

    return Kind(name, parse, check)


def _clean(text: str) -> str:
    if "\x00" in text:
        raise BadValue("must not contain a NUL character")
    return text


def _non_blank(text: str) -> str:
    if not text.strip():
        raise BadValue("must not be blank")
    return _clean(text)


def matching(name: str, pattern: str, wanted: str) -> Kind:
    """Strings of one shape."""
    shape = re.compile(pattern)

    def check(text: str) -> str:
        if not shape.fullmatch(text):
            raise BadValue(f"must be {wanted}")
        return text

    return text_kind(name, check)


def enum(*choices: str, hint: str = "") -> Kind:
    """One of some words, exact and lower-case."""

    def check(text: str) -> str:
        if text not in choices:
            raise BadValue(f"must be one of {', '.join(choices)}{nearest(text, choices)}{hint}")
        return text

    return text_kind(" / ".join(f"`{choice}`" for choice in choices), check)


def _parse_boolean(value: Any) -> bool:
    expect(bool, value, "true or false")
    return bool(value)


def _boolean_text(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise BadValue("must be true or false") from None


def integer(low: int | None = None, high: int | None = None) -> Kind:
    """A whole number within bounds, both included."""
    span = "" if low is None else f" {low} or more" if high is None else f" from {low} to {high}"

    def parse(value: Any) -> int:
        expect(int, value, f"a whole number{span}")
        if (low is not None and value < low) or (high is not None and value > high):
            raise BadValue(f"must be a whole number{span}")
        return int(value)

    def from_text(text: str) -> int:
        try:
            return parse(int(text))
        except ValueError:
            raise BadValue(f"must be a whole number{span}") from None

    return Kind(f"whole number{span}", parse, from_text)


def list_of(item: Kind, *, non_empty: bool = False, most: int | None = None) -> Kind:
    """A list of one kind; in a flag or an environment variable, separated by commas."""

    def check(values: list[Any], read: Callable[[Any], Any]) -> list[Any]:
        if non_empty and not values:
            raise BadValue("must not be empty")
        if most is not None and len(values) > most:
            raise BadValue(f"must be at most {most}")
        return read_each({(number,): value for number, value in enumerate(values)}, read)

    def parse(value: Any) -> list[Any]:
        expect(list, value, "a list")
        return check(value, item.parse)

    def from_text(text: str) -> list[Any]:
        return check([part.strip() for part in text.split(",") if part.strip()], item.from_text)

    return Kind(f"list: {item.name}", parse, from_text)


def read_each(values: Mapping[KeyPath, Any], read: Callable[[Any], Any]) -> list[Any]:
    """Every value read; raises one BadValue that tells of each bad one at its place."""
    found, problems = [], []
    for path, value in values.items():
        try:
            found.append(read(value))
        except BadValue as error:
            problems += [((*path, *inner), message) for inner, message in error.problems]
    if problems:
        raise BadValue("has unusable elements", *problems)
    return found


def _parse_env(value: Any) -> dict[str, str]:
    expect(dict, value, "a table of strings")
    problems: list[tuple[KeyPath, str]] = [
        ((name,), message) for name, text in value.items() if (message := find_env_problem(name, text))
    ]
    if problems:
        raise BadValue("has unusable entries", *problems)
    return dict(value)


def find_env_problem(name: str, text: Any) -> str | None:
    """Why a variable cannot be set, without its value."""
    if not ENV_NAME.fullmatch(name):
        return "is not a name for a variable: letters, digits and _, not beginning with a digit"
    if not isinstance(text, str):
        return f"must be a string, not {said_as(text)}"
    if "\x00" in text:
        return "must not contain a NUL character"
    return "must not be longer than 32 KiB" if len(text.encode("utf-8", "surrogatepass")) > LONGEST_ENV_BYTES else None


def _timezone(text: str) -> str:
    try:
        get_clock(text)
    except Invalid as error:
        raise BadValue(f"is not a known time zone; {error.hint}") from None
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadValue("must be an http or https URL such as https://tasks.example.com")
    return text.rstrip("/")


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535 or (":" in host and not bracketed):
        raise BadValue("must be HOST:PORT, such as 127.0.0.1:7682 or [::1]:7682")
    return text


def _proxy_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise BadValue("must be an address or a network such as 10.0.0.0/8") from None
    if network.prefixlen == 0:
        raise BadValue("would trust every address; name the proxies' own networks")
    return str(network)


def _signal(text: str) -> str:
    signals = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2")
    name = text if text.startswith("SIG") else f"SIG{text}"
    if name not in signals:
        near = nearest(name, [signal.lower() for signal in signals]).upper().replace("; DID YOU MEAN", "; did you mean")
        raise BadValue(f"must be one of {', '.join(signals)}{near}")
    return name


def _umask(text: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise BadValue('must be octal digits up to 0777 in a string, such as "027"')
    return text


BOOLEAN = Kind("true or false", _parse_boolean, _boolean_text)
TEXT = text_kind("text", _clean)
SCRIPT = text_kind("text, not blank", _non_blank)
PATH = text_kind("path", _non_blank)
TIMEZONE = text_kind("IANA time zone", _timezone)
URL = text_kind("http(s) URL", _url)
ADDRESS = text_kind("HOST:PORT", _address)
NETWORK = text_kind("address or network", _proxy_network)
SIGNAL = text_kind("signal", _signal)
UMASK = text_kind("octal digits in a string", _umask)
SECRET = text_kind("text, kept secret", lambda text: Secret(_non_blank(text)))
ENV = Kind("table of strings", _parse_env, lambda text: _parse_env(text))
SHELL = matching("absolute path", r"/[^\x00]*", "an absolute path such as /bin/sh")
FOLDER = matching("absolute path", r"/[^\x00]*", "an absolute path such as /srv/data")
USER = matching("`user` or `user:group`", r"[^:\s\x00]+(:[^:\s\x00]+)?", "user or user:group, names or ids")
NAME = matching("name", r"[A-Za-z0-9._:-]{1,100}", "1 to 100 letters, digits or . _ : -")
LABEL = matching("text, 1 to 100 characters", r"[^\x00]{1,100}", "1 to 100 characters")
LABELS = list_of(matching("label", PLACE_LABEL, "1 to 50 letters, digits or . _ -"), most=MOST_LABELS)
TITLE = matching("text, up to 200 characters", r"[^\x00]{0,200}", "at most 200 characters")
DESCRIPTION = matching("text", r"[^\x00]{0,10000}", "at most 10000 characters")
