"""From a settings file, the environment and flags to the settings and units of a server."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rota.config.aliases import modernise_notifying, modernise_root
from rota.config.building import build_settings
from rota.config.declared import Declared
from rota.config.document import Document, Table, read_document
from rota.config.findings import Finding, Findings, in_order
from rota.config.kinds import PATH, BadValue, list_of
from rota.config.notify import Notifying, read_notifying
from rota.config.providers import BUILT_IN
from rota.config.settings import Settings
from rota.config.table import TOP
from rota.config.unit import Unit
from rota.config.units import declared_units, read_defaults, read_unit
from rota.core.agent.check import check_agent
from rota.core.service import check_dependencies
from rota.core.work import Agent

POOLED = ("tasks", "services", "compose", "notifier", "notification_route")
ROOT_ONLY = (*TOP, "mcp", "providers", "databases", "records", "defaults", "listen")
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
    for document in documents:
        modernise_notifying(document.root)
    settings = build_settings(root.root if root else None, environ, flags or {}, etc, findings)
    declared = [each for document in documents for each in declared_units(document)]
    units = _read_units(documents, declared, settings)
    notifying = read_notifying(documents, [each.table for each in declared])
    findings.raise_errors(str(path or ""))
    assert settings is not None  # noqa: S101  no errors, so it was built
    return Loaded(settings, units, in_order(findings.warnings), notifying)


def _read_units(documents: list[Document], declared: list[Declared], settings: Settings | None) -> list[Unit]:
    if not documents:
        return []
    _check_sections(documents)
    defaults = read_defaults(documents[0].root)
    _check_names(declared)
    shutdown_timeout_s = settings.daemon.shutdown_timeout if settings else None
    units = [read_unit(each, defaults, shutdown_timeout_s) for each in declared]
    _check_dependencies(declared)
    if settings is not None:
        llms = {*BUILT_IN, *(provider.name for provider in settings.providers)}
        for each, unit in zip(declared, units, strict=True):
            _check_llms(each.table, unit, llms)
    return [unit for unit in units if unit is not None]


def _check_llms(table: Table, unit: Unit | None, llms: Collection[str]) -> None:
    """Providers stand in the main file, whichever names them."""
    if unit is not None and isinstance(unit.spec.executor, Agent):
        for problem in check_agent(unit.spec.executor, llms):
            table.error(
                problem.message, "executor", *(int(step) if step.isdecimal() else step for step in problem.location.split("."))
            )


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
    known = [*POOLED, *ROOT_ONLY]
    for number, document in enumerate(documents):
        table = document.root
        table.refuse_unknown(known)
        for section in table.values:
            if number > 0 and section in ROOT_ONLY:
                table.error("may only stand in the main file, not in an included one", section, on_key=True)


def _check_names(declared: list[Declared]) -> None:
    """One name space for tasks and services of all files."""
    first: dict[str, Table] = {}
    for each in declared:
        name, table = each.name, each.table
        other = first.setdefault(name, table)
        if other is not table:
            where = f"{other.document.path}:{other.line}"
            table.error(f"the name {name} is taken: {table.document.path} defines it here, {where} before", on_key=True)


def _check_dependencies(declared: list[Declared]) -> None:
    services = {each.name: each.table for each in declared if each.kind == "services"}
    tasks = {each.name for each in declared if each.kind == "tasks"}
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
