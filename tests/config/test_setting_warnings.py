"""What loads with a word of warning: odd units, names of other versions, what is not acted on."""

from collections.abc import Callable

import pytest

from rota.config import Finding, Loaded
from rota.core.policy import Restart

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]


def _warnings(loaded: Loaded) -> list[tuple[int, str, str]]:
    return [(finding.line, finding.key, finding.message) for finding in loaded.warnings]


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("api_trigger = false", "api_trigger", "nothing can start this task"),
        ('graceful_stop = "11s"', "graceful_stop", "longer than [daemon] shutdown_timeout"),
        ('shell = "/usr/bin/fish"', "shell", "not a POSIX shell"),
        ('catch_up = "all"', "catch_up", "no effect without a schedule"),
        ('retry_attempts = 1\nrestart = "on_failure"', "retry_attempts", "goes before it"),
        ('notify = ["ops"]', "notify", "not acted on"),
        ("failures = [1]", "failures", "not acted on"),
    ],
)
def test_a_unit_may_load_with_a_warning(load_text: Load, text: str, key: str, message: str) -> None:
    found = _warnings(load_text(f'[tasks.a]\nrun = "x"\n{text}\n'))
    assert [(line, name) for line, name, _ in found] == [(3, f"tasks.a.{key}")]
    assert message in found[0][2]


@pytest.mark.parametrize("line", ['cron = "@daily"', "run_on_start = true", 'on_event = "x"'])
def test_a_task_that_something_starts_needs_no_api(load_text: Load, line: str) -> None:
    assert load_text(f'[tasks.a]\nrun = "x"\napi_trigger = false\n{line}\n').warnings == []


@pytest.mark.parametrize("params", ['[{ arg = "a" }]', '[{ flag = "-f" }]'])
@pytest.mark.parametrize("run", ["./x\n# done\n", "cat <<EOF\nhello\nEOF\n"])
def test_params_that_reach_no_command_are_warned_about(load_text: Load, run: str, params: str) -> None:
    assert "do not reach a command" in load_text(f"[tasks.a]\nrun = '''{run}'''\nparams = {params}\n").warnings[0].message


def test_params_in_the_environment_reach_any_script(load_text: Load) -> None:
    assert load_text('[tasks.a]\nrun = "# done"\nparams = [{ env = "A" }]\n').warnings == []


def test_restart_of_a_task_goes_before_its_retries(load_text: Load) -> None:
    loaded = load_text('[defaults]\nstart_retries = 7\n[tasks.a]\nrun = "x"\nrestart = "on_failure"\nretry_attempts = 2\n')
    assert loaded.units[0].spec.policy.restart == Restart(start_retries=7)


LATER_NAMES = """\
[daemon]
timezone = "Europe/Prague"
[defaults]
log_on_full = "kill"
[tasks.a]
run = "x"
cron = "@daily"
manual_trigger = false
max_queued = 3
on_overlap = "kill"
catch_up = 1
[tasks.b]
run = "x"
cron = "@daily"
catch_up = 9
[tasks.c]
run = "x"
cron = "@daily"
catch_up = 0
[services.s]
run = "x"
restart_attempts = 5
"""


def test_names_of_later_releases_load_with_a_warning_each(load_text: Load) -> None:
    loaded = load_text(LATER_NAMES)
    a, b, c, s = (unit.spec for unit in loaded.units)
    assert loaded.settings.scheduler.timezone == "Europe/Prague"
    assert (a.api_trigger, a.policy.queue_max, a.policy.overlap, a.policy.catch_up) == (False, 3, "terminate", "latest")
    assert (b.policy.catch_up, b.policy.max_catch_up) == ("all", 9)
    assert c.policy.catch_up == "skip"
    assert s.service is not None
    assert s.service.start_retries == 5
    assert {spec.policy.log.on_full for spec in (a, b, c, s)} == {"kill_task"}
    assert [finding.line for finding in loaded.warnings] == [2, 4, 8, 9, 10, 11, 15, 19, 22]
    assert all(finding.message.startswith("deprecated: ") for finding in loaded.warnings)


LATER_NOTIFYING = """\
[notify]
coalesce_limit = 3
retry_budget = "1m"
keep_for = "1d"
[notifiers.ops]
type = "webhook"
url = "http://example.com/hook"
[[route]]
notify = ["ops"]
match = { kind = ["run.failed"] }
[[notifier]]
id = "old"
type = "webhook"
url = "http://example.com/old"
"""


def test_later_names_of_who_is_told_load_with_a_warning_each(load_text: Load) -> None:
    loaded = load_text(LATER_NOTIFYING)
    notify = loaded.settings.notify
    assert (notify.occurrence_ring, notify.default_timeout, notify.history_keep_for) == (3, 60, 86_400)
    assert [notifier.id for notifier in loaded.notifying.notifiers] == ["old", "ops"]
    assert [route.targets for route in loaded.notifying.routes] == [("ops",)]
    assert [finding.line for finding in loaded.warnings] == [2, 3, 4, 5, 8]


def test_an_error_in_a_later_notifier_points_at_it_and_shows_no_secret(refuse: Refuse) -> None:
    finding = refuse('[notifiers.ops]\ntype = "slack"\nwebhook_url = "hunter2"\n[[route]]\nnotify = ["opps"]\n')
    assert [(each.line, each.key) for each in finding] == [(3, "notifier[0].webhook_url"), (5, "notification_route[0].notify[0]")]
    assert "hunter2" not in str(finding)


def test_an_error_about_a_later_name_points_at_it(refuse: Refuse) -> None:
    finding = refuse('[tasks.a]\nrun = "x"\nmax_queued = -1\n')[0]
    assert (finding.line, finding.column) == (3, 14)


def test_old_and_new_name_together_are_an_error(refuse: Refuse) -> None:
    finding = refuse('[tasks.a]\nrun = "x"\nmax_queued = 1\nqueue_max = 2\n')[0]
    assert (finding.line, finding.key) == (3, "tasks.a.max_queued")
    assert "queue_max" in finding.message


NOT_ACTED_ON = """\
[daemon]
tls = "auto"
allow_cloud_dispatch = true
[services.a]
run = "x"
"""


def test_what_is_not_acted_on_loads_and_says_so(load_text: Load) -> None:
    loaded = load_text(NOT_ACTED_ON)
    assert [unit.name for unit in loaded.units] == ["a"]
    assert [(line, key) for line, key, _ in _warnings(loaded)] == [
        (2, "daemon.tls"),
    ]
    assert all("not acted on by this version" in message for _, _, message in _warnings(loaded))


def test_tls_that_is_off_needs_no_word(load_text: Load) -> None:
    assert load_text('[daemon]\ntls = "off"\nallow_cloud_dispatch = false\n').warnings == []
