"""How work is carried out: one file per kind, all kinds in one list."""

from collections.abc import Mapping

from rota.core.task import Task
from rota.core.work import Agent
from rota.executors.agent import AgentExecutor
from rota.executors.base import Context, Executor, StopRequest, kind_of
from rota.executors.chain import Surroundings
from rota.executors.compose import ComposeExecutor
from rota.executors.docker import Docker
from rota.executors.http import HttpExecutor
from rota.executors.module import ModuleExecutor
from rota.executors.pipeline import PipelineExecutor
from rota.executors.project import ProjectExecutor
from rota.executors.shell import ShellExecutor

__all__ = [
    "AgentExecutor",
    "Context",
    "Docker",
    "Executor",
    "HttpExecutor",
    "ModuleExecutor",
    "PipelineExecutor",
    "ProjectExecutor",
    "StopRequest",
    "Surroundings",
    "build_executors",
    "is_durable",
    "kind_of",
]


def is_durable(executors: Mapping[str, Executor], task: Task) -> bool:
    """Whether a task's attempt goes on behind its finished steps after a crash."""
    work, found = task.spec.executor, executors.get(kind_of(task))
    if isinstance(work, Agent) and work.nodes is None:  # what a program or a URL has done until then is not known
        return False
    return found is not None and found.is_durable


def build_executors(*served: Executor) -> dict[str, Executor]:
    """All kinds, by the tag of their struct in `core.work`. `served`: those that need a server around them."""
    executors: list[Executor] = [ShellExecutor(), ComposeExecutor(), *served]
    return {executor.kind: executor for executor in executors}
