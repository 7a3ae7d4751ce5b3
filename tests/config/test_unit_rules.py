"""Every rule about the keys of tasks and services has a case that breaks it (RunWisp §3.3)."""

from collections.abc import Callable

import pytest

from rota.config import Finding

Refuse = Callable[..., list[Finding]]

# (lines of a task, key that is named, part of the message); the first line is line 2 of the file.
TASK_CASES = [
    ('run = "  "', "run", "blank"),
    ("run = 5", "run", "must be a string, not a number"),
    ('run = "x"\ncrn = "* * * * *"', "crn", "did you mean cron?"),
    ('run = "x"\ninstances = 2', "instances", "is a key of services, not of tasks"),
    ('run = "x"\napi_trigger = "yes"', "api_trigger", "true or false"),
    ('run = "x"\ndescription = 3', "description", "string"),
    ('run = "x"\ngroup = 3', "group", "string"),
    ('run = "x"\ncron = "61 * * * *"', "cron", ""),
    ('run = "x"\ncron = "0 0 30 2 *"', "cron", ""),
    ('run = "x"\ncron = "@every 10ms"', "cron", ""),
    ('run = "x"\ncron = "CRON_TZ=UTC 0 0 * * *"', "cron", "timezone"),
    ('run = "x"\ncron = 5', "cron", "string"),
    ('run = "x"\ntimezone = "Europe/Pragu"', "timezone", "did you mean Europe/Prague?"),
    ('run = "x"\njitter = "25h"', "jitter", "24h"),
    ('run = "x"\nrun_on_start = 1', "run_on_start", "true or false"),
    ('run = "x"\ncatch_up = "lates"', "catch_up", "did you mean latest?"),
    ('run = "x"\nmax_catch_up_runs = 0', "max_catch_up_runs", "from 1 to 10000"),
    ('run = "x"\ntimeout = 45', "timeout", "bare number"),
    ('run = "x"\nmax_concurrent = 1025', "max_concurrent", "from 1 to 1024"),
    ('run = "x"\non_overlap = "Queue"', "on_overlap", "did you mean queue?"),
    ('run = "x"\nqueue_max = -1', "queue_max", "from 0 to 10000"),
    ('run = "x"\nretry_attempts = 101', "retry_attempts", "from 0 to 100"),
    ('run = "x"\nretry_delay = "-1s"', "retry_delay", "negative"),
    ('run = "x"\nretry_backoff = "exponental"', "retry_backoff", "did you mean exponential?"),
    ('run = "x"\nrestart = "always"', "restart", "is a service"),
    ('run = "x"\ngraceful_stop = "-1s"', "graceful_stop", "negative"),
    ('run = "x"\nstop_signal = "SIGTERN"', "stop_signal", "did you mean SIGTERM?"),
    ('run = "x"\nexit_codes = []', "exit_codes", "empty"),
    ('run = "x"\nexit_codes = [0, 256]', "exit_codes[1]", "from 0 to 255"),
    ('run = "x"\nexit_codes = [true]', "exit_codes[0]", "whole number"),
    ('run = "x"\nlog_max_size = "0kb"', "log_max_size", "larger than 0"),
    ('run = "x"\nlog_on_full = "stop"', "log_on_full", "drop_new, drop_old, kill_task"),
    ('run = "x"\nkeep_runs = 0', "keep_runs", "from 1 to 1000000"),
    ('run = "x"\nkeep_for = "0d"', "keep_for", "longer than 0"),
    ('run = "x"\nkeep_for = "6000w"', "keep_for", "100 years"),
    ('run = "x"\nworking_dir = ""', "working_dir", "blank"),
    ('run = "x"\nshell = "bash"', "shell", "absolute path"),
    ('run = "x"\numask = 22', "umask", "string"),
    ('run = "x"\numask = "1777"', "umask", "0777"),
    ('run = "x"\nuser = "a:b:c"', "user", "user:group"),
    ('run = "x"\nenv = { "1A" = "x" }', "env.1A", "not a name"),
    ('run = "x"\nenv = { A = 1 }', "env.A", "must be a string"),
    ('run = "x"\nsecrets = { A = "\\u0000" }', "secrets.A", "NUL"),
    ('run = "x"\nenv = { A = "' + "x" * 32_769 + '" }', "env.A", "32 KiB"),
    ('run = "x"\nenv_file = "missing.env"', "env_file", "missing.env cannot be read"),
    ('run = "x"\nsecrets_file = "missing.env"', "secrets_file", "missing.env cannot be read"),
    ('run = "x"\nparams = "a"', "params", "list"),
    ('run = "x"\nparams = [{ arg = "a", option = "--b" }]', "params[0]", "exactly one of"),
    ('run = "x"\nparams = [{ arg = "a" }, { arg = "a" }]', "params[1].arg", "twice"),
    ('run = "x"\nparams = [{ arg = "a-b" }]', "params[0].arg", "letters"),
    ('run = "x"\nparams = [{ option = "db" }]', "params[0].option", "begin with -"),
    ('run = "x"\nparams = [{ flag = "--n", type = "number" }]', "params[0].type", "a flag has no type"),
    ('run = "x"\nparams = [{ flag = "--n", choices = ["a"] }]', "params[0].choices", "a flag has no choices"),
    ('run = "x"\nparams = [{ flag = "--n", required = true }]', "params[0].required", "a flag has no required"),
    ('run = "x"\nparams = [{ flag = "--n", default = "maybe" }]', "params[0].default", "true or false"),
    ('run = "x"\nparams = [{ arg = "a", allow_custom = true }]', "params[0].allow_custom", "choices"),
    ('run = "x"\nparams = [{ arg = "a", type = "number", choices = ["b"] }]', "params[0].choices", "numbers"),
    ('run = "x"\nparams = [{ arg = "a", defualt = "b" }]', "params[0].defualt", "did you mean default?"),
    ('run = "x"\nparams = [{ arg = "a", default = [] }]', "params[0].default", "string, a number"),
    ('run = "x"\ncron = "@daily"\nparams = [{ arg = "a", required = true }]', "params[0].required", "needs a default"),
    ('run = "x"\nrun_on_start = true\nparams = [{ arg = "a", required = true }]', "params[0].required", "needs a default"),
    ('run = "x"\nenv = { A = "1" }\nparams = [{ env = "A" }]', "params[0].env", "set by env or secrets"),
    ('run = "x"\ncatch_up = "all"\non_overlap = "skip"\ncron = "@daily"', "catch_up", "on_overlap"),
    # Rota's own keys
    ('cron = "@daily"', "", "needs run"),
    ('run = "x"\nexecutor = { kind = "shell", script = "y" }', "executor", "exclude each other"),
    ('executor = { kind = "shell", scrpt = "y" }', "executor.scrpt", "did you mean script?"),
    ('executor = { kind = "shell", script = "y", umsk = "022" }', "executor.umsk", "did you mean umask?"),
    ('executor = { kind = "shell", script = 5 }', "executor.script", "expected str"),
    ('executor = { kind = "shel", script = "y" }', "executor.kind", "shel"),
    ('run = "x"\ncron = "@daily"\nrrule = "FREQ=DAILY"', "rrule", "one schedule"),
    ('run = "x"\nrrule = "FREQ=NEVER"', "rrule", ""),
    ('run = "x"\nonce = "tomorrow"', "once", "2027-03-14T09:00:00Z"),
    ('run = "x"\nonce = "2027-02-30T09:00:00Z"', "once", "moment"),
    ('run = "x"\nonce = 2027-02-03', "once", "time of day"),
    ('run = "x"\non_event = ""', "on_event", "1 to 100"),
    ('run = "x"\ncalendar = [{ hours = [3] }, { hours = [24] }]', "calendar[1].hours", ""),
    ('run = "x"\ncalendar = [{ hour = [3] }]', "calendar[0].hour", "unknown key"),
    ('run = "x"\ncalendar = 5', "calendar", "expected array"),
    ('run = "x"\nschedule = { kind = "cron", expr = "x" }', "schedule.expr", ""),
    ('run = "x"\nschedule = { kind = "cron", exp = "x" }', "schedule.exp", "did you mean expr?"),
    ('run = "x"\nschedule = { kind = "cron" }', "schedule", "expr"),
    ('run = "x"\ntimezone = "UTC"\nschedule = { kind = "cron", expr = "@daily", timezone = "X" }', "schedule.timezone", ""),
    ('run = "x"\ndst = { gap = "shfit" }', "dst.gap", "did you mean shift?"),
    ('run = "x"\ndst = { gaps = "end" }', "dst.gaps", "unknown key"),
    ('run = "x"\npriority = 0', "priority", "from 1 to 9"),
    ('run = "x"\nlabels = [""]', "labels[0]", "1 to 100"),
    ('run = "x"\ntitle = "' + "x" * 201 + '"', "title", "200"),
    ('run = "x"\nmisfire_grace = "soon"', "misfire_grace", "duration"),
    ('run = "x"\nretry_cap = 5', "retry_cap", "duration"),
    ('run = "x"\ndedupe_window = 5', "dedupe_window", "duration"),
    ('run = "x"\nresume_after_crash = 5', "resume_after_crash", "true or false"),
]

