"""Params of a module's task that only its owner and root may see."""

from typing import Any

from msgspec.structs import replace

from rota.core.actor import Actor
from rota.core.hidden import HIDDEN
from rota.core.work import Module
from rota.ops.context import Rota
from rota.ops.moduletasks import Shown


def hide(rota: Rota, actor: Actor, shown: Shown) -> Shown:
    """The same, as far as the actor may see it."""
    names, work = _hidden_names(rota, actor, shown), shown.task.spec.executor
    if not names or not isinstance(work, Module):
        return shown
    work = replace(work, params=work.params | dict.fromkeys(names, HIDDEN))
    return replace(shown, task=replace(shown.task, spec=replace(shown.task.spec, executor=work)))


def keep_hidden(rota: Rota, actor: Actor, before: Shown, document: dict[str, Any]) -> None:
    """What was hidden and is sent back so, in a merge patch, is what it was."""
    work, change = before.task.spec.executor, document.get("executor")
    if change is None or not isinstance(work, Module):
        return
    for name in _hidden_names(rota, actor, before):
        if change["params"].get(name) == HIDDEN:
            change["params"][name] = work.params[name]


def _hidden_names(rota: Rota, actor: Actor, shown: Shown) -> set[str]:
    """Of a module that is there no more all are hidden: which of them are secret is not known."""
    work, owner = shown.task.spec.executor, shown.owner
    if actor.is_root or (owner is not None and owner.id == actor.id) or not isinstance(work, Module):
        return set()
    definition = rota.modules.find(work.module)
    return set(work.params) & definition.secret_names if definition else set(work.params)
