"""The settings of the server: the one table that parsing, environment, flags and the reference page are made from."""

import re

from msgspec import Struct

from rota.config.kinds import (
    ADDRESS,
    BOOLEAN,
    FOLDER,
    LABEL,
    NAME,
    NETWORK,
    PATH,
    SECRET,
    TIMEZONE,
    URL,
    BadValue,
    Kind,
    enum,
    integer,
    list_of,
    matching,
    text_kind,
)
from rota.config.modules import MODULE_PLACES
from rota.config.notify_keys import SECRET_URL, TARGET
from rota.config.quantities import duration, seconds, size
from rota.config.secret import Secret


class Setting(Struct, frozen=True):
    """One setting.

    default  as it would be written; None = unset
    env      variables that set it, the first over the others
    in_file  False for what may not be written to disk
    """

    section: str
    key: str
    kind: Kind
    default: str | None
    meaning: str
    env: tuple[str, ...] = ()
    in_file: bool = True

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def field(self) -> str:
        """The section's place in the settings that were read."""
        return self.section.replace(".", "_")

    @property
    def path(self) -> tuple[str, ...]:
        """Its place in a settings file."""
        return (*self.section.split("."), self.key)


def _no_auth_text(text: str) -> bool:
    if text not in ("1", "true"):
        raise BadValue("must be 1 or true; leave it unset to keep the password")
    return True


NO_AUTH = Kind("1 or true", BOOLEAN.parse, _no_auth_text)


def _vapid_key(text: str) -> Secret:
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", text):
        raise BadValue("must be 32 bytes in base64url")
    return Secret(text)


VAPID_KEY = text_kind("base64url, kept secret", _vapid_key)
URL_OR_MAIL = matching(
    "`mailto:…` or `https://…`", r"(mailto:[^\s@]+@[^\s@]+|https://\S+)", "mailto: and a mail address, or an https URL"
)
SURFACES = ("native", "runwisp", "ordinaut", "fylr", "nla", "posthog", "mcp")

