"""Runs a task's script by a shell."""

import asyncio
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath

from rota.core.inputs import Rendered, append_tokens, render
from rota.core.outcome import Outcome
from rota.core.work import Shell
from rota.executors.base import Context
from rota.executors.command import Command, carry_out, unstartable
from rota.executors.environment import inherited, layered, params_variables, run_variables
from rota.executors.identity import Identity, find_identity

# They stop at the first command that fails, as a script's author expects; `set +e` opts out (RunWisp §10).
_STOPS_AT_FAILURE = re.compile(r"(sh|bash|dash|ash|ksh|mksh|zsh|busybox|yash)[\d.-]*")


class ShellExecutor:
    """A script in a session and process group of its own."""

    kind = "shell"
    is_durable = False

    def __init__(self, server_env: Mapping[str, str] | None = None) -> None:
        self._inherited = inherited(os.environ if server_env is None else server_env)

    async def execute(self, context: Context) -> Outcome:
        work = context.task.spec.executor
        assert isinstance(work, Shell)  # noqa: S101  the runner looked at the kind
        identity = None
        if work.user:
            try:
                identity = await asyncio.to_thread(find_identity, work.user)
            except (LookupError, PermissionError) as error:
                return unstartable(context, str(error))
        return await carry_out(context, self._command(context, work, identity))

    def _command(self, context: Context, work: Shell, identity: Identity | None) -> Command:
        rendered = _render(context)
        argv = shell_argv(work.shell, append_tokens(work.script, rendered.tokens))
        layers = (
            self._inherited,
            identity.variables if identity else {},
            work.env,
            context.secrets,
            rendered.env,
            run_variables(context.task, context.run, context.artifacts),
        )
        return Command(
            argv=identity.wrap(argv) if identity else argv,
            env=layered(layers),
            working_dir=work.working_dir,
            umask=int(work.umask, 8) if work.umask else -1,
        )


def shell_argv(shell: str, script: str) -> list[str]:
    return [*_shell_words(shell), script]


@cache
def _shell_words(shell: str) -> list[str]:
    name = PurePath(shell).name
    applet = ["sh"] if name.startswith("busybox") else []
    options = ["-e"] if _STOPS_AT_FAILURE.fullmatch(name) else []
    return [shell, *applet, *options, "-c"]


def _render(context: Context) -> Rendered:
    """How the run's params reach the script: by the inputs the task declares, or all of them as variables."""
    spec, run = context.task.spec, context.run
    if spec.inputs is None:
        return Rendered(params_variables({**spec.params, **run.params}))
    rendered = render(spec.inputs, run.params)
    if "event" not in run.params or run.trigger != "event":
        return rendered
    # No input can declare what comes from whoever published; it is still what the run is about.
    return Rendered({**params_variables({"event": run.params["event"]}), **rendered.env}, rendered.tokens)
