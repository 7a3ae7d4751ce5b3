"""Lines that come from elsewhere than from a process of ours."""

from pathlib import Path

import pytest
from tests.factories import NOON

from rota.core.errors import Unavailable
from rota.core.policy import LogLimit
from rota.logs import LogName, RunLogs

NAME = LogName("task", NOON, "run")


def texts(logs: RunLogs) -> list[str]:
    return [line.text for line in logs.reader(NAME).page(0, 100).lines]


def test_lines_are_there_when_it_returns(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)
    logs.append(NAME, LogLimit(), "entry", b'{"a":1}\n', 0, is_over=False)
    logs.append(NAME, LogLimit(), "entry", b'{"a":2}\n{"a":3}\n', 0, is_over=False)
    assert texts(RunLogs(tmp_path)) == ['{"a":1}', '{"a":2}', '{"a":3}']
    assert not logs.reader(NAME).page(0, 0).finalized


def test_they_go_through_the_writer_that_has_the_log(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)
    writer = logs.writer(NAME, LogLimit())
    writer.write("stdout", b"half", 0)
    logs.append(NAME, LogLimit(), "entry", b"{}\n", 0, is_over=False)
    writer.write("stdout", b" a line\n", 0)
    writer.finalize(0)
    assert texts(logs) == ["{}", "half a line"]


def test_late_lines_of_an_ended_run_leave_its_log_ended(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path)
    logs.writer(NAME, LogLimit()).finalize(0)
    logs.append(NAME, LogLimit(), "entry", b"{}\n", 0, is_over=True)
    page = logs.reader(NAME).page(0, 10)
    assert page.finalized
    assert len(page.lines) == 1


def test_what_a_full_log_does_not_take_is_refused(tmp_path: Path) -> None:
    logs, limit = RunLogs(tmp_path), LogLimit(max_size=10, on_full="drop_new")
    with pytest.raises(Unavailable):
        logs.append(NAME, limit, "entry", b"%s\n" % (b"x" * 100), 0, is_over=False)
