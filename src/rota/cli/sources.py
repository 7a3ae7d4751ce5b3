"""The settings as a command sees them, and where each value comes from."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rota.config import Settings, find_file
from rota.config.aliases import modernise_root
from rota.config.building import build_settings
from rota.config.document import Document, read_document
from rota.config.findings import Findings
from rota.config.secret import Secret
from rota.config.setting import Setting
from rota.config.table import TABLE

MASKED = "***"
ETC = Path("/etc")


class Told(NamedTuple):
    """The settings, the file they were read from if there is one, and the flags that were given."""

    settings: Settings
    document: Document | None
    flags: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, Any, str]]:
        """Name, effective value (secrets masked) and source of each setting, in the order of the table."""
        for row in TABLE:
            value = getattr(getattr(self.settings, row.field), row.key)
            yield row.name, _shown(value), self.source_of(row)

    def source_of(self, row: Setting) -> str:
        """As in the order of settings: a flag, a variable, a place in the file, else the default."""
        if row.name in self.flags:
            return f"--{row.key.replace('_', '-')}"
        variable = next((name for name in row.env if os.environ.get(name)), None)
        if variable:
            return variable
        if self.document and self._is_in(self.document.root.values, row):
            return f"{self.document.path}:{self.document.place(row.path, on_key=True).line}"
        return "default"

    def _is_in(self, values: Mapping[str, Any], row: Setting) -> bool:
        for name in row.path[:-1]:
            values = values.get(name, {})
        return row.key in values


def read_settings(config: Path | None, flags: Mapping[str, str]) -> Told:
    """Read the settings alone: a task with an error in the file does not keep a person from looking at runs.

    Raises Invalid with every error in the settings.
    """
    findings = Findings()
    path = config_file(config)
    document = read_document(path, os.environ, findings) if path else None
    if document is not None:
        modernise_root(document.root)
    findings.raise_errors(str(path or ""))
    settings = build_settings(document.root if document else None, os.environ, flags, ETC, findings)
    findings.raise_errors(str(path or ""))
    assert settings is not None  # noqa: S101  no errors, so it was built
    return Told(settings, document, flags)


def config_file(config: Path | None) -> Path | None:
    """The file that was named, else the one a server here would take."""
    return config or find_file(Path.cwd(), os.environ)


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return MASKED
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
