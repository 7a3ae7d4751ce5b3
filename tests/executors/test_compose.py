"""What a compose file describes is run by `docker compose`: here a stand-in on the PATH that writes down how it was called."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.factories import make_run, make_task, spec
from tests.shell_workbench import CLOCK, IDS, QUICK

from rota.core.inputs import Input
from rota.core.outcome import Outcome
from rota.core.policy import LogLimit, Policy
from rota.core.service import ServicePolicy
from rota.core.work import Compose
from rota.executors import Context, StopRequest
from rota.executors.compose import ComposeExecutor, compose_argv
from rota.logs import LogName, RunLogs

STAND_IN = r"""#!/bin/sh
{ printf '%s\037' "$@"; printf '\036%s\035' "$TOKEN"; } >> "$CALLS"
case "$1 $2" in
  "ps --all") if [ -e "$CALLS.left" ]; then echo c0ffee; fi ;;
  "compose version") exit "${BROKEN:-0}" ;;
  compose*) echo "hello from the container"; exit "${CODE:-0}" ;;
esac
"""
PROBES = [["version"], ["compose", "version"]]


class Docker:
    """The stand-in and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        self.env = {"PATH": str(folder), "CALLS": str(self.calls_file)}
        path = folder / "docker"
        path.write_text(STAND_IN)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[dict[str, Any]]:
        records = self.calls_file.read_text().split("\x1d")[:-1] if self.calls_file.exists() else []
        parts = [record.split("\x1e") for record in records]
        return [{"argv": words.split("\x1f")[:-1], "token": token} for words, token in parts]

    def argvs(self) -> list[list[str]]:
        return [call["argv"] for call in self.calls()]


class Result:
    def __init__(self, outcome: Outcome, lines: list[str], run_id: str, task_id: str) -> None:
        self.outcome, self.lines, self.run_id, self.task_id = outcome, lines, run_id, task_id


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


@pytest.fixture
def carry(tmp_path: Path) -> Callable[..., Result]:
    """Carries one attempt out."""

    def carries(env: dict[str, str], work: Compose, *, instance: int | None = None, **given: Any) -> Result:
        return asyncio.run(_carry(tmp_path, env, work, instance, **given))

    return carries


async def _carry(
    folder: Path, env: dict[str, str], work: Compose, instance: int | None, secrets: dict[str, str] | None = None, **given: Any
) -> Result:
    params = given.pop("params", {})
    service = ServicePolicy() if instance is not None else None
    policy = Policy(stop=QUICK, log=LogLimit(), **given.pop("policy", {}))
    task = make_task(spec=spec(name="web", executor=work, service=service, policy=policy, **given))
    run = make_run(task, id=IDS.new(), state="running", attempt=1, fence=1, instance=instance, params=params)
    logs, name = RunLogs(folder / "logs"), LogName("web", run.created_at, run.id)
    writer = logs.writer(name, policy.log, [], on_growth=lambda: None)
    context = Context(
        task=task, run=run, log=writer, stop=StopRequest(), secrets=secrets or {}, on_started=lambda _pid, _ticks: None,
        on_delivered=lambda: None, now_ms=lambda: int(CLOCK.now().timestamp() * 1000),
    )  # fmt: skip
    outcome = await ComposeExecutor(env).execute(context)
    writer.finalize(0)
    return Result(outcome, [line.text for line in logs.reader(name).page(0, 100).lines], run.id, task.id)


SERVICE = Compose(file="/srv/compose.yaml", project_name="shop", service="web")


def test_an_instance_is_a_container_of_its_own(docker: Docker, carry: Callable[..., Result]) -> None:
    work = Compose(
        file="/srv/compose.yaml", project_name="shop", service="web", profiles=["a", "b"], env_file="/srv/.env", pull="always",
        env={"COLOUR": "red"},
    )  # fmt: skip
    result = carry(docker.env, work, instance=2, secrets={"TOKEN": "s3cret"})
    assert (result.outcome.state, result.outcome.exit_code) == ("succeeded", 0)
    assert "hello from the container" in result.lines
    label = f"label=rota.unit={result.task_id}.2"
    look = ["ps", "--all", "--quiet", "--filter", label]
    assert docker.argvs() == [
        *PROBES,
        look,
        [
            "compose", "-f", "/srv/compose.yaml", "-p", "shop", "--profile", "a", "--profile", "b", "--env-file", "/srv/.env",
            "run", "--rm", "--no-deps", "--service-ports", "--use-aliases", "--name", "shop_web_2",
            "--label", label.removeprefix("label="), "--pull", "always",
            "-e", "COLOUR=red", "-e", "RUNWISP_INSTANCE_INDEX=2", "-e", "TOKEN", "web",
        ],
        look,
    ]  # fmt: skip


