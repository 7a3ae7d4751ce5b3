"""Whole files: what loads, and what it comes to."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from tests.shell_of import shell_of

from rota.config import Finding, Listener, Loaded, Unit, find_file, load
from rota.core.errors import Invalid
from rota.core.inputs import Input
from rota.core.policy import Dst, LogLimit, Policy, Retry, Stop
from rota.core.schedule import CalendarEntry, CalendarSchedule, CronSchedule, EventSchedule, OnceSchedule, RRuleSchedule
from rota.core.service import ServicePolicy
from rota.core.task import TaskSpec
from rota.core.work import Shell

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]
LoadUnit = Callable[..., Unit]

CONTRACT_EXAMPLE = """\
[defaults]
keep_runs = 200
[tasks.nightly-dump]
cron = "15 1 * * *"
timezone = "Europe/Prague"
jitter = "20m"
on_overlap = "skip"
timeout = "45m"
retry_attempts = 2
retry_delay = "30s"
retry_backoff = "exponential"
exit_codes = [0, 3]
secrets_file = "dump.secret"
run = "./dump.sh"
params = [ { option = "--db", choices = ["main", "audit"], default = "main" }, { flag = "--dry-run" } ]
[services.queue]
run = "exec ./queue-server"
[services.mailer]
instances = 2
depends_on = ["queue"]
run = "exec ./mailer"
"""

KITCHEN_SINK = """\
[scheduler]
timezone = "Europe/Berlin"
[storage]
max_size = "2gb"
min_free_space = 0
[daemon]
shutdown_timeout = "30s"
external_url = "https://tasks.example.com/"
metrics_enabled = true
metrics_listen = "127.0.0.1:9000"
[server]
listen = "[::1]:7000"
data = "state"
database = "postgresql://rota:hunter2@db/rota"
max_concurrent_runs = 8
trust_proxy = ["10.0.0.0/8"]
log_level = "debug"
log_format = "json"
[outgoing]
private = "deny"
allow = ["hooks.internal"]
[[listen]]
address = "127.0.0.1:8080"
surface = "ordinaut"
[tasks."backup:db.main"]
title = "Back up"
description = "Dumps the database"
group = "Night"
labels = ["db"]
run = '''
set -u
./dump
'''
cron = "0 0 3 * * 1-5"
timezone = "Europe/Prague"
dst = { gap = "shift" }
api_trigger = false
jitter = "5m"
misfire_grace = "1h"
run_on_start = true
catch_up = "all"
max_catch_up_runs = 5
timeout = "1h30m"
priority = 2
max_concurrent = 3
on_overlap = "queue"
queue_max = 0
concurrency_key = "db"
dedupe_key = "dump"
dedupe_window = "10s"
retry_attempts = 4
retry_delay = "0s"
retry_backoff = "exponential_jitter"
retry_cap = "2m"
resume_after_crash = true
restart = "never"
graceful_stop = "0s"
stop_signal = "INT"
exit_codes = [0, 7]
log_max_size = "1.5mb"
log_on_full = "kill_task"
keep_runs = 10
keep_for = "2w"
working_dir = "work"
shell = "/bin/bash"
umask = "027"
user = "nobody:nogroup"
env = { A = "1" }
secrets = { B = "2" }
params = { region = "eu" }
[services.web]
executor = { kind = "shell", script = "serve", env = { A = "own" }, umask = "077" }
umask = "022"
env = { A = "unit", C = "3" }
instances = 4
restart_delay = "2s"
restart_backoff = "linear"
healthy_after = "5s"
start_retries = 0
priority = -5
autostart = false
on_overlap = "queue"
"""


def test_the_contracts_example_loads(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "dump.secret").write_text("TOKEN=abc\n")
    loaded = load_text(CONTRACT_EXAMPLE)
    assert loaded.warnings == []
    dump, queue, mailer = loaded.units
    assert dump.spec == TaskSpec(
        name="nightly-dump",
        executor=Shell(script="./dump.sh"),
        group="Tasks",
        schedule=CronSchedule(expr="15 1 * * *", timezone="Europe/Prague"),
        policy=Policy(
            overlap="skip",
            timeout_s=2700.0,
            retry=Retry(attempts=2, backoff="exponential", delay_s=30.0),
            jitter_s=1200.0,
            dst=Dst(interval="wall"),
            exit_codes=[0, 3],
            keep_runs=200,
        ),
        inputs=[
            Input(kind="option", key="--db", default="main", choices=["main", "audit"]),
            Input(kind="flag", key="--dry-run"),
        ],
    )
    assert (dump.secrets, dump.secrets_file, dump.line) == ({"TOKEN": "abc"}, "dump.secret", 3)
    assert queue.spec.service == ServicePolicy()
    assert mailer.spec.service == ServicePolicy(instances=2, depends_on=["queue"])
    assert mailer.spec.policy.keep_runs == 200


def test_a_file_that_uses_every_key_loads(load_text: Load, tmp_path: Path) -> None:
    loaded = load_text(KITCHEN_SINK)
    settings = loaded.settings
    assert loaded.warnings == []
    assert (settings.scheduler.timezone, settings.scheduler.timezone_source) == ("Europe/Berlin", "config")
    assert (settings.storage.max_size, settings.storage.min_free_space) == (2 * 1024**3, 0)
    assert settings.daemon.external_url == "https://tasks.example.com"
    assert settings.server.data == tmp_path / "state"
    assert settings.server.database is not None
    assert settings.server.database.reveal() == "postgresql://rota:hunter2@db/rota"
    assert settings.server.trust_proxy == ("10.0.0.0/8",)
    assert (settings.outgoing.private, settings.outgoing.allow) == ("deny", ("hooks.internal",))
    assert settings.listen == (Listener(address="127.0.0.1:8080", surface="ordinaut"),)
    assert [unit.name for unit in loaded.units] == ["backup:db.main", "web"]


def test_every_key_of_a_task_arrives_in_its_place(load_text: Load, tmp_path: Path) -> None:
    unit = load_text(KITCHEN_SINK).units[0]
    assert unit.secrets == {"B": "2"}
    assert unit.spec == TaskSpec(
        name="backup:db.main",
        title="Back up",
        description="Dumps the database",
        group="Night",
        labels=["db"],
        api_trigger=False,
        run_on_start=True,
        params={"region": "eu"},
        schedule=CronSchedule(expr="0 0 3 * * 1-5", timezone="Europe/Prague"),
        executor=Shell(  # noqa: S604  a struct, no call of a shell
            script="set -u\n./dump\n",
            shell="/bin/bash",
            env={"A": "1"},
            working_dir=str(tmp_path / "work"),
            user="nobody:nogroup",
            umask="027",
        ),
        policy=Policy(
            max_concurrent=3,
            queue_max=0,
            concurrency_key="db",
            dedupe_key="dump",
            dedupe_window_s=10.0,
            priority=2,
            timeout_s=5400.0,
            retry=Retry(attempts=4, backoff="exponential_jitter", delay_s=0.0, cap_s=120.0),
            catch_up="all",
            max_catch_up=5,
            misfire_grace_s=3600.0,
            jitter_s=300.0,
            dst=Dst(gap="shift", interval="wall"),
            stop=Stop(signal="SIGINT", grace_s=0.0),
            exit_codes=[0, 7],
            log=LogLimit(max_size=1_572_864, on_full="kill_task"),
            keep_runs=10,
            keep_for_s=1_209_600.0,
            resume_after_crash=True,
        ),
    )


def test_every_key_of_a_service_arrives_in_its_place(load_text: Load) -> None:
    spec = load_text(KITCHEN_SINK).units[1].spec
    assert spec.service == ServicePolicy(
        instances=4,
        restart_delay_s=2.0,
        restart_backoff="linear",
        healthy_after_s=5.0,
        start_retries=0,
        order=-5,
        autostart=False,
    )
    assert spec.executor == Shell(script="serve", env={"A": "own", "C": "3"}, umask="077")


def test_what_loads_is_valid_as_a_document_too(load_text: Load, tmp_path: Path) -> None:
    (tmp_path / "dump.secret").write_text("")
    for unit in [*load_text(KITCHEN_SINK).units, *load_text(CONTRACT_EXAMPLE).units]:
        assert msgspec.json.decode(msgspec.json.encode(unit.spec), type=TaskSpec) == unit.spec


@pytest.mark.parametrize(
    ("line", "schedule"),
    [
        ('rrule = "FREQ=DAILY;BYHOUR=3"', RRuleSchedule(expr="FREQ=DAILY;BYHOUR=3", timezone="UTC")),
        ('once = "2m"', OnceSchedule(after_s=120.0, timezone="UTC")),
        ('once = "2027-03-14T09:00:00Z"', OnceSchedule(at="2027-03-14T09:00:00Z", timezone="UTC")),
        ("once = 2027-03-14T09:00:00+01:00", OnceSchedule(at="2027-03-14T09:00:00+01:00", timezone="UTC")),
        ('on_event = "orders.new"', EventSchedule(topic="orders.new")),
        (
            "calendar = [{ hours = [3], minutes = [0] }]",
            CalendarSchedule([CalendarEntry(hours=[3], minutes=[0])], timezone="UTC"),
        ),
        ('schedule = { kind = "event", topic = "x" }', EventSchedule(topic="x")),
        ('schedule = { kind = "cron", expr = "@daily" }', CronSchedule(expr="@daily", timezone="UTC")),
        ('schedule = { kind = "once", after_s = 5 }', OnceSchedule(after_s=5.0, timezone="UTC")),
        ("description = ''", None),
    ],
)
def test_a_task_may_have_any_kind_of_schedule(load_unit: LoadUnit, line: str, schedule: object) -> None:
    assert load_unit(f'[tasks.a]\nrun = "x"\ntimezone = "UTC"\n{line}\n').spec.schedule == schedule


def test_a_unit_wins_over_the_defaults_and_they_over_what_is_built_in(load_text: Load) -> None:
    text = """\
