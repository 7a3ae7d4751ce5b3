"""What carries attempts out on this machine: the executors, and what they are made of."""

import os
from functools import partial

from msgspec import Struct

from rota.config import Settings
from rota.core.task import Task
from rota.core.work import Project
from rota.datadir import LEDGER, LEFT, PROJECTS, WORKSPACES
from rota.executors import (
    AgentExecutor,
    Executor,
    HttpExecutor,
    ModuleExecutor,
    PipelineExecutor,
    ProjectExecutor,
    Surroundings,
    build_executors,
)
from rota.executors.environment import inherited
from rota.modules.pool import Pool, build_pool
from rota.ops.context import Rota
from rota.ops.within import Within
from rota.outgoing import Outgoing
from rota.runners import Leavings, LocalRunner, LogGrowth, ProcessLedger
from rota.server.units import Units


class Workshop(Struct, kw_only=True):
    """`runner` works with all the others."""

    ledger: ProcessLedger
    leavings: Leavings
    pool: Pool
    executors: dict[str, Executor]
    project: ProjectExecutor
    runner: LocalRunner


def build_workshop(settings: Settings, units: Units, rota: Rota, outgoing: Outgoing, growth: LogGrowth) -> Workshop:
    data = settings.server.data
    pool = build_pool(settings, inherited(os.environ))
    modules = ModuleExecutor(rota.modules, pool, rota.database)
    executors = build_executors(
        modules,
        PipelineExecutor(rota.database, rota.tools, Within(rota), modules, observe=rota.vitals.observe_step),
        HttpExecutor(outgoing),
        AgentExecutor(_surroundings(rota, outgoing), outgoing, data / WORKSPACES),
    )
    project = ProjectExecutor(rota.database, rota.blobs, settings.project, executors, data / PROJECTS)
    executors[project.kind] = project
    ledger, leavings = ProcessLedger(data / LEDGER), Leavings(data / LEFT, rota.database, rota.blobs, rota.clock)
    runner = LocalRunner(
        executors, rota.logs, rota.clock, rota.bus, ledger, partial(_secrets_of, units, settings),
        settings.server.max_concurrent_runs, growth, leavings, settings.server.labels,
    )  # fmt: skip
    return Workshop(ledger=ledger, leavings=leavings, pool=pool, executors=executors, project=project, runner=runner)


def _surroundings(rota: Rota, outgoing: Outgoing) -> Surroundings:
    return Surroundings(
        database=rota.database, bus=rota.bus, ids=rota.ids, tools=rota.tools, outgoing=outgoing, tally=rota.vitals
    )


def _secrets_of(units: Units, settings: Settings, task: Task) -> dict[str, str]:
    """Secret variables of a task: its unit's, and those of the project whose work it is."""
    work = task.spec.executor
    env = settings.project(work.project_id).env if isinstance(work, Project) else {}
    return {**units.secrets_of(task), **{name: value.reveal() for name, value in env.items()}}
