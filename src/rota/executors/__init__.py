"""How work is carried out: one file per kind, all kinds in one list."""

from rota.executors.base import Context, Executor, StopRequest
from rota.executors.compose import ComposeExecutor
from rota.executors.shell import ShellExecutor

__all__ = ["Context", "Executor", "StopRequest", "build_executors"]


def build_executors() -> dict[str, Executor]:
    """All kinds, by the tag of their struct in `core.work`."""
    executors: list[Executor] = [ShellExecutor(), ComposeExecutor()]
    return {executor.kind: executor for executor in executors}
