"""How work is carried out: one file per kind, all kinds in one list."""

from rota.executors.base import Context, Executor, StopRequest
from rota.executors.compose import ComposeExecutor
from rota.executors.pipeline import PipelineExecutor
from rota.executors.shell import ShellExecutor

__all__ = ["Context", "Executor", "PipelineExecutor", "StopRequest", "build_executors"]


def build_executors(pipelines: PipelineExecutor | None = None) -> dict[str, Executor]:
    """All kinds, by the tag of their struct in `core.work`; pipelines only where there is a server around them."""
    executors: list[Executor] = [ShellExecutor(), ComposeExecutor(), *([pipelines] if pipelines else [])]
    return {executor.kind: executor for executor in executors}