SERVICE_CASES = [
    ('run = "x"\ncron = "@daily"', "cron", "is a key of tasks, not of services"),
    ('run = "x"\nparams = []', "params", "is a key of tasks"),
    ('run = "x"\ntimeout = "5s"', "timeout", "is a key of tasks"),
    ('run = "x"\nrestart = "always"', "restart", "is a key of tasks"),
    ('run = "x"\nrestart_delay = 1', "restart_delay", "duration"),
    ('run = "x"\nrestart_backoff = "fast"', "restart_backoff", "must be one of"),
    ('run = "x"\nhealthy_after = "0s"', "healthy_after", "longer than 0"),
    ('run = "x"\nstart_retries = 101', "start_retries", "from 0 to 100"),
    ('run = "x"\ninstances = 65', "instances", "from 1 to 64"),
    ('run = "x"\npriority = "high"', "priority", "whole number"),
    ('run = "x"\nautostart = "no"', "autostart", "true or false"),
    ('run = "x"\ndepends_on = "y"', "depends_on", "list"),
    ('run = "x"\ndepends_on = ["nobody"]', "depends_on", "no service is named 'nobody'"),
    ('run = "x"\ndepends_on = ["unit"]', "depends_on", "cannot wait for itself"),
    ('run = "x"\ndepends_on = ["t"]\n[tasks.t]\nrun = "x"', "depends_on[0]", "is a task"),
    ('run = "x"\ndepends_on = ["b"]\n[services.b]\nrun = "x"\ndepends_on = ["unit"]', "", "wait for each other: b -> unit -> b"),
    ('run = "x"\non_overlap = "never"', "on_overlap", "must be one of"),
]


