"""The keys of tasks and services: the one table that parsing and the reference page are made from (RunWisp §3.3)."""

from typing import Any, Literal

from msgspec import Struct

from rota.config.kinds import (
    BOOLEAN,
    DESCRIPTION,
    ENV,
    LABEL,
    LABELS,
    NAME,
    PATH,
    SCRIPT,
    SHELL,
    SIGNAL,
    TEXT,
    TIMEZONE,
    TITLE,
    UMASK,
    USER,
    BadValue,
    Kind,
    enum,
    expect,
    integer,
    list_of,
    read_each,
)
from rota.config.notify_keys import TARGET
from rota.config.quantities import DAY_S, duration, size
from rota.core.policy import LONGEST_S

UnitKind = Literal["tasks", "services"]
T: tuple[UnitKind, ...] = ("tasks",)
S: tuple[UnitKind, ...] = ("services",)
TS: tuple[UnitKind, ...] = ("tasks", "services")

DST_CHOICES = {"gap": enum("end", "shift", "skip"), "fold": enum("first", "second", "both"), "interval": enum("real", "wall")}


class UnitKey(Struct, frozen=True):
    """One key.

    default   as it would be written; None = unset
    target    the field of the task it becomes, as `policy.retry.delay_s`; None where a file of its own deals with it
    inherits  may also stand in [defaults]
    ours      RunWisp does not know it
    """

    name: str
    on: tuple[UnitKind, ...]
    kind: Kind
    default: str | None
    target: str | None
    meaning: str
    inherits: bool = False
    ours: bool = False


def _parse_dst(value: Any) -> dict[str, str]:
    expect(dict, value, "a table of gap, fold and interval")
    unknown = [((key,), "unknown key; the keys are gap, fold and interval") for key in value if key not in DST_CHOICES]
    if unknown:
        raise BadValue("has unknown keys", *unknown)
    texts = read_each({(key,): (key, text) for key, text in value.items()}, lambda pair: DST_CHOICES[pair[0]].parse(pair[1]))
    return dict(zip(value, texts, strict=True))


def _parse_table(value: Any) -> dict[str, Any]:
    expect(dict, value, "a table")
    return dict(value)


def _parse_params(value: Any) -> Any:
    if not isinstance(value, dict):
        expect(list, value, "a list of definitions or a table of values")
    return value


def _parse_any(value: Any) -> Any:
    return value


DST = Kind("table", _parse_dst, _parse_dst)
TABLE_VALUE = Kind("table", _parse_table, _parse_table)
PARAMS = Kind("list of definitions, or table of values", _parse_params, _parse_params)
STEPS = Kind("list of tables", _parse_any, _parse_any)
CALENDAR = Kind("list of tables", _parse_any, _parse_any)
MOMENT = Kind("moment or duration", _parse_any, _parse_any)
BACKOFFS = ("constant", "linear", "exponential", "exponential_jitter")
KEEP_ALIVE = "; what is always kept alive is a service"

