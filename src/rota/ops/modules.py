"""Modules as tasks use them: which there are, who may, and whether params fit."""

from collections.abc import Iterator, Mapping
from typing import Any

from rota.core.actor import Actor, Right
from rota.core.errors import Invalid, Problem
from rota.core.module import Definition
from rota.core.schedule import ManualSchedule
from rota.core.task import Task, TaskSpec
from rota.core.work import Module
from rota.modules.catalogue import Catalogue
from rota.ops.context import Rota

RIGHT: Right = "system.task"


def list_modules(rota: Rota, actor: Actor) -> list[Definition]:
    """All there are, by name. Raises Forbidden without `system.task`."""
    actor.require(RIGHT)
    return rota.modules.list()


def check_module(actor: Actor, spec: TaskSpec, modules: Catalogue) -> list[Problem]:
    """What is wrong with a task that is a module, at `body.executor.…` and `body.params.…`.

    What must be given may be given with a run instead, unless the task also starts by itself. Raises Forbidden without
    `system.task`: a module does what its author let it do, with the server's own rights on this machine.
    """
    if not isinstance(spec.executor, Module):
        return []
    actor.require(RIGHT)
    return list(_problems(spec, modules, starts_alone=_starts_alone(spec)))


def check_given(modules: Catalogue, task: Task, params: Mapping[str, Any]) -> None:
    """Params of a run, over those of its executor. Raises Invalid at `body.params.<name>`."""
    work = task.spec.executor
    if isinstance(work, Module):
        problems = modules.check(work.module, {**work.params, **params}, "body.params")
        if problems:
            raise Invalid(f"{problems[0].location}: {problems[0].message}", problems)


def find_misfits(modules: Catalogue, spec: TaskSpec) -> list[str]:
    """The same of a task of the settings file, in words: it is served all the same, and its runs fail."""
    if not isinstance(spec.executor, Module):
        return []
    return [
        f"{problem.location.removeprefix('body.')}: {problem.message}"
        for problem in _problems(spec, modules, starts_alone=_starts_alone(spec))
    ]


def _problems(spec: TaskSpec, modules: Catalogue, *, starts_alone: bool) -> Iterator[Problem]:
    work = spec.executor
    assert isinstance(work, Module)  # noqa: S101  callers looked
    definition = modules.find(work.module)
    if definition is None:
        yield Problem("body.executor.module", modules.explain_unknown(work.module), work.module[:100])
        return
    given = {**work.params, **spec.params}
    for problem in modules.check(work.module, given):
        _, _, name = problem.location.partition(".")
        first = name.split(".")[0]
        if first not in given and not starts_alone:
            continue
        place = "body.params" if first in spec.params else "body.executor.params"
        yield Problem(f"{place}.{name}", problem.message, problem.value)


def _starts_alone(spec: TaskSpec) -> bool:
    has_schedule = spec.schedule is not None and not isinstance(spec.schedule, ManualSchedule)
    return has_schedule or spec.run_on_start or spec.service is not None