def _line_of(text: str, key: str) -> int:
    """The line that the leading part of a key stands on; the header's without a key."""
    word = key.partition(".")[0].partition("[")[0]
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if word and line.startswith(f"{word} ")), 1)


def _check(findings: list[Finding], section: str, text: str, key: str, message: str) -> None:
    wanted = f"{section}.unit.{key}" if key else ""
    found = [finding for finding in findings if finding.key == wanted or not key]
    assert found, [(finding.location, finding.message) for finding in findings]
    assert message in found[0].message
    assert found[0].location.startswith(f"{found[0].file}:{found[0].line}:{found[0].column} ")
    if key:
        assert found[0].line == _line_of(text, key)


@pytest.mark.parametrize(("lines", "key", "message"), TASK_CASES)
def test_a_task_that_breaks_a_rule_is_refused_at_its_key(refuse: Refuse, lines: str, key: str, message: str) -> None:
    text = f"[tasks.unit]\n{lines}\n"
    _check(refuse(text), "tasks", text, key, message)


@pytest.mark.parametrize(("lines", "key", "message"), SERVICE_CASES)
def test_a_service_that_breaks_a_rule_is_refused_at_its_key(refuse: Refuse, lines: str, key: str, message: str) -> None:
    text = f"[services.unit]\n{lines}\n"
    _check(refuse(text), "services", text, key, message)


@pytest.mark.parametrize("name", ['"a b"', '""', '"ä"', '"' + "x" * 101 + '"'])
def test_a_name_that_is_no_name_is_refused(refuse: Refuse, name: str) -> None:
    assert "the name must be 1 to 100" in refuse(f'[tasks.{name}]\nrun = "x"\n')[0].message


def test_env_and_secrets_share_a_limit(refuse: Refuse) -> None:
    env = ", ".join(f'A{number} = "x"' for number in range(200))
    secrets = ", ".join(f'B{number} = "x"' for number in range(57))
    findings = refuse(f'[tasks.unit]\nrun = "x"\nenv = {{ {env} }}\nsecrets = {{ {secrets} }}\n')
    assert "256" in findings[0].message


@pytest.mark.parametrize("key", ["cron", "timezone", "run", "max_concurrent", "instances", "graceful_stop"])
def test_only_some_keys_are_inherited(refuse: Refuse, key: str) -> None:
    findings = refuse(f'[defaults]\n{key} = "x"\n')
    assert findings[0].key == f"defaults.{key}"
    assert findings[0].line == 2


def test_all_errors_are_told_at_once_in_the_order_of_the_file(refuse: Refuse) -> None:
    findings = refuse('[tasks.b]\nrunn = "x"\njitter = 5\n[tasks.a]\nrun = "x"\ncron = "bad"\n[scheduler]\ntimzone = "UTC"\n')
    assert [(finding.line, finding.column) for finding in findings] == [(1, 1), (2, 1), (3, 10), (6, 8), (8, 1)]


def test_a_task_and_a_service_cannot_share_a_name(refuse: Refuse) -> None:
    assert "is taken" in refuse('[tasks.a]\nrun = "x"\n[services.a]\nrun = "x"\n')[0].message
