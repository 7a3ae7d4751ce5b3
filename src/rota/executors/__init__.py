"""How work is carried out: one file per kind, all kinds in one list."""

from collections.abc import Mapping

from rota.core.task import Task
from rota.executors.base import Context, Executor, StopRequest, kind_of
from rota.executors.compose import ComposeExecutor
from rota.executors.docker import Docker
from rota.executors.pipeline import PipelineExecutor
from rota.executors.shell import ShellExecutor

__all__ = ["Context", "Docker", "Executor", "PipelineExecutor", "StopRequest", "build_executors", "is_durable", "kind_of"]


def is_durable(executors: Mapping[str, Executor], task: Task) -> bool:
    """Whether a task's attempt goes on behind its finished steps after a crash."""
    found = executors.get(kind_of(task))
    return found is not None and found.is_durable


def build_executors(pipelines: PipelineExecutor | None = None) -> dict[str, Executor]:
    """All kinds, by the tag of their struct in `core.work`; pipelines only where there is a server around them."""
    executors: list[Executor] = [ShellExecutor(), ComposeExecutor(), *([pipelines] if pipelines else [])]
    return {executor.kind: executor for executor in executors}
