"""The reference page of the settings file, made from the tables that parse it."""

from collections.abc import Iterable

from rota.config.aliases import RENAMED, RENAMED_NOTIFY
from rota.config.compose import KEYS as COMPOSE_TABLE_KEYS
from rota.config.databases import DATABASE_KEYS
from rota.config.kinds import Kind
from rota.config.mcp import SERVER_KEYS
from rota.config.notify_keys import COMMON_KEYS, ROUTE_KEYS, TYPES
from rota.config.params import MODIFIERS
from rota.config.projects import EXECUTOR, PROJECT_KEYS
from rota.config.providers import PROVIDER_KEYS
from rota.config.records import OBJECTTYPE_KEYS, RECORDS_KEYS
from rota.config.setting import Setting
from rota.config.table import LISTEN, TABLE
from rota.config.unit_keys import KEYS, LATER_KEYS, UnitKey
from rota.core.notification import ROUTED

SYNTAX = """\
# Settings

This page is made from the tables in `rota.config`; a test keeps it up to date.

`rota.toml` is a superset of `runwisp.toml`: a RunWisp file loads as it is. What counts: defaults, then the file, then
variables of the environment, then flags. An unknown key is an error that names file, line, column and the nearest key.
`rota validate FILE` tells of every error at once, and of warnings, which keep nothing from loading.

## Values

- **Duration**: a string such as `"300ms"`, `"5s"`, `"1h30m"`, `"2d"`, `"1w"`. Not negative; a number without unit is an error.
- **Size**: `"500kb"`, `"1.5gb"`, any case, units by 1024; a plain number is bytes.
- **Names** of tasks and services: 1 to 100 of `A-Z a-z 0-9 . _ : -`, one name space. Quote a key that holds `.` or `:`.
- **Paths**: absolute, `~/…`, or relative to the file they stand in.
- **`${VAR}`** in a string is a variable of the server's environment and **`${file:PATH}`** the trimmed content of a file; both
  are replaced once, when the file is read, and one that is absent is an error. `$${` is a literal `${`. Scripts and the steps of
  pipelines are left alone.
- **Lists** in a variable or flag are separated by commas. An empty variable counts as not set.
"""

UNITS = """\
## Tasks and services

`[tasks.NAME]` and `[services.NAME]`. T: tasks, S: services. A key marked `[defaults]` may also stand there: the unit's own value
wins, then that one, then the default. A task has at most one of `cron`, `rrule`, `once`, `on_event`, `calendar` and `schedule`;
with none it starts by hand. Keys marked ° are Rota's own.

In a settings file `dst` is `{ gap = "end", fold = "first", interval = "wall" }` unless said otherwise, as in RunWisp.

Variables of a process, later over earlier: `[defaults]` `env_file`, `[defaults]` `env`, the unit's `env_file`, the unit's `env`,
then `secrets_file` and `secrets` in the same order, then parameters of kind `env`.
"""

COMPOSE = """\
## `[compose.ALIAS]`

The services of a compose file, run by `docker compose`: each a service that is restarted on failure, or the stack as one. A
table `[compose.ALIAS.SERVICE]` overrides keys of services, but for `run`, `executor`, `compose_*`, `shell`, `umask` and `user`.
`restart:` of the compose file is left to Rota, `stop_grace_period` becomes `graceful_stop`. Without docker the units are there,
and their runs fail and say why.

"""

PARAMS = """\
## Parameters

`params` as a list defines what a run may be given: each entry has exactly one of `env`, `arg`, `option`, `flag`, whose text is
its key. As a table (`params = { region = "eu" }`, Rota's own) it holds default values of every run and lets a run be given
anything. A task with `run` and without `params` takes none; one with `executor` takes whatever it is given.
"""

LATER = """\
## RunWisp's other names

Names of its 1.x releases are read as ours, with a warning: {aliases}, `on_overlap = "kill"` (`terminate`),
`log_on_full = "kill"` (`kill_task`), `catch_up` as a number (0 `skip`, 1 `latest`, more `all` with that cap), `[daemon] timezone`
(`[scheduler] timezone`), `[notifiers.ID]` (`[[notifier]]` with that `id`), `[[route]]` (`[[notification_route]]`), and of
`[notify]` {notify}.

Read and not acted on by this version, with a warning: {ignored}. `[daemon]`
`allow_cloud_dispatch` is accepted and means nothing here.
"""


def render_reference() -> str:
    """The whole page, Markdown."""
    sections = dict.fromkeys(setting.section for setting in TABLE)
    parts = [
        SYNTAX,
        *(_section(name) for name in sections),
        _listen(),
        _mcp(),
        _providers(),
        _projects(),
        _databases(),
        _records(),
        _notifiers(),
        _routes(),
        UNITS,
        _units(),
        _compose(),
        PARAMS,
        _modifiers(),
        _later(),
    ]
    return "\n".join(parts)


