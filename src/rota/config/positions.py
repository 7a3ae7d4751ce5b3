"""Where each key and value stands in the text of a TOML file.

The parser of the standard library gives no positions. This scanner runs over text which that parser has accepted, so it
may assume that the text is well formed and only has to find the edges of things.
"""

import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?""""{0,2}|"(?:[^"\\\n]|\\.)*"'''
    r"""|'{3}.*?'{3}'{0,2}|'[^'\n]*'""",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]*")


class Place(NamedTuple):
    """A position in a file, both counted from 1."""

    line: int
    column: int


class Mark(NamedTuple):
    """Where a key stands, and where its value begins. A table's value begins where its header does."""

    key: Place
    value: Place


def scan(text: str) -> dict[KeyPath, Mark]:
    """The marks of every key and list element. `text` must have parsed, and its lines must end in a bare newline."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._marks: dict[KeyPath, Mark] = {}
        self._lengths: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, Mark]:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._marks

    def _header(self) -> KeyPath:
        place = self._place()
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        keys = [key for key, _ in self._keys()]
        self._at += 2 if is_list else 1
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = self._enter((*path, key), opens=is_list and number == len(keys), place=place)
        return path

    def _enter(self, path: KeyPath, *, opens: bool, place: Place) -> KeyPath:
        """One step of a header: a list of tables is entered at its last element, a new one if the header opens it."""
        if opens:
            self._lengths[path] = self._lengths.get(path, 0) + 1
        self._mark(path, place, place)
        if path in self._lengths:
            path = (*path, self._lengths[path] - 1)
            self._mark(path, place, place)
        return path

    def _pair(self, table: KeyPath) -> None:
        keys = self._keys()
        self._at += 1  # =
        self._skip(_SPACE)
        value = self._place()
        path = table
        for key, place in keys:
            path = (*path, key)
            self._mark(path, place, value)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_BARE)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        while not self._closes("]"):
            place = self._place()
            self._mark((*path, number), place, place)
            self._value((*path, number))
            number += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while not self._closes("}"):
            self._pair(path)

    def _closes(self, bracket: str) -> bool:
        """Go past blanks and a comma; at the bracket, go past it and say so."""
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)
        if self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def _keys(self) -> list[tuple[str, Place]]:
        """The parts of a key, leaving the scanner at what follows it."""
        keys = []
        while True:
            self._skip(_SPACE)
            place = self._place()
            keys.append((_unquote(self._skip(_KEY)), place))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"nothing expected at {self._place()}")
        self._at = match.end()
        return match[0]

    def _mark(self, path: KeyPath, key: Place, value: Place) -> None:
        self._marks.setdefault(path, Mark(key, value))

    def _place(self) -> Place:
        line = bisect_right(self._starts, self._at)
        return Place(line, self._at - self._starts[line - 1] + 1)


def _unquote(key: str) -> str:
    if key[0] not in "\"'":
        return key
    value: str = tomllib.loads(f"key = {key}")["key"]
    return value