TABLE = (
    Setting(
        "server",
        "listen",
        ADDRESS,
        "127.0.0.1:7682",
        "Where the main listener serves the web UI and every API.",
        ("ROTA_LISTEN",),
    ),
    Setting("server", "data", PATH, ".rota", "The data directory: database, logs, control socket.", ("ROTA_DATA",)),
    Setting(
        "server",
        "database",
        SECRET,
        None,
        "`postgresql://…` keeps everything in PostgreSQL. Unset: SQLite in the data directory.",
        ("ROTA_DATABASE",),
    ),
    Setting(
        "server",
        "max_concurrent_runs",
        integer(1, 10_000),
        "64",
        "How many runs of tasks this server carries out at one time; more wait.",
        ("ROTA_MAX_CONCURRENT_RUNS",),
    ),
    Setting(
        "server",
        "trust_proxy",
        list_of(NETWORK),
        "",
        "Proxies whose forwarded headers count. Networks that hold every address are refused.",
        ("ROTA_TRUST_PROXY", "RUNWISP_TRUST_PROXY", "RUNWISP_TRUSTED_PROXIES"),
    ),
    Setting(
        "server",
        "log_level",
        enum("debug", "info", "warning", "error"),
        "info",
        "Least level of the server's own log.",
        ("ROTA_LOG_LEVEL",),
    ),
    Setting(
        "server",
        "log_format",
        enum("auto", "text", "json"),
        "auto",
        "Form of the server's own log; `auto` is text on a terminal, else JSON.",
        ("ROTA_LOG_FORMAT",),
    ),
    Setting(
        "scheduler",
        "timezone",
        TIMEZONE,
        None,
        "Zone of every schedule that names none. Unset: `TZ`, `/etc/timezone`, the `/etc/localtime` link, UTC.",
        ("ROTA_TIMEZONE",),
    ),
    Setting(
        "storage",
        "max_size",
        size(),
        "0",
        "Cap of all log files together; oldest ended runs go first. 0: none.",
        ("ROTA_STORAGE_MAX_SIZE",),
    ),
    Setting(
        "storage",
        "min_free_space",
        size(),
        "0",
        "Below it no run starts, no artifact is taken, and recording stops. 0: not checked.",
        ("ROTA_STORAGE_MIN_FREE_SPACE",),
    ),
    Setting(
        "daemon", "shutdown_timeout", duration(), "10s", "How long the whole server may take to stop.", ("ROTA_SHUTDOWN_TIMEOUT",)
    ),
    Setting("daemon", "external_url", URL, None, "Base of links to this server, without trailing slash.", ("ROTA_EXTERNAL_URL",)),
    Setting("daemon", "metrics_enabled", BOOLEAN, "false", "Serves `/metrics`.", ("ROTA_METRICS_ENABLED",)),
    Setting(
        "daemon", "metrics_listen", ADDRESS, None, "A listener of its own that serves only `/metrics`.", ("ROTA_METRICS_LISTEN",)
    ),
    Setting(
        "daemon", "tls_cert", PATH, None, "Certificates in PEM. With `tls_key`: HTTPS on all that listens.", ("ROTA_TLS_CERT",)
    ),
    Setting("daemon", "tls_key", PATH, None, "The private key of `tls_cert`, without a password.", ("ROTA_TLS_KEY",)),
    Setting(
        "daemon",
        "include",
        list_of(PATH),
        "",
        "Files, or patterns of files, whose tasks and services join these. Main file only.",
    ),
    Setting(
        "outgoing",
        "private",
        enum("allow", "deny"),
        None,
        "Whether calls asked for over an API may reach private addresses. Unset: `allow` while every listener is on loopback.",
        ("ROTA_OUTGOING_PRIVATE",),
    ),
    Setting(
        "outgoing",
        "allow",
        list_of(LABEL),
        "",
        "Hosts and networks that may be reached whatever they are.",
        ("ROTA_OUTGOING_ALLOW",),
    ),
    Setting(
        "notify",
        "global_notifiers",
        list_of(TARGET),
        "inapp",
        "Told of every failure, and beside every other list. Empty: silence.",
    ),
    Setting("notify", "default_timeout", duration(), "5m", "How long a delivery is tried before it is given up."),
    Setting("notify", "history_keep", integer(1, 1_000_000), "1024", "Notifications that the bell keeps."),
    Setting("notify", "history_keep_for", duration(positive=True), "90d", "How long it keeps them."),
    Setting(
        "notify", "coalesce_window", duration(), "1h", "How long like notifications are held back after one was sent. 0: never."
    ),
    Setting("notify", "occurrence_ring", integer(1, 1000), "10", "How many are held back at most before a word in between."),
    Setting("notify", "coalesce_outbound", BOOLEAN, "true", "`false` holds nothing back outside the bell."),
    Setting(
        "tools",
        "shell",
        BOOLEAN,
        "false",
        "Lets steps of pipelines run scripts (`shell.run`), for owners with the right `task.shell`.",
        ("ROTA_TOOLS_SHELL",),
    ),
    Setting(
        "tools",
        "simulate_unknown",
        BOOLEAN,
        "false",
        "Takes pipelines with tools that are not there; such a tool does nothing and says so.",
        ("ROTA_TOOLS_SIMULATE_UNKNOWN",),
    ),
    Setting(
        "tools",
        "catalog",
        PATH,
        None,
        "A catalogue of further tools, JSON, as Ordinaut's.",
        ("ROTA_TOOLS_CATALOG", "TOOL_CATALOG_PATH"),
    ),
    Setting(
        "tools",
        "namespaces",
        list_of(NAME),
        "",
        "First words of tools' names that pipelines may be saved with before the tool is there, such as `acme` for `acme.send`.",
        ("ROTA_TOOLS_NAMESPACES",),
    ),
    Setting(
        "modules",
        "paths",
        MODULE_PLACES,
        "",
        "Where modules of your own are: folders, files (with a `/` or `.py`), or import paths such as `acme.tasks`.",
        ("ROTA_MODULES_PATHS",),
    ),
    Setting(
        "modules",
        "workers",
        integer(1, 1024),
        "16",
        "How many runs of modules are worked on at one time, each in a process of its own; more wait for one.",
        ("ROTA_MODULES_WORKERS",),
    ),
    Setting(
        "modules",
        "warm",
        integer(0, 1024),
        "0",
        "How many of these processes are started with the server and stay. The others come when they are needed.",
        ("ROTA_MODULES_WARM",),
    ),
    Setting(
        "modules",
        "idle_timeout",
        duration(),
        "1m",
        "How long a process stays without work, beyond those that are kept warm.",
        ("ROTA_MODULES_IDLE_TIMEOUT",),
    ),
    Setting(
        "modules",
        "recycle_after",
        integer(1, 10_000_000),
        "5000",
        "After how many runs a process makes room for a fresh one.",
        ("ROTA_MODULES_RECYCLE_AFTER",),
    ),
    Setting(
        "modules",
        "memory_max",
        size(),
        "2gb",
        "How much memory a run of a module may take before it fails. 0: no limit.",
        ("ROTA_MODULES_MEMORY_MAX",),
    ),
    Setting(
        "files",
        "roots",
        list_of(FOLDER),
        "",
        "Folders that the modules `archive`, `checksum`, `sql` and `email_report` may read and write, with all below them.",
        ("ROTA_FILES_ROOTS",),
    ),
    Setting(
        "blobs",
        "kind",
        enum("local", "s3"),
        "local",
        "Where artifacts are kept: in the data directory, or in a bucket of a store that speaks S3.",
        ("ROTA_BLOBS_KIND",),
    ),
    Setting("blobs", "bucket", LABEL, None, "Name of the bucket.", ("ROTA_BLOBS_BUCKET",)),
    Setting("blobs", "endpoint", URL, None, "Address of the store. Unset: Amazon's.", ("ROTA_BLOBS_ENDPOINT",)),
    Setting(
        "blobs",
        "public_endpoint",
        URL,
        None,
        "Address under which clients reach the store, if it is another one.",
        ("ROTA_BLOBS_PUBLIC_ENDPOINT",),
    ),
    Setting("blobs", "region", LABEL, "us-east-1", "Region of the bucket.", ("ROTA_BLOBS_REGION",)),
    Setting(
        "blobs",
        "access_key",
        SECRET,
        None,
        "Credentials of the store. Unset: those that boto3 finds in its own places.",
        ("ROTA_BLOBS_ACCESS_KEY",),
    ),
    Setting("blobs", "secret_key", SECRET, None, "The secret beside `access_key`.", ("ROTA_BLOBS_SECRET_KEY",)),
    Setting(
        "ordinaut",
        "jwt_secret",
        SECRET,
        None,
        "Key that signs agents' tokens. Unset: one is made at the first start and kept in the database.",
        ("ROTA_ORDINAUT_JWT_SECRET", "JWT_SECRET_KEY"),
        in_file=False,
    ),
    Setting(
        "ordinaut",
        "access_token_minutes",
        integer(1, 525_600),
        "60",
        "How long an agent's access token is good for.",
        ("ROTA_ORDINAUT_ACCESS_TOKEN_MINUTES", "JWT_ACCESS_TOKEN_EXPIRE_MINUTES"),
    ),
    Setting(
        "ordinaut",
        "refresh_token_days",
        integer(1, 3650),
        "30",
        "How long a refresh token is good for.",
        ("ROTA_ORDINAUT_REFRESH_TOKEN_DAYS", "JWT_REFRESH_TOKEN_EXPIRE_DAYS"),
    ),
    Setting(
        "ordinaut",
        "rate_limit",
        enum("auto", "on", "off"),
        "auto",
        "Whether requests of one token are limited. `auto`: those that do not come from this machine.",
        ("ROTA_ORDINAUT_RATE_LIMIT",),
    ),
    Setting(
        "ordinaut",
        "requests_per_minute",
        integer(1, 1_000_000),
        "60",
        "Requests of one token in any minute.",
        ("ROTA_ORDINAUT_REQUESTS_PER_MINUTE", "MAX_REQUESTS_PER_MINUTE"),
    ),
    Setting(
        "ordinaut",
        "requests_per_hour",
        integer(1, 1_000_000),
        "1000",
        "Requests of one token in any hour.",
        ("ROTA_ORDINAUT_REQUESTS_PER_HOUR", "MAX_REQUESTS_PER_HOUR"),
    ),
    Setting(
        "ordinaut",
        "legacy_tokens",
        BOOLEAN,
        "false",
        "Lets in, from this machine alone, whoever shows the bare id of an agent as its token.",
        ("ROTA_ORDINAUT_LEGACY_TOKENS",),
    ),
    Setting(
        "ordinaut",
        "backoff_base",
        seconds(positive=True, most_s=3600),
        "1s",
        "The wait before the first retry of a task that an agent makes; later ones follow from it.",
        ("ROTA_ORDINAUT_BACKOFF_BASE", "WORKER_BACKOFF_BASE"),
    ),
    Setting(
        "ordinaut",
        "backoff_max",
        seconds(positive=True, most_s=86_400),
        "1m",
        "The longest wait between retries of a task that an agent makes.",
        ("ROTA_ORDINAUT_BACKOFF_MAX", "WORKER_BACKOFF_MAX"),
    ),
    Setting(
        "posthog",
        "requests_per_minute",
        integer(1, 1_000_000),
        "480",
        "Requests of one key to the PostHog surface in any minute.",
        ("ROTA_POSTHOG_REQUESTS_PER_MINUTE",),
    ),
    Setting(
        "posthog",
        "requests_per_hour",
        integer(1, 1_000_000),
        "4800",
        "Requests of one key in any hour.",
        ("ROTA_POSTHOG_REQUESTS_PER_HOUR",),
    ),
    Setting(
        "posthog",
        "presence_ttl",
        duration(positive=True),
        "60s",
        "How long a device counts as watching a task after it last said so.",
        ("ROTA_POSTHOG_PRESENCE_TTL",),
    ),
    Setting(
        "posthog.push",
        "sender",
        enum("none", "log", "webhook", "expo", "webpush"),
        "none",
        "How registered devices are told: a line of the server's own log, a webhook, an Expo-compatible service, web push.",
        ("ROTA_POSTHOG_PUSH_SENDER",),
    ),
    Setting(
        "posthog.push",
        "url",
        SECRET_URL,
        None,
        "The webhook, or an Expo-compatible service in place of Expo's own.",
        ("ROTA_POSTHOG_PUSH_URL",),
    ),
    Setting(
        "posthog.push",
        "token",
        SECRET,
        None,
        "Sent to that URL as `Authorization: Bearer`.",
        ("ROTA_POSTHOG_PUSH_TOKEN",),
    ),
    Setting(
        "posthog.push",
        "label",
        LABEL,
        "Rota",
        "Title of the notices.",
        ("ROTA_POSTHOG_PUSH_LABEL",),
    ),
    Setting(
        "posthog.push",
        "vapid_key",
        VAPID_KEY,
        None,
        "Private key for web push: 32 bytes in base64url. Where it is set, devices of the platform `web` are told by web push.",
        ("ROTA_POSTHOG_PUSH_VAPID_KEY",),
    ),
    Setting(
        "posthog.push",
        "vapid_contact",
        URL_OR_MAIL,
        None,
        "Whom push services may write to: `mailto:…` or `https://…`. Needed beside `vapid_key`.",
        ("ROTA_POSTHOG_PUSH_VAPID_CONTACT",),
    ),
    Setting(
        "runwisp",
        "password",
        SECRET,
        None,
        "Password of the RunWisp surface. Unset: a random one at each start.",
        ("ROTA_RUNWISP_PASSWORD", "RUNWISP_PASSWORD"),
        in_file=False,
    ),
    Setting(
        "runwisp",
        "no_auth",
        NO_AUTH,
        None,
        "Opens the RunWisp surface to whoever reaches it. Not together with a password.",
        ("ROTA_RUNWISP_NO_AUTH", "RUNWISP_NO_AUTH"),
        in_file=False,
    ),
)

LISTEN = {
    "address": (ADDRESS, "Where it listens."),
    "surface": (enum(*SURFACES), "Which API it serves, at its root."),
}

# Keys and sections that RunWisp knows, so that its files load. Only what would change something is warned about.
IGNORED_KEYS = {
    ("daemon", "tls"): enum("auto", "off"),
    ("daemon", "allow_cloud_dispatch"): BOOLEAN,
}
SECTIONS = tuple(dict.fromkeys(setting.section for setting in TABLE if setting.in_file))
TOP = tuple(section for section in SECTIONS if "." not in section)
# Tables that stand in a section and are read apart from it.
BELOW = {section: tuple(name.rpartition(".")[2] for name in SECTIONS if name.startswith(f"{section}.")) for section in SECTIONS}
BELOW["posthog"] += ("project",)
