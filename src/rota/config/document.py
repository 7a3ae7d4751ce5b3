"""One settings file as read: its values, and where each of them stands."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rota.config.expand import expand, read_text, resolve_path
from rota.config.findings import Finding, Findings, at_place, elsewhere, nearest
from rota.config.kinds import BadValue, Kind, said_as
from rota.config.positions import KeyPath, Place, scan

START = Place(1, 1)
SCRIPTS = ("run", "script")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Document:
    """A file whose TOML has parsed. References in its strings are replaced, but in scripts."""

    def __init__(self, path: Path, environ: Mapping[str, str], findings: Findings) -> None:
        """Raises BadValue if the file cannot be read, and lets a TOMLDecodeError through."""
        text = read_text(path).replace("\r\n", "\n")
        self.path = path
        self.environ = environ
        self.findings = findings
        self._values = tomllib.loads(text)
        self._marks = scan(text)
        self._written: dict[KeyPath, str] = {}
        self._values = self._expanded((), self._values)

    @property
    def root(self) -> "Table":
        return Table(self, (), self._values)

    def resolve(self, text: str) -> Path:
        return resolve_path(text, self.path.parent, self.environ)

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Where a key or value stands, or else the nearest thing around it."""
        for length in range(len(path), 0, -1):
            mark = self._marks.get(path[:length])
            if mark:
                return mark.key if on_key or length < len(path) else mark.value
        return START

    def finding(self, path: KeyPath, message: str, *, on_key: bool = False, quotes: bool = False) -> Finding:
        """A finding here. A message that quotes the value is not shown if a reference brought it in: it may be a secret."""
        written = [text for at, text in self._written.items() if at[: len(path)] == path] if quotes else []
        if written:
            message = f"does not fit; what it is comes from {written[0]} and is not shown"
        return at_place(str(self.path), self.place(path, on_key=on_key), path, message)

    def rename(self, old: KeyPath, new: KeyPath) -> None:
        """Findings about the new key point at the old one."""
        for known in (self._marks, self._written):
            for path in [path for path in known if path[: len(old)] == old]:
                known[(*new, *path[len(old) :])] = known[path]  # type: ignore[assignment]

    def _expanded(self, path: KeyPath, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: item if _is_script(path, key, item) else self._expanded((*path, key), item) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._expanded((*path, number), item) for number, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._expanded_text(path, value)
        return value

    def _expanded_text(self, path: KeyPath, text: str) -> str:
        try:
            value = expand(text, self.environ, self.path.parent)
        except BadValue as error:
            self.findings.errors.append(self.finding(path, str(error)))
            return text
        self._written[path] = text
        return value


def _is_script(path: KeyPath, key: str, value: Any) -> bool:
    """Also steps of pipelines: they have templates of their own."""
    return path[:1] in (("tasks",), ("services",)) and (key == "steps" or (isinstance(value, str) and key in SCRIPTS))


def read_document(path: Path, environ: Mapping[str, str], findings: Findings) -> Document | None:
    """A file, or None with the reason among the findings."""
    try:
        return Document(path, environ, findings)
    except BadValue as error:
        findings.errors.append(elsewhere(str(path), str(error).removeprefix(f"{path} ")))
    except tomllib.TOMLDecodeError as error:
        findings.errors.append(_syntax_error(path, str(error)))
    return None


def _syntax_error(path: Path, message: str) -> Finding:
    match = _POSITION.search(message)
    lines = read_text(path).splitlines() or [""]
    place = Place(int(match[1]), int(match[2])) if match and match[1] else Place(len(lines), len(lines[-1]) + 1)
    return at_place(str(path), place, (), f"not valid TOML: {_POSITION.sub('', message)}")


class Table:
    """A table of a document while it is being read."""

    def __init__(self, document: Document, path: KeyPath, values: dict[str, Any]) -> None:
        self.document = document
        self.path = path
        self.values = values

    @property
    def line(self) -> int:
        return self.document.place(self.path).line

    def error(self, message: str, *below: str | int, on_key: bool = False, quotes: bool = False) -> None:
        """`quotes` says that the message may repeat the value, or part of it."""
        finding = self.document.finding((*self.path, *below), message, on_key=on_key, quotes=quotes)
        self.document.findings.errors.append(finding)

    def warn(self, message: str, *below: str | int) -> None:
        finding = self.document.finding((*self.path, *below), message, on_key=True)
        self.document.findings.warnings.append(finding)

    def read(self, key: str, kind: Kind) -> Any:
        """The value, or None if it is absent or does not fit, which is then among the errors."""
        if key not in self.values:
            return None
        try:
            return kind.parse(self.values[key])
        except BadValue as error:
            for below, message in error.problems:
                self.error(message, key, *below)
            return None

    def child(self, key: str) -> "Table | None":
        """The table under a key; None if it is absent or is none, which is then among the errors."""
        value = self.values.get(key)
        if value is None or isinstance(value, dict):
            return None if value is None else Table(self.document, (*self.path, key), value)
        self.error(f"must be a table, not {said_as(value)}", key)
        return None

    def children(self, key: str) -> Iterator["Table"]:
        """The tables of a list under a key."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            self.error(f"must be a list of tables, not {said_as(value)}", key)
            return
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield Table(self.document, (*self.path, key, number), item)
            else:
                self.error(f"must be a table, not {said_as(item)}", key, number)

    def refuse_unknown(self, known: Iterable[str], elsewhere_known: Mapping[str, str] | None = None) -> None:
        """An error for each key that does not belong here; `elsewhere_known` tells where such a key would."""
        allowed = list(known)
        for key in self.values:
            if key not in allowed:
                where = (elsewhere_known or {}).get(key)
                reason = f"is a key of {where}" if where else f"unknown key{nearest(key, allowed)}"
                self.error(reason, key, on_key=True)

    def check_name(self, *, dots: bool = False) -> bool:
        """False, with an error, unless what the table itself is called is plain enough to be a name."""
        is_plain = re.fullmatch(r"[A-Za-z0-9_.-]{1,64}" if dots else r"[A-Za-z0-9_-]{1,64}", str(self.path[-1])) is not None
        if not is_plain:
            self.error(f"the name must be 1 to 64 letters, digits, {'. ' if dots else ''}_ or -", on_key=True)
        return is_plain
