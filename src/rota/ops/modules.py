"""Modules as tasks use them: which there are, who may, and whether params fit."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

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


def hide_secrets(modules: Catalogue, spec: TaskSpec) -> TaskSpec:
    """A document as it may be shown."""
    work = spec.executor
    if not isinstance(work, Module):
        return spec
    shown = structs.replace(work, params=modules.hide(work.params, work.module))
    return structs.replace(spec, executor=shown, params=modules.hide(spec.params, work.module))


def keep_hidden(modules: Catalogue, document: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A change of a task's document, in which secrets that came back as they were shown are what they were."""
    kept, before = dict(change), document.get("executor")
    work = change.get("executor", before)
    if not isinstance(before, dict) or not isinstance(work, dict) or before.get("kind") != "module":
        return kept
    name = before["module"]
    if work.get("module") != name:
        return kept
    if "executor" in change and isinstance(work.get("params"), dict):
        kept["executor"] = {**work, "params": modules.keep_hidden(name, work["params"], before.get("params") or {})}
    if isinstance(change.get("params"), dict):
        kept["params"] = modules.keep_hidden(name, change["params"], document.get("params") or {})
    return kept


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
