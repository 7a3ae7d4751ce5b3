"""What is wrong with, or worth saying about, a settings file."""

from collections.abc import Iterable
from difflib import get_close_matches

from rota.config.positions import KeyPath, Place
from rota.core.errors import Invalid, Problem


class Finding(Problem, frozen=True, kw_only=True):
    """One thing at one place. `location` is what people read: `rota.toml:12:3 tasks.backup.crn`.

    file is empty, and line and column are 0, for what comes from the environment or a flag.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""


class Findings:
    """Collects errors and warnings, so that a person hears all of them at once."""

    def __init__(self) -> None:
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []

    def raise_errors(self, file: str) -> None:
        """Raises Invalid with every error, in the order of the files."""
        if self.errors:
            count = len(self.errors)
            summary = f"{file} has {count} error{'s' if count > 1 else ''}" if file else "the settings do not fit"
            raise Invalid(summary, in_order(self.errors))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Files as they were met, then lines; the same thing is said once."""
    unique = list(dict.fromkeys(findings))
    files = {finding.file: number for number, finding in reversed(list(enumerate(unique)))}
    return sorted(unique, key=lambda finding: (files[finding.file], finding.line, finding.column))


def at_place(file: str, place: Place, path: KeyPath, message: str) -> Finding:
    key = dotted(path)
    location = f"{file}:{place.line}:{place.column}"
    return Finding(f"{location} {key}" if key else location, message, file=file, line=place.line, column=place.column, key=key)


def elsewhere(source: str, message: str) -> Finding:
    """A finding about a flag or an environment variable."""
    return Finding(source, message, key=source)


def dotted(path: KeyPath) -> str:
    """`tasks.backup.params[0].key`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean cron?`, or nothing if nothing is near."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""