[defaults]
timeout = "5m"
exit_codes = [0, 1]
shell = "/bin/bash"
dst = { interval = "real" }
[tasks.a]
run = "x"
timeout = "0s"
[tasks.b]
run = "x"
exit_codes = [2]
dst = { gap = "skip" }
[services.c]
run = "x"
"""
    a, b, c = (unit.spec for unit in load_text(text).units)
    assert (a.policy.timeout_s, a.policy.exit_codes, shell_of(a).shell) == (None, [0, 1], "/bin/bash")
    assert (b.policy.timeout_s, b.policy.exit_codes) == (300.0, [2])
    assert b.policy.dst == Dst(gap="skip", interval="real")
    assert (c.policy.timeout_s, c.policy.exit_codes, c.policy.overlap) == (None, [0, 1], "skip")


def test_a_script_takes_nothing_unless_it_says_so_and_an_executor_anything(load_text: Load) -> None:
    script, executor = load_text('[tasks.a]\nrun = "x"\n[tasks.b]\nexecutor = { kind = "shell", script = "x" }\n').units
    assert script.spec.inputs == []
    assert executor.spec.inputs is None


def test_numbers_and_booleans_in_params_are_stored_as_text(load_unit: LoadUnit) -> None:
    text = '[tasks.a]\nrun = "x"\nparams = [{ arg = "n", default = 1e3, choices = [1000, 2] }, { flag = "-f", default = true }]\n'
    inputs = load_unit(text).spec.inputs
    assert inputs is not None
    assert (inputs[0].default, inputs[0].choices, inputs[1].default) == ("1000", ["1000", "2"], "true")


def test_without_a_file_there_are_only_defaults(tmp_path: Path) -> None:
    loaded = load(None, {}, etc=tmp_path)
    assert loaded.units == []
    assert loaded.settings.server.listen == "127.0.0.1:7682"
    assert loaded.settings.server.data == Path(".rota")
    assert loaded.settings.scheduler.timezone == "UTC"


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "none.toml", {})
    assert caught.value.problems[0].location == str(tmp_path / "none.toml")
    assert caught.value.problems[0].message == "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("[tasks.a\n", 1, 9),
        ('[tasks.a]\nrun = "x\n', 2, 9),
        ("a = 1\na = 2\n", 2, 6),
        ("[tasks.a]\nrun = ", 2, 7),
        ("a = [1,\n", 1, 8),
    ],
)
def test_a_syntax_error_has_line_and_column(refuse: Refuse, text: str, line: int, column: int) -> None:
    finding = refuse(text)[0]
    assert "not valid TOML" in finding.message
    assert finding.line == line
    assert abs(finding.column - column) <= 1


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rota.toml").write_bytes(b"a = '\xff'\n")
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "rota.toml", {})
    assert "not UTF-8" in caught.value.problems[0].message


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "rota.toml").write_bytes(b'\xef\xbb\xbf[tasks.a]\r\nrun = "x"\r\ncrn = 1\r\n')
    with pytest.raises(Invalid) as caught:
        load(tmp_path / "rota.toml", {})
    assert caught.value.problems[0].location.endswith(":3:1 tasks.a.crn")


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("[taks.a]\n", "taks", "did you mean tasks?"),
        ("tasks = 5\n", "tasks", "must be a table"),
        ("[tasks]\na = 5\n", "tasks.a", "must be a table"),
        ('[scheduler]\ntimezone = "Mars/Base"\n', "scheduler.timezone", "not a known time zone"),
        ('[scheduler]\nmax_size = "1gb"\n', "scheduler.max_size", "is a key of [storage]"),
        ('[storage]\nmax_size = "inf"\n', "storage.max_size", "size"),
        ("[daemon]\nshutdown_timeout = 10\n", "daemon.shutdown_timeout", "bare number"),
        ('[daemon]\nexternal_url = "ftp://x"\n', "daemon.external_url", "http or https"),
        ('[daemon]\nmetrics_listen = "127.0.0.1:1"\n', "daemon.metrics_listen", "needs metrics_enabled"),
        ('[daemon]\ntls_cert = "c.pem"\n', "daemon.tls_cert", "needs tls_key"),
        ('[daemon]\ntls_key = "k.pem"\n', "daemon.tls_key", "needs tls_cert"),
        ('[daemon]\ntls = "on"\n', "daemon.tls", "auto, off"),
        ("[daemon]\ninclude = 5\n", "daemon.include", "list"),
        ('[server]\nlisten = "7682"\n', "server.listen", "HOST:PORT"),
        ('[server]\nlisten = "::1:7682"\n', "server.listen", "HOST:PORT"),
        ('[server]\ntrust_proxy = ["0.0.0.0/0"]\n', "server.trust_proxy[0]", "every address"),
        ('[server]\nlog_level = "Info"\n', "server.log_level", "did you mean info?"),
        ('[outgoing]\nprivate = "maybe"\n', "outgoing.private", "allow, deny"),
        ('[[listen]]\naddress = "127.0.0.1:8080"\n', "listen[0]", "needs surface"),
        ('[[listen]]\naddress = "127.0.0.1:8080"\nsurface = "ordinout"\n', "listen[0].surface", "did you mean ordinaut?"),
        ('[[listen]]\naddress = "127.0.0.1:7682"\nsurface = "nla"\n', "listen", "two listeners"),
        ("[listen]\n", "listen", "list of tables"),
        ('[runwisp]\npassword = "x"\n', "runwisp", "unknown key"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_at_its_key(refuse: Refuse, text: str, key: str, message: str) -> None:
    finding = refuse(text)[0]
    assert finding.key == key
    assert message in finding.message
    assert finding.line == (1 if text.count("\n") == 1 or key in ("listen", "runwisp", "listen[0]") else text.count("\n"))


def test_flags_go_over_variables_over_the_file_over_defaults(load_text: Load) -> None:
    text = '[server]\nlisten = "127.0.0.1:1"\nlog_level = "error"\nmax_concurrent_runs = 2\n'
    environ = {"ROTA_LISTEN": "127.0.0.1:2", "ROTA_MAX_CONCURRENT_RUNS": "3", "ROTA_LOG_FORMAT": ""}
    server = load_text(text, environ, {"server.listen": "127.0.0.1:3"}).settings.server
    assert (server.listen, server.max_concurrent_runs, server.log_level, server.log_format) == ("127.0.0.1:3", 3, "error", "auto")


@pytest.mark.parametrize(
    ("environ", "location", "message"),
    [
        ({"ROTA_LISTEN": "here"}, "ROTA_LISTEN", "HOST:PORT"),
        ({"ROTA_METRICS_ENABLED": "perhaps"}, "ROTA_METRICS_ENABLED", "true or false"),
        ({"ROTA_MAX_CONCURRENT_RUNS": "many"}, "ROTA_MAX_CONCURRENT_RUNS", "whole number"),
        ({"RUNWISP_NO_AUTH": "0"}, "RUNWISP_NO_AUTH", "1 or true"),
        ({"RUNWISP_NO_AUTH": "1", "RUNWISP_PASSWORD": "hunter2"}, "runwisp.no_auth", "both set"),
        ({"RUNWISP_TRUST_PROXY": "10.0.0.0/8,::/0"}, "RUNWISP_TRUST_PROXY", "every address"),
    ],
)
def test_a_variable_that_does_not_fit_is_refused_by_name(
    refuse: Refuse, environ: Mapping[str, str], location: str, message: str
) -> None:
    finding = refuse("", environ)[0]
    assert finding.location == location
    assert message in finding.message


def test_a_flag_that_does_not_fit_is_refused_by_name(refuse: Refuse) -> None:
    assert refuse("", {}, {"server.max_concurrent_runs": "0"})[0].location == "--max-concurrent-runs"


def test_a_misspelt_variable_is_warned_about_and_those_of_a_run_are_not(load_text: Load) -> None:
    warnings = load_text("", {"ROTA_LISTN": "x", "ROTA_RUN_ID": "1", "ROTA_TASK": "a"}).warnings
    assert [(finding.location, finding.message) for finding in warnings] == [
        ("variable ROTA_LISTN", "is not a setting; did you mean ROTA_LISTEN?")
    ]


@pytest.mark.parametrize(
    ("listen", "private"), [("127.0.0.1:1", "allow"), ("[::1]:1", "allow"), ("localhost:1", "allow"), ("0.0.0.0:1", "deny")]
)
def test_private_targets_are_allowed_only_while_every_listener_is_on_loopback(load_text: Load, listen: str, private: str) -> None:
    assert load_text(f'[[listen]]\naddress = "{listen}"\nsurface = "nla"\n').settings.outgoing.private == private


def test_the_file_of_a_directory_is_found(tmp_path: Path) -> None:
    assert find_file(tmp_path, {}) is None
    (tmp_path / "runwisp.toml").write_text("")
    assert find_file(tmp_path, {}) == tmp_path / "runwisp.toml"
    (tmp_path / "rota.toml").write_text("")
    assert find_file(tmp_path, {}) == tmp_path / "rota.toml"
    assert find_file(tmp_path, {"ROTA_CONFIG": "/etc/other.toml"}) == Path("/etc/other.toml")
