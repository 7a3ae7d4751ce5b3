"""Builds the settings from defaults, file, environment and flags, in this order."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from rota.config.databases import NamedDatabase, read_databases
from rota.config.document import Table
from rota.config.findings import Findings, elsewhere, nearest
from rota.config.kinds import PATH, BadValue
from rota.config.mcp import McpServer, read_servers
from rota.config.modules import MODULE_PLACES, is_path
from rota.config.projects import ProjectSettings, read_projects
from rota.config.providers import ProviderSettings, read_providers
from rota.config.records import Records, read_records
from rota.config.runner import RunnerSettings, find_conflicts
from rota.config.setting import Setting
from rota.config.settings import (
    BlobStore,
    Daemon,
    Files,
    Listener,
    Modules,
    NotifyRules,
    OrdinautAccess,
    Outgoing,
    PosthogAccess,
    PosthogPush,
    RunwispAccess,
    Scheduler,
    Server,
    Settings,
    Storage,
    Tools,
)
from rota.config.table import BELOW, IGNORED_KEYS, LISTEN, SECTIONS, TABLE
from rota.config.zone import resolve_timezone

# Set for the runs of a task, where a server may be started too.
RUN_VARIABLES = (
    "ROTA_CONFIG", "ROTA_KEY", "ROTA_RUN_ID", "ROTA_FENCE", "ROTA_TASK", "ROTA_ATTEMPT", "ROTA_TRIGGER", "ROTA_NOMINAL_AT",
    "ROTA_ARTIFACTS",
)  # fmt: skip
Values = dict[tuple[str, str], Any]


class Kept(Struct, frozen=True, kw_only=True):
    """What stands in the file alone, in tables with names of their own."""

    mcp: tuple[McpServer, ...] = ()
    providers: tuple[ProviderSettings, ...] = ()
    projects: tuple[ProjectSettings, ...] = ()
    databases: tuple[NamedDatabase, ...] = ()
    records: Records = Records()


def build_settings(
    root: Table | None, environ: Mapping[str, str], flags: Mapping[str, str], etc: Path, findings: Findings
) -> Settings | None:
    """The settings, or None if something in `findings` keeps them from being built."""
    before = len(findings.errors)
    values: Values = {(row.section, row.key): _default(row) for row in TABLE}
    listeners: tuple[Listener, ...] = ()
    kept = Kept()
    if root is not None:
        values |= _from_file(root)
        listeners = tuple(_listeners(root))
        kept = Kept(
            mcp=tuple(read_servers(root)),
            providers=tuple(read_providers(root)),
            projects=tuple(read_projects(root)),
            databases=tuple(read_databases(root)),
            records=read_records(root),
        )
    values |= _from_environment(environ, findings)
    values |= _from_flags(flags, findings)
    for message in _conflicts(values, listeners):
        _blame(root, *message, findings)
    if len(findings.errors) > before:
        return None
    zone, source = resolve_timezone(values["scheduler", "timezone"], environ, etc)
    values["scheduler", "timezone"], values["scheduler", "timezone_source"] = zone, source
    values["runwisp", "no_auth"] = bool(values["runwisp", "no_auth"])
    values["outgoing", "private"] = values["outgoing", "private"] or _private(values["server", "listen"], listeners)
    return _assemble(values, listeners, kept)


def _default(row: Setting) -> Any:
    if row.default is None:
        return None
    value = row.kind.from_text(row.default)
    return Path(value) if row.kind is PATH else value


def _from_file(root: Table) -> Values:
    values: Values = {}
    for section in SECTIONS:
        table = _table_of(root, section)
        if table is None:
            continue
        rows = {row.key: row for row in TABLE if row.section == section and row.in_file}
        ignored = [key for at, key in IGNORED_KEYS if at == section]
        table.refuse_unknown([*rows, *ignored, *BELOW[section]], _homes(section))
        for key, row in rows.items():
            value = table.read(key, row.kind)
            if value is not None:
                values[section, key] = _resolved(root, row, value)
        _note_ignored(table, section)
    return values


def _resolved(root: Table, row: Setting, value: Any) -> Any:
    """Paths are relative to the file that they stand in."""
    if row.kind is MODULE_PLACES:
        return [str(root.document.resolve(each)) if is_path(each) else each for each in value]
    return root.document.resolve(value) if row.kind is PATH else value


def _table_of(root: Table, section: str) -> Table | None:
    """The table of a section, such as `posthog.push`."""
    table: Table | None = root
    for step in section.split("."):
        table = table.child(step) if table is not None else None
    return table


def _homes(section: str) -> dict[str, str]:
    """Where a key belongs that was written into this section."""
    return {row.key: f"[{row.section}]" for row in TABLE if row.in_file and row.section != section}


def _note_ignored(table: Table, section: str) -> None:
    for (at, key), kind in IGNORED_KEYS.items():
        if at == section and table.read(key, kind) not in (None, False, "off", True):
            table.warn("is not acted on by this version", key)


def _listeners(root: Table) -> Iterator[Listener]:
    for table in root.children("listen"):
        table.refuse_unknown(LISTEN)
        values = {key: table.read(key, kind) for key, (kind, _) in LISTEN.items()}
        for key in LISTEN:
            if key not in table.values:
                table.error(f"needs {key}")
        if None not in values.values():
            yield Listener(**values)


def _from_environment(environ: Mapping[str, str], findings: Findings) -> Values:
    """Settings from variables; an empty variable counts as not set."""
    values: Values = {}
    for row in TABLE:
        name = next((name for name in row.env if environ.get(name)), None)
        if name:
            _read_text(row, environ[name], name, values, findings)
    known = [name for row in TABLE for name in row.env]
    for name in environ:
        if name.startswith("ROTA_") and name not in (*known, *RUN_VARIABLES):
            near = nearest(name, [other.lower() for other in known]).upper().replace("; DID YOU MEAN", "; did you mean")
            findings.warnings.append(elsewhere(f"variable {name}", f"is not a setting{near}"))
    return values


def _from_flags(flags: Mapping[str, str], findings: Findings) -> Values:
    values: Values = {}
    rows = {row.name: row for row in TABLE}
    for name, text in flags.items():
        _read_text(rows[name], text, f"--{rows[name].key.replace('_', '-')}", values, findings)
    return values


def _read_text(row: Setting, text: str, source: str, values: Values, findings: Findings) -> None:
    try:
        value = row.kind.from_text(text)
    except BadValue as error:
        findings.errors += [elsewhere(source, message) for _, message in error.problems]
    else:
        values[row.section, row.key] = Path(value) if row.kind is PATH else value


def _conflicts(values: Values, listeners: tuple[Listener, ...]) -> Iterator[tuple[str, str, str]]:
    """Settings that do not fit together: section, key and message."""
    if values["daemon", "metrics_listen"] and not values["daemon", "metrics_enabled"]:
        yield "daemon", "metrics_listen", "needs metrics_enabled = true"
    for key, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if values["daemon", key] and not values["daemon", other]:
            yield "daemon", key, f"needs {other} beside it"
    if values["runwisp", "password"] and values["runwisp", "no_auth"]:
        yield "runwisp", "no_auth", "RUNWISP_NO_AUTH and a password are both set; set one of them"
    push = {key: values["posthog.push", key] for key in ("sender", "url", "vapid_key", "vapid_contact")}
    if push["sender"] == "webhook" and not push["url"]:
        yield "posthog.push", "sender", "webhook needs url beside it"
    if push["sender"] == "webpush" and not push["vapid_key"]:
        yield "posthog.push", "sender", "webpush needs vapid_key beside it"
    if push["vapid_key"] and not push["vapid_contact"]:
        yield "posthog.push", "vapid_key", "needs vapid_contact beside it"
    yield from find_conflicts(values)
    if values["blobs", "kind"] == "s3" and not values["blobs", "bucket"]:
        yield "blobs", "kind", "needs bucket beside it"
    for key, other in (("access_key", "secret_key"), ("secret_key", "access_key")):
        if values["blobs", key] and not values["blobs", other]:
            yield "blobs", key, f"needs {other} beside it"
    addresses = [values["server", "listen"], *(listener.address for listener in listeners)]
    addresses += filter(None, [values["daemon", "metrics_listen"]])
    taken = [address for address in addresses if not address.endswith(":0")]
    for address in sorted({address for address in taken if taken.count(address) > 1}):
        yield "listen", "", f"two listeners have the address {address}"


def _blame(root: Table | None, section: str, key: str, message: str, findings: Findings) -> None:
    below = (*section.split("."), key) if key else (section,)
    if root is None or section == "runwisp":
        findings.errors.append(elsewhere(".".join(below), message))
    else:
        root.error(message, *below)


def _private(listen: str, listeners: tuple[Listener, ...]) -> Literal["allow", "deny"]:
    addresses = [listen, *(listener.address for listener in listeners)]
    return "allow" if all(map(_is_loopback, addresses)) else "deny"


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _assemble(values: Values, listeners: tuple[Listener, ...], kept: Kept) -> Settings:
    def section(name: str) -> dict[str, Any]:
        return {key: tuple(value) if isinstance(value, list) else value for (at, key), value in values.items() if at == name}

    return Settings(
        server=Server(**section("server")),
        scheduler=Scheduler(**section("scheduler")),
        storage=Storage(**section("storage")),
        daemon=Daemon(**section("daemon")),
        outgoing=Outgoing(**section("outgoing")),
        notify=NotifyRules(**section("notify")),
        tools=Tools(**section("tools")),
        modules=Modules(**section("modules")),
        files=Files(**section("files")),
        runner=RunnerSettings(**section("runner")),
        blobs=BlobStore(**section("blobs")),
        ordinaut=OrdinautAccess(**section("ordinaut")),
        posthog=PosthogAccess(**section("posthog")),
        posthog_push=PosthogPush(**section("posthog.push")),
        runwisp=RunwispAccess(**section("runwisp")),
        listen=listeners,
        mcp=kept.mcp,
        providers=kept.providers,
        projects=kept.projects,
        databases=kept.databases,
        records=kept.records,
    )