def _section(name: str) -> str:
    rows = [setting for setting in TABLE if setting.section == name]
    title = (
        f"## `[{name}]`"
        if rows[0].in_file
        else f"## The {name} surface\n\nFrom the environment only: these are never written to disk."
    )
    table = _table(("Key", "Type", "Default", "Meaning", "Variable"), (_setting_cells(setting) for setting in rows))
    return f"{title}\n\n{table}"


def _setting_cells(setting: Setting) -> tuple[str, ...]:
    variables = ", ".join(f"`{name}`" for name in setting.env) or "none"
    return f"`{setting.key}`", setting.kind.name, _default(setting.default), setting.meaning, variables


def _listen() -> str:
    rows = ((f"`{key}`", kind.name, meaning) for key, (kind, meaning) in LISTEN.items())
    return f"## `[[listen]]`\n\nA further listener, with one surface at its root.\n\n{_table(('Key', 'Type', 'Meaning'), rows)}"


def _mcp() -> str:
    text = "A server whose tools pipelines call as `mcp.NAME.TOOL`. It is started or connected to when it is first needed."
    return f"## `[mcp.servers.NAME]`\n\n{text}\n\n{_keys(SERVER_KEYS)}"


def _providers() -> str:
    text = "A service that answers for language models. Agents name it as `llm`, pipelines as `llm.NAME.complete`."
    return f"## `[providers.NAME]`\n\n{text}\n\n{_keys(PROVIDER_KEYS)}"


def _projects() -> str:
    text = "What does the work of a project's runs on PostHog's Tasks API; where nothing is said, workers from outside do."
    rows = [(f"`{key}`", kind.name, meaning) for key, (kind, meaning) in PROJECT_KEYS.items()]
    table = _table(("Key", "Type", "Meaning"), [*rows, ("`executor`", "table", EXECUTOR)])
    return f"## `[[posthog.project]]`\n\n{text}\n\n{table}"


def _databases() -> str:
    text = "A database that the module `sql` may be pointed at, by this name."
    return f"## `[databases.NAME]`\n\n{text}\n\n{_keys(DATABASE_KEYS)}"


def _records() -> str:
    text = "What the [record modules](../builtin-modules.md) work on."
    types = f"### `[records.objecttypes.NAME]`\n\nOne kind of record.\n\n{_keys(OBJECTTYPE_KEYS)}"
    return f"## `[records]`\n\n{text}\n\n{_keys(RECORDS_KEYS)}\n{types}"


def _keys(keys: dict[str, tuple[Kind, str]]) -> str:
    return _table(("Key", "Type", "Meaning"), ((f"`{key}`", kind.name, meaning) for key, (kind, meaning) in keys.items()))


def _notifiers() -> str:
    rows = [("all", key) for key in COMMON_KEYS] + [(f"`{name}`", key) for name, keys in TYPES.items() for key in keys]
    cells = (
        (of, f"`{key.name}`{'°' if key.ours else ''}", key.kind.name, "yes" if key.required else "", key.meaning)
        for of, key in rows
    )
    table = _table(("`type`", "Key", "Type", "Needed", "Meaning"), cells)
    return f"## `[[notifier]]`\n\nSomebody to tell. Included files may have some too. Keys marked ° are Rota's own.\n\n{table}"


def _routes() -> str:
    rows = ((f"`{key}`", kind.name, meaning) for key, (kind, meaning) in ROUTE_KEYS.items())
    kinds = ", ".join(f"`{kind}`" for kind in sorted(ROUTED))
    return f"## `[[notification_route]]`\n\nWho is told of what. Kinds: {kinds}.\n\n{_table(('Key', 'Type', 'Meaning'), rows)}"


def _units() -> str:
    return _table(("Key", "On", "Type", "Default", "Meaning"), map(_unit_cells, KEYS))


def _unit_cells(key: UnitKey) -> tuple[str, ...]:
    on = " ".join(kind[0].upper() for kind in key.on)
    inherits = " `[defaults]`" if key.inherits else ""
    return f"`{key.name}`{'°' if key.ours else ''}", on, key.kind.name, _default(key.default), key.meaning + inherits


def _compose() -> str:
    rows = ((f"`{key.name}`", key.kind.name, _default(key.default), key.meaning) for key in COMPOSE_TABLE_KEYS)
    return COMPOSE + _table(("Key", "Type", "Default", "Meaning"), rows)


def _modifiers() -> str:
    return _table(("Modifier", "Type"), ((f"`{name}`", kind.name) for name, kind in MODIFIERS.items()))


def _later() -> str:
    aliases, notify = (", ".join(f"`{old}` (`{new}`)" for old, new in names.items()) for names in (RENAMED, RENAMED_NOTIFY))
    keys = ", ".join(f"`{key}`" for key in LATER_KEYS)
    ignored = f"`[daemon]` `tls` (give `tls_cert` and `tls_key`), and of units {keys}"
    return LATER.format(aliases=aliases, notify=notify, ignored=ignored)


def _default(text: str | None) -> str:
    return "unset" if text is None else f"`{text}`" if text else "empty"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
