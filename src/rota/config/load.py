"""From a settings file, the environment and flags to the settings and units of a server."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, structs

from rota.config.aliases import modernise_root
from rota.config.document import Document, Table, read_document
from rota.config.findings import Finding, Findings, in_order
from rota.config.kinds import PATH, BadValue, list_of
from rota.config.notify import Notifying, read_notifying
from rota.config.settings import Settings, build_settings
from rota.config.table import IGNORED_SECTIONS, SECTIONS
from rota.config.unit import Unit
from rota.config.unit_keys import UnitKind
from rota.config.units import Defaults, read_defaults, read_unit, unit_tables
from rota.core.service import check_dependencies

POOLED = ("tasks", "services", "notifier", "notification_route")
ROOT_ONLY = (*SECTIONS, "defaults", "listen")
FILE_NAMES = ("rota.toml", "runwisp.toml")


class Loaded(Struct, frozen=True):
    """A file that holds no errors. Units are in the order of the files."""

    settings: Settings
    units: list[Unit]
    warnings: list[Finding]
    notifying: Notifying = Notifying()


def find_file(directory: Path, environ: Mapping[str, str]) -> Path | None:
    """The file a server takes when it is told none: `ROTA_CONFIG`, else rota.toml or runwisp.toml in the directory."""
    if environ.get("ROTA_CONFIG"):
        return Path(environ["ROTA_CONFIG"])
    return next((directory / name for name in FILE_NAMES if (directory / name).is_file()), None)


def load(
    path: Path | str | None, environ: Mapping[str, str], flags: Mapping[str, str] | None = None, etc: Path = Path("/etc")
) -> Loaded:
    """Read and check everything before anything is used.

    path   None: no file, only defaults, environment and flags
    flags  by `section.key` (`server.listen`), as text
    etc    where the host says its time zone

    Raises Invalid with every error (`Finding`s) in the order of the files. No message holds a secret's value.
    """
    findings = Findings()
    root = None if path is None else read_document(Path(path), environ, findings)
    if path is not None and root is None:
        findings.raise_errors(str(path))
    documents = [] if root is None else [root, *_included(root)]
    if root is not None:
        modernise_root(root.root)
    settings = build_settings(root.root if root else None, environ, flags or {}, etc, findings)
    units = _read_units(documents, settings)
    notifying = read_notifying(documents, [table for document in documents for _, table in unit_tables(document)])
    findings.raise_errors(str(path or ""))
    assert settings is not None  # noqa: S101  no errors, so it was built
    return Loaded(settings, units, in_order(findings.warnings), notifying)


def _read_units(documents: list[Document], settings: Settings | None) -> list[Unit]:
    if not documents:
        return []
    _check_sections(documents)
    defaults = read_defaults(documents[0].root)
    tables = [found for document in documents for found in unit_tables(document)]
    _check_names(tables)
    shutdown_timeout_s = settings.daemon.shutdown_timeout if settings else None
    units = _each_unit(tables, defaults, shutdown_timeout_s)
    _check_dependencies(tables)
    return units


def _each_unit(tables: list[tuple[UnitKind, Table]], defaults: Defaults, shutdown_timeout_s: float | None) -> list[Unit]:
    read = [read_unit(unit_kind, table, defaults, shutdown_timeout_s) for unit_kind, table in tables]
    units = [unit for unit in read if unit is not None]
    names = {unit.name for unit in units}
    return [_without_left_out(unit, names) for unit in units]


def _without_left_out(unit: Unit, names: set[str]) -> Unit:
    """Nobody can wait for a service that this version leaves out."""
    service = unit.spec.service
    if service is None or names.issuperset(service.depends_on):
        return unit
    service = structs.replace(service, depends_on=[name for name in service.depends_on if name in names])
    return structs.replace(unit, spec=structs.replace(unit.spec, service=service))


def _included(root: Document) -> Iterator[Document]:
    """The files that the root's `[daemon] include` names, each once, in the order of the patterns, then of names."""
    daemon = root.root.values.get("daemon")
    patterns = daemon.get("include") if isinstance(daemon, dict) else None
    try:
        patterns = list_of(PATH).parse(patterns or [])
    except BadValue:
        return  # told when the settings are read
    seen = {root.path.resolve()}
    for number, pattern in enumerate(patterns):
        for path in _matches(root, pattern, number):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                document = read_document(path, root.environ, root.findings)
                if document is not None:
                    yield document


def _matches(root: Document, pattern: str, number: int) -> list[Path]:
    full = root.resolve(pattern)
    if not any(sign in pattern for sign in "*?["):
        return [full]
    try:
        return sorted(path for path in Path(full.anchor).glob(str(full.relative_to(full.anchor))) if path.is_file())
    except (ValueError, NotImplementedError, IndexError):
        root.root.error("is not a pattern of files", "daemon", "include", number)
        return []


def _check_sections(documents: list[Document]) -> None:
    known = [*POOLED, *ROOT_ONLY, *IGNORED_SECTIONS]
    for number, document in enumerate(documents):
        table = document.root
        table.refuse_unknown(known)
        for section in table.values:
            if number > 0 and section in ROOT_ONLY:
                table.error("may only stand in the main file, not in an included one", section, on_key=True)
            if section in IGNORED_SECTIONS:
                table.warn("is not acted on by this version", section)


def _check_names(tables: list[tuple[UnitKind, Table]]) -> None:
    """One name space for tasks and services of all files."""
    first: dict[str, Table] = {}
    for _, table in tables:
        name = str(table.path[-1])
        other = first.setdefault(name, table)
        if other is not table:
            where = f"{other.document.path}:{other.line}"
            table.error(f"the name {name} is taken: {table.document.path} defines it here, {where} before", on_key=True)


def _check_dependencies(tables: list[tuple[UnitKind, Table]]) -> None:
    services = {str(table.path[-1]): table for unit_kind, table in tables if unit_kind == "services"}
    tasks = {str(table.path[-1]) for unit_kind, table in tables if unit_kind == "tasks"}
    wanted: dict[str, list[str]] = {}
    for name, table in services.items():
        others = _names(table.values.get("depends_on"))
        wanted[name] = [other for other in others if other not in tasks]
        for other in tasks.intersection(others):
            table.error(f"{other} is a task; only a service can be waited for", "depends_on", others.index(other))
    for problem in check_dependencies(wanted):
        name = problem.location.removeprefix("services.").removesuffix(".depends_on")
        services[name].error(problem.message, "depends_on")


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
