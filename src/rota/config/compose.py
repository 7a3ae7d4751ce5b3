"""Services of compose files as units: `[compose.ALIAS]`, and `compose_file` of a single unit (RunWisp §14)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from rota.config.compose_file import FILE_NAMES, ComposeService, read_compose_file
from rota.config.declared import Backing, Declared
from rota.config.document import Document, Table
from rota.config.findings import nearest
from rota.config.kinds import BOOLEAN, LABEL, NAME, PATH, TEXT, BadValue, Kind, enum, list_of, matching


class ComposeKey(Struct, frozen=True):
    name: str
    kind: Kind
    default: str | None
    meaning: str


def _name_format(text: str) -> str:
    if "{service}" not in text:
        raise BadValue("must contain {service}")
    return text


PROJECT = matching("project name", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "letters, digits and _ . -, the first no sign")
NAME_FORMAT = Kind("text with `{service}`", lambda value: _name_format(TEXT.parse(value)), _name_format)
KEYS = (
    ComposeKey("file", PATH, None, "Else `compose.yaml`, `.yml` or `docker-compose.yaml`, `.yml` beside the settings."),
    ComposeKey("mode", enum("services", "stack"), "services", "`services`: each becomes a service. `stack`: all of it is one."),
    ComposeKey("include", list_of(LABEL), None, "Only these services."),
    ComposeKey("exclude", list_of(LABEL), None, "All services but these. Not together with `include`."),
    ComposeKey("group", TEXT, None, "Heading they are listed under; else the alias."),
    ComposeKey("project_name", PROJECT, None, "Compose's project; else the alias."),
    ComposeKey("profiles", list_of(PROJECT), None, "Profiles that are enabled."),
    ComposeKey("env_file", PATH, None, "For compose's own substitution."),
    ComposeKey("working_dir", PATH, None, "Where the client runs."),
    ComposeKey("with_deps", BOOLEAN, "false", "Compose starts what a service depends on."),
    ComposeKey("pull", enum("missing", "always", "never"), None, "When images are fetched; else compose's own rule."),
    ComposeKey("name_format", NAME_FORMAT, "{alias}.{service}", "How the services are named."),
)
RESERVED = tuple(key.name for key in KEYS)
WORK_KEYS = ("profiles", "env_file", "working_dir", "with_deps", "pull")


def compose_units(document: Document) -> Iterator[Declared]:
    """The services that `[compose.ALIAS]` tables stand for; what is wrong is among the findings."""
    section = document.root.child("compose")
    for alias in section.values if section is not None else ():
        table = section.child(alias) if section is not None else None
        if table is not None:
            yield from _imported(table, str(alias))


def find_backing(table: Table) -> Backing | None:
    """Of a unit with `compose_file`; None without, or after an error."""
    keys = ("compose_file", "compose_service", "compose_mode")
    if "compose_file" not in table.values:
        for key in keys:
            if key in table.values:
                table.error("needs compose_file beside it", key, on_key=True)
        return None
    path, mode = table.read("compose_file", PATH), table.read("compose_mode", enum("run", "exec")) or "run"
    name = table.read("compose_service", LABEL) if "compose_service" in table.values else str(table.path[-1])
    if path is None or name is None:
        return None
    file = table.document.resolve(path)
    services = _services(table, file, "compose_file")
    if services is None or not _is_known(table, name, services, "compose_service"):
        return None
    work = {"file": str(file), "project_name": _project_of(file), "service": name, "mode": mode}
    grace_s = services[name].stop_grace_s
    return Backing(work, {} if grace_s is None else {"graceful_stop": grace_s})


def _imported(table: Table, alias: str) -> Iterator[Declared]:
    _modernise(table)
    values = {key.name: table.read(key.name, key.kind) for key in KEYS}
    path = table.document.resolve(values["file"]) if values["file"] else _found_file(table)
    services = _services(table, path, "file") if path else None
    if services is None or path is None:
        return
    if values["project_name"] is None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", alias):
        table.error("the alias is no name for a compose project; give project_name", on_key=True)
        return
    work = {"file": str(path), "project_name": values["project_name"] or alias}
    work |= {key: str(table.document.resolve(values[key])) if key in ("env_file", "working_dir") else values[key]
             for key in WORK_KEYS if values[key] is not None}  # fmt: skip
    group = values["group"] or alias
    if values["mode"] == "stack":
        yield from _stack(table, alias, work, group)
    else:
        yield from _each_service(table, alias, values, services, work, group)


def _stack(table: Table, alias: str, work: dict[str, Any], group: str) -> Iterator[Declared]:
    for key in table.values:
        if key in ("include", "exclude", "name_format", "with_deps") or key not in RESERVED:
            table.error("has no place in a stack, which is one service as a whole", key, on_key=True)
    bare = Table(table.document, table.path, {})
    yield Declared("services", alias, bare, Backing({**work, "mode": "up"}, {"group": group}, is_import=True))


def _each_service(
    table: Table, alias: str, values: dict[str, Any], services: dict[str, ComposeService], work: dict[str, Any], group: str
) -> Iterator[Declared]:
    for name in services:
        if name in RESERVED:
            table.error(f"the compose service {name} is named like a key; rename it in the compose file", on_key=True)
    for key in table.values:
        if key not in RESERVED and key not in services:
            table.error(f"{table.path[-1]} has no service of that name{nearest(key, [*services, *RESERVED])}", key, on_key=True)
    for name in _chosen(table, values, services):
        override = table.child(name) if name not in RESERVED else None
        unit = (values["name_format"] or "{alias}.{service}").replace("{alias}", alias).replace("{service}", name)
        place = override or Table(table.document, (*table.path, name), {})
        if not _is_name(place, unit):
            continue
        built_in: dict[str, Any] = {"group": group}
        if services[name].stop_grace_s is not None:
            built_in["graceful_stop"] = services[name].stop_grace_s
        yield Declared("services", unit, place, Backing({**work, "service": name, "mode": "run"}, built_in, is_import=True))


def _chosen(table: Table, values: dict[str, Any], services: dict[str, ComposeService]) -> list[str]:
    include, exclude = values["include"], values["exclude"]
    if include is not None and exclude is not None:
        table.error("include and exclude exclude each other", "exclude", on_key=True)
    for key in ("include", "exclude"):
        for number, name in enumerate(values[key] or []):
            _is_known(table, name, services, key, number)
    if include is not None:
        return [name for name in services if name in include]
    enabled = [name for name, service in services.items() if service.is_enabled(values["profiles"] or [])]
    return [name for name in enabled if name not in (exclude or [])]


def _is_known(table: Table, name: str, services: dict[str, ComposeService], *below: str | int) -> bool:
    if name not in services:
        table.error(f"the compose file has no service {name}{nearest(name, list(services))}", *below)
    return name in services


def _is_name(table: Table, name: str) -> bool:
    try:
        NAME.parse(name)
    except BadValue as error:
        table.error(f"the name {name} {error}", on_key=True)
        return False
    return True


def _services(table: Table, path: Path, key: str) -> dict[str, ComposeService] | None:
    try:
        return read_compose_file(path)
    except BadValue as error:
        table.error(str(error), *([key] if key in table.values else []))
        return None


def _found_file(table: Table) -> Path | None:
    if "file" in table.values:
        return None  # told already
    found = next((path for name in FILE_NAMES if (path := table.document.resolve(name)).is_file()), None)
    if found is None:
        table.error(f"needs file: beside the settings there is none of {', '.join(FILE_NAMES)}")
    return found


def _project_of(file: Path) -> str:
    """As compose itself names the project of a file: after its folder."""
    return re.sub(r"[^a-z0-9_-]", "", file.parent.name.lower()).lstrip("_-") or "default"


def _modernise(table: Table) -> None:
    """`import` is `mode`; `services` is a list of names, `+name` (include) or `-name` (exclude)."""
    if "import" in table.values and "mode" not in table.values:
        table.warn("deprecated: import is a name of another version, write mode", "import")
        table.values["mode"] = table.values.pop("import")
    listed = table.values.get("services")
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        table.warn("deprecated: services is a name of another version, write include or exclude", "services")
        del table.values["services"]
        for key, chosen in (
            ("include", [name.lstrip("+") for name in listed if not name.startswith("-")]),
            ("exclude", [name[1:] for name in listed if name.startswith("-")]),
        ):
            if chosen:
                table.values.setdefault(key, chosen)