KEYS = (
    UnitKey("run", TS, SCRIPT, None, None, "The script. Exactly one of `run`, `steps` and `executor`."),
    UnitKey(
        "executor",
        TS,
        TABLE_VALUE,
        None,
        None,
        'Any executor as the native API takes it: `{kind = "shell", script = "…"}`.',
        ours=True,
    ),
    UnitKey(
        "steps", TS, STEPS, None, None, "A pipeline: tables of `uses`, `with`, `save_as`, `if` …, as in pipelines.md.", ours=True
    ),
    UnitKey("compose_file", TS, PATH, None, None, "A service of this compose file is what runs, in place of `run`."),
    UnitKey("compose_service", TS, LABEL, None, None, "Which one; else the one named like the unit."),
    UnitKey(
        "compose_mode",
        TS,
        enum("run", "exec"),
        None,
        None,
        "`run`: a container of its own. `exec`: the script, in the one that is up.",
    ),
    UnitKey("title", TS, TITLE, None, "spec.title", "A name for people.", ours=True),
    UnitKey("description", TS, DESCRIPTION, None, "spec.description", "What it is for."),
    UnitKey("group", T, TEXT, "Tasks", "spec.group", "Heading it is listed under."),
    UnitKey("group", S, TEXT, "Services", "spec.group", "Heading it is listed under."),
    UnitKey("labels", TS, list_of(LABEL), None, "spec.labels", "Words to find it by.", ours=True),
    UnitKey("runs_on", TS, LABELS, None, "spec.runs_on", "Labels that whoever carries it out must offer.", True, ours=True),
    UnitKey("api_trigger", TS, BOOLEAN, "true", "spec.api_trigger", "`false` refuses a manual start everywhere."),
    UnitKey("cron", T, TEXT, None, None, "5 fields, 6 with leading seconds, `@daily` and its like, `@every 15m`."),
    UnitKey("rrule", T, TEXT, None, None, "A recurrence rule of RFC 5545.", ours=True),
    UnitKey("once", T, MOMENT, None, None, "A moment (RFC 3339), or a duration after the task is first seen.", ours=True),
    UnitKey("on_event", T, TEXT, None, None, "A topic: one run for each of its events.", ours=True),
    UnitKey(
        "calendar", T, CALENDAR, None, None, "Criteria: `days_of_month`, `weekdays`, `hours`, `minutes`, `timezone`.", ours=True
    ),
    UnitKey(
        "schedule",
        T,
        TABLE_VALUE,
        None,
        None,
        'Any schedule as the native API takes it: `{kind = "cron", expr = "…"}`.',
        ours=True,
    ),
    UnitKey("timezone", T, TIMEZONE, None, None, "Zone of the schedule; else `[scheduler] timezone`."),
    UnitKey(
        "dst", T, DST, None, None, "`gap`, `fold`, `interval`: what clock changes do to the schedule.", inherits=True, ours=True
    ),
    UnitKey(
        "jitter", T, duration(most_s=DAY_S), "0s", "policy.jitter_s", "Most that a start may slip behind its tick.", inherits=True
    ),
    UnitKey(
        "misfire_grace",
        T,
        duration(),
        None,
        "policy.misfire_grace_s",
        "A slot later than this is missed.",
        inherits=True,
        ours=True,
    ),
    UnitKey("run_on_start", T, BOOLEAN, "false", "spec.run_on_start", "One run each time the server starts."),
    UnitKey(
        "catch_up",
        T,
        enum("latest", "all", "skip", "idle"),
        "latest",
        "policy.catch_up",
        "Which missed ticks run after downtime.",
    ),
    UnitKey("max_catch_up_runs", T, integer(1, 10_000), "100", "policy.max_catch_up", "Cap of `all`."),
    UnitKey("timeout", T, duration(), "0s", "policy.timeout_s", "Longest an attempt may take. 0: no limit.", inherits=True),
    UnitKey("priority", T, integer(1, 9), "5", "policy.priority", "1 goes first when runs wait, 9 last.", ours=True),
    UnitKey("max_concurrent", T, integer(1, 1024), "1", "policy.max_concurrent", "Runs at one time."),
    UnitKey(
        "on_overlap", T, enum("queue", "skip", "terminate"), "queue", "policy.overlap", "What a start does when that many run."
    ),
    UnitKey(
        "on_overlap", S, enum("queue", "skip", "terminate"), "skip", "policy.overlap", "Without effect: instances never overlap."
    ),
    UnitKey("queue_max", T, integer(0, 10_000), "100", "policy.queue_max", "Runs that may wait. 0: none waits."),
    UnitKey("concurrency_key", T, LABEL, None, "policy.concurrency_key", "Tasks of one key share `max_concurrent`.", ours=True),
    UnitKey("dedupe_key", T, LABEL, None, "policy.dedupe_key", "Starts of one key within `dedupe_window` are one.", ours=True),
    UnitKey("dedupe_window", T, duration(), "0s", "policy.dedupe_window_s", "How long a start holds off its like.", ours=True),
    UnitKey("retry_attempts", T, integer(0, 100), "0", "policy.retry.attempts", "Extra tries after a failure."),
    UnitKey("retry_delay", T, duration(), "5s", "policy.retry.delay_s", "Wait before a retry. 0 is none."),
    UnitKey(
        "retry_backoff",
        T,
        enum(*BACKOFFS),
        "constant",
        "policy.retry.backoff",
        "How the wait grows. `exponential_jitter` is ours.",
    ),
    UnitKey("retry_cap", T, duration(), "5m", "policy.retry.cap_s", "Longest wait of a growing one.", ours=True),
    UnitKey(
        "resume_after_crash",
        T,
        BOOLEAN,
        None,
        "policy.resume_after_crash",
        "The attempt is carried out again, under its own number, if the server died under it.",
        inherits=True,
        ours=True,
    ),
    UnitKey(
        "restart",
        T,
        enum("never", "on_failure", hint=KEEP_ALIVE),
        "never",
        None,
        "`on_failure`: started again after 1s until it succeeds, or has failed fast more than `start_retries` times in a row.",
    ),
    UnitKey("restart_delay", S, duration(), "1s", "service.restart_delay_s", "Wait before an instance starts again."),
    UnitKey(
        "restart_backoff", S, enum(*BACKOFFS), "exponential", "service.restart_backoff", "How the wait grows, up to a minute."
    ),
    UnitKey(
        "healthy_after",
        S,
        duration(positive=True),
        "60s",
        "service.healthy_after_s",
        "A run this long was healthy.",
        inherits=True,
    ),
    UnitKey(
        "start_retries",
        S,
        integer(0, 100),
        "3",
        "service.start_retries",
        "Fast failures in a row before giving up.",
        inherits=True,
    ),
    UnitKey("instances", S, integer(1, 64), "1", "service.instances", "How many are kept alive."),
    UnitKey("priority", S, integer(-1_000_000_000, 1_000_000_000), "0", "service.order", "Start order, lowest first."),
    UnitKey("autostart", S, BOOLEAN, "true", "service.autostart", "`false` starts it stopped."),
    UnitKey("depends_on", S, list_of(NAME), None, "service.depends_on", "Services to wait for."),
    UnitKey("graceful_stop", TS, duration(), "5s", "policy.stop.grace_s", "From the stop signal to SIGKILL. 0: at once."),
    UnitKey("stop_signal", TS, SIGNAL, "SIGTERM", "policy.stop.signal", "With or without `SIG`.", inherits=True),
    UnitKey(
        "exit_codes",
        TS,
        list_of(integer(0, 255), non_empty=True),
        "0",
        "policy.exit_codes",
        "Which codes are success.",
        inherits=True,
    ),
    UnitKey("log_max_size", TS, size(positive=True), "100mb", "policy.log.max_size", "Cap of one log segment.", inherits=True),
    UnitKey(
        "log_on_full",
        TS,
        enum("drop_new", "drop_old", "kill_task"),
        "drop_old",
        "policy.log.on_full",
        "What happens then.",
        inherits=True,
    ),
    UnitKey("keep_runs", TS, integer(1, 1_000_000), None, "policy.keep_runs", "Ended runs that are kept.", inherits=True),
    UnitKey(
        "keep_for",
        TS,
        duration(positive=True, most_s=LONGEST_S),
        None,
        "policy.keep_for_s",
        "How long ended runs are kept.",
        inherits=True,
    ),
    UnitKey("working_dir", TS, PATH, None, "shell.working_dir", "Checked when a run starts; else the server's own."),
    UnitKey("shell", TS, SHELL, "/bin/sh", "shell.shell", "What reads the script.", inherits=True),
    UnitKey("umask", TS, UMASK, None, "shell.umask", "Of the process."),
    UnitKey("user", TS, USER, None, "shell.user", "Whom it runs as; needs a server that is root."),
    UnitKey("env", TS, ENV, None, None, "Variables, seen by whoever may see the task.", inherits=True),
    UnitKey("env_file", TS, PATH, None, None, "More of them, `KEY=VALUE` lines.", inherits=True),
    UnitKey("secrets", TS, ENV, None, None, "Variables that are shown nowhere and masked in logs.", inherits=True),
    UnitKey("secrets_file", TS, PATH, None, None, "More of them, `KEY=VALUE` lines.", inherits=True),
    UnitKey(
        "notify_on_failure",
        TS,
        list_of(TARGET),
        None,
        "spec.notify.on_failure",
        "Notifiers (`id`, `id:recipient`, `inapp`) told of failures, beside the global ones.",
    ),
    UnitKey("notify_on_success", TS, list_of(TARGET), None, "spec.notify.on_success", "Notifiers told of successes."),
    UnitKey(
        "notify_on_missed", T, BOOLEAN, "true", "spec.notify.on_missed", "`false`: nobody hears of missed ticks.", inherits=True
    ),
    UnitKey("params", T, PARAMS, None, None, "What a run may be given (a list), or default values (a table, ours)."),
)

INHERITED = {key.name: key for key in KEYS if key.inherits}
LATER_KEYS = ("notify", "failures")
COMPOSE_KEYS = ("compose_file", "compose_service", "compose_mode")
# What compose decides for its containers.
NOT_FOR_COMPOSE = ("shell", "umask", "user")


def keys_of(unit_kind: UnitKind) -> dict[str, UnitKey]:
    return {key.name: key for key in KEYS if unit_kind in key.on}
