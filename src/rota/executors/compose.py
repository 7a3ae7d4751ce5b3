"""Runs what a compose file describes, by `docker compose` (RunWisp §14)."""

import os
from collections.abc import Iterable, Mapping

from rota.core.inputs import Rendered, append_tokens, render
from rota.core.outcome import Outcome
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Compose
from rota.executors.base import Context
from rota.executors.command import Command, carry_out, unstartable
from rota.executors.docker import OWN_LABEL, Docker
from rota.executors.environment import inherited, layered, params_variables, run_variables

SHELL = ("/bin/sh", "-e", "-c")


class ComposeExecutor:
    """The client is a child like any other; the container it leaves is removed by its label.

    A stop of mode `exec` ends the client alone: what it began inside the container is the container's.
    """

    kind = "compose"
    is_durable = False

    def __init__(self, server_env: Mapping[str, str] | None = None) -> None:
        self._inherited = inherited(os.environ if server_env is None else server_env)
        self.docker = Docker(self._inherited)

    async def execute(self, context: Context) -> Outcome:
        work, docker = context.task.spec.executor, self.docker.path
        assert isinstance(work, Compose)  # noqa: S101  the runner looked at the kind
        problem = await self.docker.find_problem()
        if problem or docker is None:
            return unstartable(context, f"compose is not available: {problem}")
        unit = unit_of(context.task, context.run)
        if work.mode == "run" and await self.docker.remove(unit):
            context.note("removed what an earlier run left behind")
        try:
            return await carry_out(context, self._command(context, work, docker, unit))
        finally:
            if work.mode == "run":
                await self.docker.remove(unit)

    def _command(self, context: Context, work: Compose, docker: str, unit: str) -> Command:
        rendered = _render(context)
        visible = {**work.env, **rendered.env, **_index(context.run)}
        # The client's own environment carries the secrets, so that no value of theirs stands in a list of processes.
        env = layered(
            (self._inherited, work.env if work.mode == "up" else {}, context.secrets, run_variables(context.task, context.run))
        )
        argv = compose_argv(work, unit, container_name(work, context.run), visible, context.secrets, rendered.tokens)
        return Command(argv=[docker, *argv[1:]], env=env, working_dir=work.working_dir)


def unit_of(task: Task, run: Run) -> str:
    """Whose containers are in the way of this run: those of its instance, of its task, or its own where several may run."""
    if run.instance is not None:
        return f"{task.id}.{run.instance}"
    return task.id if task.spec.policy.max_concurrent == 1 else f"{task.id}.{run.id}"


def container_name(work: Compose, run: Run) -> str:
    return f"{work.project_name}_{work.service}_{run.id if run.instance is None else run.instance}"


def compose_argv(
    work: Compose, unit: str, name: str, visible: Mapping[str, str], secrets: Iterable[str], tokens: Iterable[str] = ()
) -> list[str]:
    """The whole command line.

    visible  variables of the container, with their values
    secrets  names of variables that the client hands on from its own environment
    """
    argv = ["docker", "compose", "-f", work.file, "-p", work.project_name]
    argv += [word for profile in work.profiles for word in ("--profile", profile)]
    argv += ["--env-file", work.env_file] if work.env_file else []
    pull = ["--pull", work.pull] if work.pull else []
    if work.mode == "up" or work.service is None:
        return [*argv, "up", "--abort-on-container-exit", "--no-log-prefix", *pull]
    variables = [word for key, value in visible.items() for word in ("-e", f"{key}={value}")]
    variables += [word for key in secrets for word in ("-e", key)]
    if work.mode == "exec":
        return [*argv, "exec", "-T", *variables, work.service, *SHELL, append_tokens(work.script or "", tokens)]
    alone = [] if work.with_deps else ["--no-deps"]
    named = ["--name", name, "--label", f"{OWN_LABEL}={unit}"]
    return [*argv, "run", "--rm", *alone, "--service-ports", "--use-aliases", *named, *pull, *variables, work.service, *tokens]


def _index(run: Run) -> dict[str, str]:
    return {} if run.instance is None else {"RUNWISP_INSTANCE_INDEX": str(run.instance)}


def _render(context: Context) -> Rendered:
    """As a script gets them: tokens go to the command, variables into the container."""
    spec, run = context.task.spec, context.run
    if spec.inputs is None:
        return Rendered(params_variables({**spec.params, **run.params}) if {**spec.params, **run.params} else {})
    return render(spec.inputs, run.params)