def test_a_secret_goes_by_the_environment_of_the_client_and_never_on_its_command_line(
    docker: Docker, carry: Callable[..., Result]
) -> None:
    carry(docker.env, SERVICE, instance=0, secrets={"TOKEN": "s3cret"})
    assert not any("s3cret" in word for argv in docker.argvs() for word in argv)
    assert [call["token"] for call in docker.calls() if "run" in call["argv"]] == ["s3cret"]


def test_what_an_earlier_run_left_behind_is_removed_first(docker: Docker, carry: Callable[..., Result]) -> None:
    docker.calls_file.with_name("calls.left").touch()
    result = carry(docker.env, SERVICE, instance=0)
    argvs = docker.argvs()
    assert argvs[3] == ["rm", "--force", "c0ffee"]
    assert "run" in argvs[4]
    assert "removed what an earlier run left behind" in " ".join(result.lines)


def test_the_exit_code_is_that_of_the_container(docker: Docker, carry: Callable[..., Result]) -> None:
    result = carry({**docker.env, "CODE": "7"}, SERVICE, instance=0)
    assert (result.outcome.state, result.outcome.exit_code) == ("failed", 7)


def test_a_stack_is_brought_up_whole(docker: Docker, carry: Callable[..., Result]) -> None:
    carry(docker.env, Compose(file="/srv/c.yaml", project_name="shop", mode="up"), instance=0)
    assert docker.argvs()[2:] == [
        ["compose", "-f", "/srv/c.yaml", "-p", "shop", "up", "--abort-on-container-exit", "--no-log-prefix"]
    ]


def test_a_script_is_run_inside_the_container_that_is_there(docker: Docker, carry: Callable[..., Result]) -> None:
    work = Compose(file="/srv/c.yaml", project_name="shop", service="db", mode="exec", script="pg_dump\n")
    inputs = [Input(kind="option", key="--db"), Input(kind="env", key="FAST")]
    carry(docker.env, work, inputs=inputs, params={"--db": "it's", "FAST": "1"})
    assert docker.argvs()[2:] == [
        [
            "compose", "-f", "/srv/c.yaml", "-p", "shop", "exec", "-T", "-e", "FAST=1", "db",
            "/bin/sh", "-e", "-c", "pg_dump '--db' 'it'\"'\"'s'",
        ]
    ]  # fmt: skip


def test_a_task_has_a_container_named_after_its_run_and_its_params_go_to_the_command(
    docker: Docker, carry: Callable[..., Result]
) -> None:
    inputs = [Input(kind="arg", key="TABLE")]
    result = carry(docker.env, SERVICE, inputs=inputs, params={"TABLE": "users"})
    [argv] = [argv for argv in docker.argvs() if "run" in argv]
    assert argv[argv.index("--name") + 1] == f"shop_web_{result.run_id}"
    assert argv[-2:] == ["web", "users"]
    assert "RUNWISP_INSTANCE_INDEX=0" not in argv


def test_where_several_may_run_only_the_own_container_is_removed(docker: Docker, carry: Callable[..., Result]) -> None:
    result = carry(docker.env, SERVICE, policy={"max_concurrent": 2})
    looks = [argv[-1] for argv in docker.argvs() if argv[0] == "ps"]
    assert looks == [f"label=rota.unit={result.task_id}.{result.run_id}"] * 2


def test_what_a_service_depends_on_is_started_where_that_is_asked_for() -> None:
    work = Compose(file="c", project_name="p", service="web", with_deps=True)
    assert "--no-deps" not in compose_argv(work, "u", "n", {}, [])


def test_without_docker_a_run_fails_with_a_clear_note(tmp_path: Path, carry: Callable[..., Result]) -> None:
    result = carry({"PATH": str(tmp_path)}, SERVICE, instance=0)
    assert (result.outcome.state, result.outcome.reason, result.outcome.exit_code) == ("failed", "spawn", None)
    assert "compose is not available: there is no docker command on this machine" in " ".join(result.lines)


def test_without_the_compose_plugin_it_says_what_fails(docker: Docker, carry: Callable[..., Result]) -> None:
    result = carry({**docker.env, "BROKEN": "1"}, SERVICE, instance=0)
    assert "`docker compose version` fails" in " ".join(result.lines)
    assert docker.argvs() == PROBES


def test_docker_is_looked_for_again_when_it_was_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = ComposeExecutor({"PATH": str(tmp_path), "CALLS": str(tmp_path / "calls")})
    now = [100.0]
    monkeypatch.setattr("rota.executors.docker.time.monotonic", lambda: now[0])
    before = asyncio.run(executor.docker.find_problem())
    Docker(tmp_path)
    believed = asyncio.run(executor.docker.find_problem())
    now[0] += 5
    after = asyncio.run(executor.docker.find_problem())
    assert before == believed == "there is no docker command on this machine"
    assert after is None
