"""The settings of the server itself: where it listens, plans, keeps, calls and tells."""

from rota.config.kinds import (
    ADDRESS,
    BOOLEAN,
    LABEL,
    LABELS,
    NAME,
    NETWORK,
    PATH,
    SECRET,
    TIMEZONE,
    URL,
    enum,
    integer,
    list_of,
)
from rota.config.notify_keys import TARGET
from rota.config.quantities import duration, size
from rota.config.setting import Setting

SERVING = (
    Setting(
        "server",
        "listen",
        ADDRESS,
        "127.0.0.1:7682",
        "Where the main listener serves every API.",
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
        "labels",
        LABELS,
        "",
        "What this server offers to tasks that say `runs_on`. It carries out those that ask for nothing else.",
        ("ROTA_LABELS",),
    ),
    Setting(
        "server",
        "node",
        NAME,
        None,
        "What this server is called among several on one database. Unset: the name of the machine.",
        ("ROTA_NODE",),
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
    Setting(
        "daemon",
        "metrics_enabled",
        BOOLEAN,
        "false",
        "Serves `/metrics` by RunWisp's API, and by `metrics_listen`; the main listener always does.",
        ("ROTA_METRICS_ENABLED",),
    ),
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
)
