"""Programs of supervisord as services."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rota.config import Unit, load
from rota.convert.draft import Draft
from rota.convert.supervisord import convert_supervisord
from rota.core.errors import Invalid
from rota.core.work import Shell

Units = Callable[[Draft], dict[str, Unit]]

FILE = """\
[supervisord]
logfile = /var/log/supervisord.log

[program:web]
command = /srv/web --port 80%(process_num)02d --name "two words" $HOME 100%% ; the front
process_name = %(program_name)s_%(process_num)02d
numprocs = 3
directory = %(here)s/web
priority = 10
autostart = false
autorestart = true
startsecs = 5
startretries = 7
exitcodes = 0,2
stopsignal = INT
stopwaitsecs = 30
umask = 22
user = www-data
environment = MODE="live, fast",LEVEL=2
stdout_logfile_maxbytes = 50MB
stdout_logfile = /var/log/web.log
serverurl = AUTO

[program:once]
command = /srv/once
autorestart = false

[program:worker]
command = /srv/worker

[group:site]
programs = web,worker

[eventlistener:mail]
command = crashmail

[include]
files = conf.d/*.conf
"""


@pytest.fixture
def units(tmp_path: Path) -> Units:
    def loads(draft: Draft) -> dict[str, Unit]:
        path = tmp_path / "rota.toml"
        path.write_text(draft.render("a test"))
        return {unit.name: unit for unit in load(path, {}, etc=tmp_path).units}

    return loads


def test_a_program_becomes_a_service(units: Units) -> None:
    web = units(convert_supervisord(FILE, here="/etc/sv"))["web"]
    assert web.spec.executor == Shell(
        script="exec /srv/web --port 80\"${RUNWISP_INSTANCE_INDEX}\" --name 'two words' '$HOME' 100%",
        working_dir="/etc/sv/web", user="www-data", umask="022", env={"MODE": "live, fast", "LEVEL": "2"},
    )  # fmt: skip
    assert web.spec.service is not None
    service, policy = web.spec.service, web.spec.policy
    assert (service.instances, service.order, service.autostart, service.healthy_after_s, service.start_retries) == (
        3,
        10,
        False,
        5,
        7,
    )
    assert (policy.exit_codes, policy.stop.signal, policy.stop.grace_s) == ([0, 2], "SIGINT", 30)
    assert (policy.log.max_size, web.spec.group) == (50 * 1024**2, "site")


def test_one_that_is_not_restarted_is_a_task(units: Units) -> None:
    once = units(convert_supervisord(FILE))["once"]
    assert (once.spec.service, once.spec.run_on_start, once.spec.policy.stop.grace_s) == (None, True, 10)


def test_what_needs_a_look_is_told() -> None:
    draft = convert_supervisord(FILE)
    by_name = {entry.name: " ".join(entry.checks) for entry in draft.entries}
    assert "serverurl" in by_name["web"]
    assert "only after an exit code" in by_name["worker"]
    assert any("eventlistener:mail" in check for check in draft.checks)
    assert any("conf.d/*.conf" in check for check in draft.checks)


def test_a_command_without_matching_quotes_stands_there_as_a_comment(units: Units) -> None:
    draft = convert_supervisord("[program:a]\ncommand = echo 'x\n[program:b]\ncommand = true\n")
    assert list(units(draft)) == ["b"]


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(Invalid):
        convert_supervisord("no section\n")
