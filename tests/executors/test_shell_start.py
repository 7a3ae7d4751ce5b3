"""How scripts are started."""

import errno
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from tests.shell_workbench import run_script

from rota.executors import command
from rota.executors.identity import find_identity
from rota.executors.shell import shell_argv
from rota.process import Child, seal_descriptors, spawn

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")


def test_the_exit_code_decides(tmp_path: Path) -> None:
    assert run_script(tmp_path, "exit 0").outcome.state == "succeeded"
    failed = run_script(tmp_path, "exit 3").outcome
    assert (failed.state, failed.exit_code, failed.error) == ("failed", 3, "exit code 3")
    assert run_script(tmp_path, "exit 3", policy={"exit_codes": [0, 3]}).outcome.state == "succeeded"


@pytest.mark.parametrize(("name", "code"), [("KILL", 137), ("TERM", 143)])
def test_a_death_by_signal_counts_from_128(tmp_path: Path, name: str, code: int) -> None:
    outcome = run_script(tmp_path, f"kill -{name} $$").outcome
    assert (outcome.state, outcome.exit_code) == ("failed", code)


def test_a_posix_shell_stops_at_the_first_command_that_fails(tmp_path: Path) -> None:
    result = run_script(tmp_path, "false\necho not reached")
    assert result.outcome.exit_code == 1
    assert result.texts() == []
    assert run_script(tmp_path, "set +e\nfalse\necho reached").texts() == ["reached"]


@pytest.mark.parametrize(
    ("shell", "argv"),
    [
        ("/bin/sh", ["/bin/sh", "-e", "-c", "x"]),
        ("/usr/bin/zsh-5.9", ["/usr/bin/zsh-5.9", "-e", "-c", "x"]),
        ("/bin/busybox", ["/bin/busybox", "sh", "-e", "-c", "x"]),
        ("/usr/bin/fish", ["/usr/bin/fish", "-c", "x"]),
        ("/usr/bin/python3", ["/usr/bin/python3", "-c", "x"]),
    ],
)
def test_only_posix_shells_are_told_to_stop_at_failures(shell: str, argv: list[str]) -> None:
    assert shell_argv(shell, "x") == argv


def test_a_program_that_is_no_posix_shell_gets_the_script_unchanged(tmp_path: Path) -> None:
    result = run_script(tmp_path, "print('from\\tpython')\n", work={"shell": os.path.realpath("/proc/self/exe")})
    assert result.texts() == ["from\tpython"]


def test_a_script_has_a_session_of_its_own_and_nothing_to_read(tmp_path: Path) -> None:
    result = run_script(tmp_path, "cut -d' ' -f1,5,6 /proc/$$/stat; cat; ls /proc/$$/fd")
    pid, group, session = result.texts()[0].split()
    assert pid == group == session
    assert [fd for fd in result.texts()[1:] if fd in {"0", "1", "2"}] == ["0", "1", "2"]
    assert result.started[0][0] == int(pid)
    assert result.started[0][1] > 0


def test_descriptors_of_the_server_do_not_reach_a_script(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    seal_descriptors()
    try:
        results = [run_script(tmp_path, f"test ! -e /proc/$$/fd/{writing}", work=work) for work in ({}, {"umask": "022"})]
    finally:
        os.close(reading)
        os.close(writing)
    assert {result.outcome.state for result in results} == {"succeeded"}


def test_the_umask_holds_for_the_child_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert run_script(tmp_path, "umask", work={"umask": "027"}).texts() == ["0027"]
        assert run_script(tmp_path, "umask").texts() == ["0022"]
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_script_works_in_its_directory(tmp_path: Path) -> None:
    assert run_script(tmp_path, "pwd -P", work={"working_dir": str(tmp_path)}).texts() == [str(tmp_path.resolve())]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ({"working_dir": "/nowhere/at/all"}, "/nowhere/at/all: No such file or directory"),
        ({"working_dir": "/etc/passwd"}, "/etc/passwd: Not a directory"),
        ({"shell": "/bin/no-such-shell"}, "/bin/no-such-shell: No such file or directory"),
        ({"shell": "/etc/passwd"}, "/etc/passwd: Permission denied"),
        ({"user": "no-such-user"}, "cannot run as no-such-user: no such user"),
        ({"user": "nobody:no-such-group"}, "cannot run with group no-such-group: no such group"),
        ({"user": "4000000"}, "cannot run as 4000000: no such user"),
    ],
)
@needs_root
def test_what_cannot_be_started_says_why(tmp_path: Path, work: dict[str, str], message: str) -> None:
    result = run_script(tmp_path, "echo unreachable", work=work)
    outcome = result.outcome
    assert (outcome.state, outcome.reason, outcome.exit_code, outcome.error) == ("failed", "spawn", None, message)
    assert result.texts("system") == [f"could not start: {message}"]
    assert result.started == []


def test_a_script_that_is_too_large_says_so(tmp_path: Path) -> None:
    outcome = run_script(tmp_path, "true #" + "x" * 200_000).outcome
    assert (outcome.state, outcome.reason) == ("failed", "spawn")
    assert "too large" in str(outcome.error)


def test_a_value_no_variable_can_hold_says_so(tmp_path: Path) -> None:
    outcome = run_script(tmp_path, "true", secrets={"TOKEN": "a\0b"}).outcome
    assert (outcome.state, outcome.reason) == ("failed", "spawn")


def test_a_machine_out_of_processes_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [errno.EAGAIN, errno.ENOMEM]

    async def busy(*args: Any, **options: Any) -> Child:
        if refusals:
            raise OSError(refusals.pop(), "busy")
        return await spawn(*args, **options)

    monkeypatch.setattr(command, "spawn", busy)
    monkeypatch.setattr(command, "RETRY_WAITS_S", (0.0, 0.0))
    assert run_script(tmp_path, "true").outcome.state == "succeeded"
    refusals[:] = [errno.EAGAIN] * 9
    outcome = run_script(tmp_path, "true").outcome
    assert (outcome.reason, outcome.error) == ("spawn", "busy")


@needs_root
def test_a_user_brings_its_groups_and_home_beneath_the_tasks_variables(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    script = 'id -u; id -G; echo "$HOME $USER $LOGNAME"; env | grep -c LC_CTYPE || :; grep SigIgn /proc/$$/status'
    lines = run_script(tmp_path, script, work={"user": "nobody", "env": {"HOME": "/theirs"}, "working_dir": "/"}).texts()
    groups = sorted(os.getgrouplist("nobody", nobody.pw_gid))
    assert lines[0] == str(nobody.pw_uid)
    assert sorted(map(int, lines[1].split())) == groups
    assert lines[2] == "/theirs nobody nobody"
    assert lines[3] == "0"
    assert int(lines[4].split()[1], 16) & (1 << 12) == 0  # SIGPIPE is not ignored


@needs_root
def test_a_user_and_a_group_may_be_numbers_without_an_account(tmp_path: Path) -> None:
    result = run_script(tmp_path, 'id -u; id -g; id -G; echo "$HOME"', work={"user": "4001:4002", "working_dir": "/"})
    assert result.texts() == ["4001", "4002", "4002", "/"]


@needs_root
def test_a_directory_closed_to_the_user_fails_loudly(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    result = run_script(tmp_path, "echo unreachable", work={"user": "nobody", "working_dir": str(closed)})
    assert result.outcome.exit_code == 126
    assert "Permission denied" in result.texts("stderr")[0]


def test_becoming_a_user_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PermissionError, match="the server does not run as root"):
        find_identity("nobody")
