"""What is allowed in a task or service and yet worth a word (RunWisp §3.3)."""

from pathlib import PurePath
from typing import Any

from rota.config.document import Table
from rota.core.inputs import swallows_tokens
from rota.core.task import TaskSpec
from rota.core.work import Shell

POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox", "yash")


def warn_about(table: Table, spec: TaskSpec, shutdown_timeout_s: float | None) -> None:
    """`shutdown_timeout_s` None: not known, because the settings have errors of their own."""
    if not spec.api_trigger and spec.schedule is None and not spec.run_on_start and spec.service is None:
        table.warn("nothing can start this task: no schedule, no run_on_start, and api_trigger is false", "api_trigger")
    if shutdown_timeout_s is not None and spec.policy.stop.grace_s > shutdown_timeout_s:
        table.warn("is longer than [daemon] shutdown_timeout, which ends it first", "graceful_stop")
    _warn_about_script(table, spec, spec.executor)


def _warn_about_script(table: Table, spec: TaskSpec, work: Any) -> None:
    if not isinstance(work, Shell):
        return
    if PurePath(work.shell).name not in POSIX_SHELLS:
        table.warn("is not a POSIX shell: the script does not stop at its first failing command", "shell")
    swallower = swallows_tokens(work.script)
    if swallower and any(item.kind != "env" for item in spec.inputs or []):
        table.warn(f"the script ends with {swallower}, so that params do not reach a command", "run")
